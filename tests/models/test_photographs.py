"""Tests what commands make of photographs: orientation tags, formats and archives.

Usage: test_photographs.py [unittest's arguments]; $VITGATE is the command.
"""

import io
import json
import os
import random
import unittest

from PIL import Image, ImageOps

import colour_model
import random_model
from command_case import CommandTest

ORIENTATION = 0x112  # EXIF's number of the tag


class OrientationTest(CommandTest):
    """Every command turns photographs upright by their tag, or ignores it"""

    def setUp(self):
        super().setUp()
        self.model = self.path("random.safetensors")
        random_model.write_teacher(self.model)

    def write_photographs(self, n):
        """Writes n photographs with all orientations, each three times: tagged, turned upright by
        PIL, and without its tag"""
        rng = random.Random(5)
        for i in range(n):
            name = f"{random_model.IDS[i % len(random_model.IDS)]}/{i:03}.png"
            plain, tagged = self.path("stored", name), self.path("tagged", name)
            upright = self.path("upright", name)
            for path in (plain, tagged, upright):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            random_model.write_picture(plain, rng)
            image = Image.open(plain)
            exif = image.getexif()
            exif[ORIENTATION] = i % 8 + 1
            image.save(tagged, exif=exif)
            ImageOps.exif_transpose(Image.open(tagged)).save(upright)

    def files(self, folder):
        return [os.path.join(place, name) for place, _, names in sorted(os.walk(self.path(folder)))
                for name in sorted(names)]

    def scores(self, folder, *arguments):
        text = self.succeed("classify", "--json", "--precision", "float32", "--model", self.model,
                            *arguments, *self.files(folder))
        return [image["classes"] for image in json.loads(text)["images"]]

    def assert_same(self, measure):
        """measure: returns what a command finds in a folder, with more arguments"""
        upright, stored = measure("upright"), measure("stored")
        self.assertNotEqual(upright, stored)
        self.assertEqual(measure("tagged"), upright)
        self.assertEqual(measure("tagged", "--no-orientation"), stored)

    def test_classify(self):
        self.write_photographs(8)
        self.assert_same(self.scores)

    def test_eval(self):
        self.write_photographs(40)

        def measure(folder, *arguments):
            text = self.succeed("eval", "--json", "--precision", "float32", "--data",
                                self.path(folder), *arguments, self.model)
            return [json.loads(text)[name] for name in ("images", "overall", "folders")]

        self.assert_same(measure)

    def test_import_measures_precisions(self):
        self.write_photographs(40)
        other = self.path("other.safetensors")
        random_model.write_teacher(other, seed=2)

        def measure(folder, *arguments):
            out = self.path("out.safetensors")
            self.succeed("import", self.model, "-o", out, "--reference", other, "--data",
                         self.path(folder), *arguments)
            _, metadata = colour_model.read_safetensors(out)
            return json.loads(metadata["vitgate"])["precision_agreement"]

        self.assert_same(measure)
        self.fail_with("--no-orientation needs --data", "import", self.model, "-o",
                       self.path("out.safetensors"), "--no-orientation")

    def trained(self, command, folder, *arguments):
        """Returns the tensors and what the provenance says of the orientation"""
        out = self.path(f"{folder}-{len(arguments)}-{command}.safetensors")
        result = self.run_command(command, "--data", self.path(folder), "--batch-size", "8", "-o",
                                  out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        tensors, metadata = colour_model.read_safetensors(out)
        return tensors, json.loads(metadata["vitgate"])["provenance"]["orientation"]

    def check_training(self, command, *arguments):
        self.write_photographs(24)
        upright, _ = self.trained(command, "upright", *arguments)
        stored, _ = self.trained(command, "stored", *arguments)
        self.assertNotEqual(upright, stored)
        self.assertEqual(self.trained(command, "tagged", *arguments), (upright, True))
        self.assertEqual(self.trained(command, "tagged", "--no-orientation", *arguments),
                         (stored, False))

    def test_train(self):
        self.check_training("train", "--from", self.model, "--steps", "2")

    def test_compress(self):
        self.check_training("compress", "--teacher", self.model, "--static-only", "--no-train",
                            "--precision", "float32")

    def test_a_run_resumes_only_with_the_same_orientation(self):
        self.write_photographs(8)
        run = ["train", "--from", self.model, "--data", self.path("tagged"), "--batch-size", "4",
               "--steps", "2", "-o", self.path("out.safetensors"), "--resume", self.path("run")]
        self.assertEqual(self.run_command(*run).returncode, 0)
        self.fail_with("orientation true, not false", *run, "--no-orientation")

    def test_a_photograph_of_a_phone(self):
        """A big-endian tag beside others in a JPEG file"""
        picture = self.path("picture.png")
        random_model.write_picture(picture, random.Random(1), side=64)
        image = Image.open(picture)
        exif = Image.Exif()
        exif.endian = ">"
        exif.update({0x10F: "maker", 0x110: "model", ORIENTATION: 6, 0x132: "2026:11:28 10:00:00"})
        content = io.BytesIO()
        image.save(content, "jpeg", exif=exif, quality=95)
        for folder in ("tagged", "upright"):
            os.makedirs(self.path(folder))
        with open(self.path("tagged", "a.jpg"), "wb") as file:
            file.write(content.getvalue())
        decoded = Image.open(io.BytesIO(content.getvalue()))
        ImageOps.exif_transpose(decoded).save(self.path("upright", "a.png"))
        for found, expected in zip(self.scores("tagged")[0], self.scores("upright")[0]):
            self.assertEqual(found["label"], expected["label"])
            # PIL's decoder rounds differently.
            self.assertAlmostEqual(found["score"], expected["score"], 2)


if __name__ == "__main__":
    unittest.main()
