#!/usr/bin/env python3
"""Tests how a picture that is not square becomes the network's input: by --fit or the model."""

import json
import os
import unittest

import colour_model
from command_case import CommandTest

GREEN, WHITE = bytes([10, 245, 10]), bytes([245] * 3)


class FitTest(CommandTest):
    """The middle third of a wide picture is green, the rest white. The classes are the channels."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("data"))
        self.picture = self.path("data", "wide.png")
        colour_model.write_png(self.picture, 96, (WHITE * 32 + GREEN * 32 + WHITE * 32) * 32)
        self.weights = self.path("channels.safetensors")
        colour_model.write_channels(self.weights)

    def import_model(self, fit):
        model = self.path(fit + ".safetensors")
        self.succeed("import", self.weights, "--fit", fit, "--resize", "32", "-o", model)
        return model

    def scores(self, model, *arguments):
        text = self.succeed("classify", "--json", "--threshold", "0", "--model", model, *arguments,
                            self.picture)
        classes = json.loads(text)["images"][0]["classes"]
        return [entry["score"] for entry in sorted(classes, key=lambda entry: entry["index"])]

    def test_the_model_s_fit_applies(self):
        red, green, _ = self.scores(self.import_model("crop"))
        self.assertLess(red, 0.4)
        squashed, whole_green, _ = self.scores(self.import_model("squash"))
        self.assertGreater(squashed, 0.6)
        self.assertGreater(min(green, whole_green), 0.9)
        letterboxed, _, _ = self.scores(self.import_model("letterbox"))
        self.assertTrue(0.5 < letterboxed < squashed)

    def test_the_option_overrides_the_model(self):
        models = {fit: self.import_model(fit) for fit in ("crop", "squash", "letterbox")}
        for fit, model in models.items():
            expected = self.scores(model)
            for other in models.values():
                self.assertEqual(self.scores(other, "--fit", fit), expected)
            self.assertEqual(self.scores(model, "--fit", "model"), expected)
        self.fail_with('unknown fit "zoom"', "classify", "--fit", "zoom", self.picture)

    def test_eval_takes_it_too(self):
        self.write_labels_tsv("data", [("wide.png", "1", "-")])
        model = self.import_model("crop")
        arguments = ["eval", "--json", "--data", self.path("data"), "--reference", model, model]
        self.assertEqual(json.loads(self.succeed(*arguments))["agreement"], 100)
        # The reference sees the same picture.
        found = json.loads(self.succeed(*arguments, "--fit", "squash"))
        self.assertEqual(found["agreement"], 100)
        self.fail_with('unknown fit "zoom"', *arguments, "--fit", "zoom")

    def test_inspect_names_it(self):
        found = json.loads(self.succeed("inspect", "--json", self.import_model("squash")))
        self.assertEqual(found["preprocessing"]["fit"], "squash")

    def test_an_export_tells_it(self):
        text = self.succeed("export", self.import_model("letterbox"), "-o", self.path("out"))
        self.assertIn("longer side resized to 32 (bicubic), the rest filled with the mean colour",
                      text)


if __name__ == "__main__":
    unittest.main()
