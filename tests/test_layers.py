#!/usr/bin/env python3
"""Tests of layers.py: it passes this tree, and fails copies with a fault planted in them."""

import os
import shutil
import tempfile
import unittest

import layers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class Layers(unittest.TestCase):
    def plant(self, path, line):
        """Returns the faults of a copy of the tree in which the file has one more line."""
        with tempfile.TemporaryDirectory() as copy:
            for component in layers.ROOMS:
                shutil.copytree(os.path.join(ROOT, component), os.path.join(copy, component),
                                ignore=lambda folder, names: [n for n in names if n.endswith(
                                    ".safetensors")])
            with open(os.path.join(copy, path), "a", encoding="utf-8") as file:
                file.write(line + "\n")
            return "\n".join(layers.check(copy))

    def test_an_include_of_a_room_above_fails(self):
        faults = self.plant("engine/base/error.c", '#include "file/json.h"')
        self.assertIn("engine/base/error.c: includes engine/file/json.h, and file is above base",
                      faults)

    def test_a_circle_within_a_room_fails(self):
        faults = self.plant("engine/file/json.h", '#include "file/description.h"')
        self.assertRegex(faults, "these use each other: .*engine/file/description.*"
                                 "engine/file/json")

    def test_a_header_that_does_not_exist_fails(self):
        faults = self.plant("engine/labels.c", '#include "labels/none.h"')
        self.assertIn('engine/labels.c: "labels/none.h" names 0 files, expected one', faults)

    def test_a_folder_that_is_no_room_fails(self):
        with tempfile.TemporaryDirectory() as copy:
            os.makedirs(os.path.join(copy, "engine/attic"))
            with open(os.path.join(copy, "engine/attic/old.c"), "w", encoding="utf-8") as file:
                file.write('#include "old.h"\n')
            with open(os.path.join(copy, "engine/old.h"), "w", encoding="utf-8"):
                pass
            self.assertEqual(layers.check(copy),
                             ["engine/attic/old.c: its folder is not in the list of rooms"])


if __name__ == "__main__":
    unittest.main()
