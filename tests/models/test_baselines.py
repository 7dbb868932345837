#!/usr/bin/env python3
"""Tests inspect on the published baselines, with sparse files of the same shapes."""

import json
import unittest

import baselines
import colour_model
from command_case import CommandTest

class BaselineTest(CommandTest):
    def test_parameters_and_gmacs_are_as_published(self):
        for name, (shape, parameters, gmacs) in baselines.PUBLISHED.items():
            with self.subTest(name):
                path = self.path("weights.safetensors")
                colour_model.write_hollow(path, baselines.shapes(shape))
                found = json.loads(self.succeed("inspect", "--json", path))
                self.assertEqual(found["parameters"], parameters)
                self.assertEqual(found["dense"]["parameters"], parameters)
                self.assertEqual(round(found["gmacs"]["dense"], 3), gmacs)


if __name__ == "__main__":
    unittest.main()
