"""Tests the picture of `vitgate classify --explain`.

Usage: test_explain.py [unittest's arguments]; $VITGATE is the command.
"""

import base64
import json
import os
import re
import unittest
import xml.etree.ElementTree

import colour_model
import gated_model
from command_case import CommandTest

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
PATCHES = colour_model.TOKENS - 1
RED, BLUE = (1, 0, 0), (0, 0, 1)
NO_DIAL = {"calibration": None, "default_compute": None}


class ExplainTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("model.safetensors")

    def explain(self, corner, *arguments):
        photograph, picture = self.path("photo.png"), self.path("picture.svg")
        colour_model.write_picture(photograph, corner)
        self.output = self.succeed("classify", "-m", self.model, "--explain", picture, *arguments,
                                   photograph)
        return xml.etree.ElementTree.parse(picture).getroot()

    def words(self, root):
        return root.find(SVG + "desc").text.splitlines()

    def test_patches_that_token_gates_let_run(self):
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, **NO_DIAL)
        every, none = (f"ran for {n} of {PATCHES} patches, 0 merged" for n in (PATCHES, 0))
        for corner, gated, counts in ((RED, every, "4 of 4 modules ran for every patch"),
                                      (BLUE, none, "1 of 4 modules ran for every patch")):
            with self.subTest(corner):
                words = self.words(self.explain(corner))
                self.assertIn(counts, words[0])
                self.assertEqual(words[1:], [
                    f"Block 0: attention {every}; MLP {gated}.",
                    f"Block 1: attention {gated}; MLP {gated}.",
                    "Block 2: attention for the class token only; MLP for the class token only.",
                ])

    def test_merged_patches_and_closed_and_cut_modules(self):
        gated_model.write_model(self.model, default_compute=0.2)
        words = self.words(self.explain(RED))
        merged = PATCHES // 2 + 1  # all that went into one token, and it
        self.assertEqual(words[1:4], [
            f"Block 0: attention ran for {PATCHES} of {PATCHES} patches, 0 merged; "
            f"MLP ran for 0 of {PATCHES} patches, {merged} merged.",
            f"Block 1: attention ran for 0 of {PATCHES} patches, {merged} merged; MLP cut.",
            f"Block 2: attention cut; MLP ran for 0 of {PATCHES} patches, {merged} merged.",
        ])

    def test_a_model_without_gates_and_dial(self):
        gated_model.write_model(self.model, gated_model.DENSE_BLOCKS, **NO_DIAL)
        self.assertIn("6 of 6 modules ran for every patch", self.words(self.explain(RED))[0])

    def test_the_photograph_is_embedded_once(self):
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, **NO_DIAL)
        root = self.explain(BLUE)
        images = list(root.iter(SVG + "image"))
        self.assertEqual(len(images), 1)
        kind, data = images[0].get(HREF).split(",", 1)
        self.assertEqual(kind, "data:image/jpeg;base64")
        self.assertEqual(base64.b64decode(data)[:2], b"\xff\xd8")

    def test_patches_are_told_apart_without_colour(self):
        """A patch that got the substitute has a stroke."""
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, **NO_DIAL)
        strokes = []
        for corner in RED, BLUE:
            self.explain(corner)
            with open(self.path("picture.svg"), encoding="utf-8") as file:
                strokes.append(len(re.findall(r"stroke-width", file.read())))
        self.assertGreaterEqual(strokes[1] - strokes[0], 3 * PATCHES)

    def test_the_report_is_the_same(self):
        gated_model.write_model(self.model)
        self.explain(RED, "--json")
        found = json.loads(self.output)["images"][0]
        without = json.loads(self.succeed("classify", "-m", self.model, "--json",
                                          self.path("photo.png")))["images"][0]
        self.assertEqual(found["classes"], without["classes"])
        self.assertEqual(found["gmacs"], without["gmacs"])

    def test_structures_and_names_of_all_kinds(self):
        for blocks in ([], [(0, 0, None, None)], [(1, 1, None, None)] * 13):
            with self.subTest(len(blocks)):
                gated_model.write_model(self.model, blocks, **NO_DIAL)
                self.assertEqual(len(self.words(self.explain(RED))), 1 + len(blocks))
        strange = self.path("<b>&\x1b[31m.png")
        os.rename(self.path("photo.png"), strange)
        self.succeed("classify", "-m", self.model, "--explain", self.path("x.svg"), strange)
        xml.etree.ElementTree.parse(self.path("x.svg"))

    def test_bad_arguments(self):
        gated_model.write_model(self.model)
        picture, photograph = self.path("picture.svg"), self.path("photo.png")
        colour_model.write_picture(photograph, RED)
        arguments = ("classify", "-m", self.model, "--explain")
        self.fail_with("one image, got 2", *arguments, picture, photograph, photograph)
        self.fail_with(f"{self.folder} is a folder", *arguments, picture, self.folder)
        for place in (self.path("absent", "x.svg"), self.folder, "/dev/null"):
            self.assertEqual(self.fail_with(place, *arguments, place, photograph), "")
        self.fail_with("absent", *arguments, picture, self.path("absent"))
        self.assertFalse(os.path.exists(picture))


if __name__ == "__main__":
    unittest.main()
