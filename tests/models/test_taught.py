"""Tests what commands do with the parts of a model file that `vitgate teach` adds.

Usage: test_taught.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import unittest

import colour_model
import random_model
import taught_model
from command_case import CommandTest

ADDED = ("unknown.", "teach.")
FIELDS = ("unknown", "teach", "thresholds")


def added(entries):
    return {name: entry for name, entry in entries.items() if name.startswith(ADDED)}


class TaughtCase(CommandTest):
    def setUp(self):
        super().setUp()
        base, self.model = self.path("base.safetensors"), self.path("taught.safetensors")
        random_model.write_teacher(base)
        taught_model.teach(base, self.model)
        self.out = self.path("out.safetensors")

    def multi_label(self):
        """Returns a taught model with the classes red, green and blue"""
        weights, base = self.path("channels"), self.path("channel-base.safetensors")
        colour_model.write_safetensors(weights, colour_model.channel_tensors())
        self.succeed("import", weights, "--activation", "sigmoid", "-o", base)
        model = self.path("channels.safetensors")
        taught_model.teach(base, model, thresholds=[0.25, 0.5, 0.875])
        return model


class ImportTest(TaughtCase):
    def test_all_is_kept(self):
        for model in (self.model, self.multi_label()):
            self.succeed("import", model, "-o", self.out)
            before, after = taught_model.describe(model), taught_model.describe(self.out)
            for field in FIELDS:
                self.assertEqual(after.get(field), before.get(field))
            self.assertEqual(colour_model.read_safetensors(self.out)[0],
                             colour_model.read_safetensors(model)[0])

    def test_other_precisions_store_the_score_in_half_floats_and_keep_the_features(self):
        before = added(colour_model.read_safetensors(self.model)[0])
        for precision in ("bf16", "int8"):
            with self.subTest(precision):
                self.succeed("import", self.model, "--precision", precision, "-o", self.out)
                after = added(colour_model.read_safetensors(self.out)[0])
                self.assertEqual(after.keys(), before.keys())
                for name, entry in after.items():
                    if name.startswith("teach."):
                        self.assertEqual(entry, before[name])
                    else:
                        self.assertEqual(entry[:2], ("F16", before[name][1]))
                self.succeed("inspect", self.out)

    def test_another_image_size_is_refused(self):
        self.fail_with("was taught with images of 32 pixels", "import", self.model, "--image-size",
                       "64", "-o", self.out)
        self.succeed("import", self.model, "--image-size", "32", "-o", self.out)

    def test_a_softmax_has_no_thresholds(self):
        self.succeed("import", self.multi_label(), "--activation", "softmax", "-o", self.out,
                     notes=1)
        self.assertNotIn("thresholds", taught_model.describe(self.out))
        self.succeed("inspect", self.out)

    def test_stored_features_that_are_not_finite_are_refused(self):
        entries, metadata = colour_model.read_safetensors(self.model)
        scale = taught_model.floats(*[0.25] * 5, float("inf"))
        entries["teach.features_scale"] = ("F32", [6], scale)
        taught_model.write_raw(self.model, entries, metadata)
        self.fail_with("tensor 'teach.features_scale' holds inf at element 5", "import", self.model,
                       "-o", self.out)
        self.assertFalse(os.path.exists(self.out))


class ExportTest(TaughtCase):
    def test_nothing_is_exported_and_each_part_is_named(self):
        for model, notes in ((self.model, 2), (self.multi_label(), 3)):
            for arguments in ([], ["--onnx"]):
                self.succeed("export", model, *arguments, "-o", self.out, notes=notes)
            self.succeed("export", model, "-o", self.out, notes=notes)
            self.assertEqual(added(colour_model.read_safetensors(self.out)[0]), {})


class InspectTest(TaughtCase):
    def test_each_part_has_a_line(self):
        text = self.succeed("inspect", self.multi_label())
        self.assertIn("thresholds: one for each class, from 0.250 to 0.875\n", text)
        self.assertIn("median 4, 95 % below 8\n", text)
        self.assertIn("features of 6 views, 64 values each\n", text)

    def test_json_has_all_numbers(self):
        found = json.loads(self.succeed("inspect", "--json", self.multi_label()))
        self.assertEqual(found["unknown"], {"median": 4, "limit": 8})
        self.assertEqual(found["thresholds"], [0.25, 0.5, 0.875])
        self.assertEqual(found["stored_views"], 6)
        found = json.loads(self.succeed("inspect", "--json", self.weights))
        self.assertEqual((found["unknown"], found["thresholds"], found["stored_views"]),
                         (None, None, 0))

    def test_the_score_is_part_of_the_compute(self):
        dim, n = random_model.DIM, len(random_model.LABELS)
        base, taught = (json.loads(self.succeed("inspect", "--json", model))
                        for model in (self.path("base.safetensors"), self.model))
        self.assertAlmostEqual(taught["gmacs"]["model"] - base["gmacs"]["model"],
                               1e-9 * dim * (dim + n), 12)
        self.assertEqual(taught["dense"]["heads"], base["dense"]["heads"])


class ColoursCase(CommandTest):
    """A model taught with pure colours, and pictures of these and of grey"""

    def setUp(self):
        super().setUp()
        self.model = self.path("colours.safetensors")
        taught_model.write_colours(self.model)
        for name, pixel in (("red", (245, 10, 10)), ("blue", (10, 10, 245)), ("grey", [128] * 3)):
            os.makedirs(self.path("data", name))
            for i in range(2):
                colour_model.write_png(self.path("data", name, f"{i}.png"), 40,
                                       bytes(pixel) * 40 * 36)


class ClassifyTest(ColoursCase):
    def classify(self, *arguments):
        found = json.loads(self.succeed("classify", "--json", "-m", self.model, *arguments))
        return found["images"][0]

    def test_another_picture_is_unknown(self):
        red, grey = (self.path("data", name, "0.png") for name in ("red", "grey"))
        text = self.succeed("classify", "-m", self.model, red, grey)
        self.assertRegex(text, r"grey/0.png\n +99\.\d %  unknown; among the classes:\n +\d+\.\d %")
        self.assertEqual(text.count("unknown"), 1)
        found = self.classify(grey)
        self.assertTrue(found["is_unknown"] and found["unknown"] > 0.99 and found["classes"])
        found = self.classify(red)
        self.assertTrue(not found["is_unknown"] and found["unknown"] < 0.5)
        self.assertEqual(found["classes"][0]["label"], "red")

    def test_the_threshold_can_be_set(self):
        red, grey = (self.path("data", name, "0.png") for name in ("red", "grey"))
        self.assertFalse(self.classify(grey, "--unknown-threshold", "0")["is_unknown"])
        self.assertFalse(self.classify(grey, "--unknown-threshold", "1")["is_unknown"])
        score = self.classify(red)["unknown"]
        self.assertTrue(self.classify(red, "--unknown-threshold", str(score))["is_unknown"])
        self.assertFalse(self.classify(red, "--unknown-threshold", str(score + 1e-6))["is_unknown"])
        for wrong in ("-0.1", "1.5", "nan"):
            self.fail_with("--unknown-threshold must be from 0 to 1", "classify", "-m", self.model,
                           "--unknown-threshold=" + wrong, red)

    def test_a_model_without_a_score(self):
        found = json.loads(self.succeed("classify", "--json", "-m", self.complete_model(),
                                        self.path("data", "grey", "0.png")))["images"][0]
        self.assertIsNone(found["unknown"])
        self.assertFalse(found["is_unknown"])

    def test_each_class_has_the_threshold_of_the_model(self):
        model = self.path("channels.safetensors")
        taught_model.write_channels(model, [0.25, 0.5, 0.875])
        picture = self.path("white.png")
        colour_model.write_picture(picture, (1, 1, 1))

        def labels(*arguments):
            found = json.loads(self.succeed("classify", "--json", "-m", model, picture, *arguments))
            return [entry["label"] for entry in found["images"][0]["classes"]]

        self.assertEqual(labels(), ["red", "green"])
        self.assertEqual(labels("--top-k", "1"), ["red"])
        self.assertEqual(labels("--threshold", "0.5"), ["red", "green", "blue"])


class EvalTest(ColoursCase):
    def test_photographs_taken_for_none_of_the_classes_are_counted(self):
        data = self.path("data")
        found = json.loads(self.succeed("eval", "--json", "--data", data, self.model, notes=1))
        unknown = found["unknown"]
        self.assertEqual(unknown["threshold"], 0.95)
        self.assertEqual(unknown["of_classes"], {"images": 4, "unknown": 0, "percent": 0})
        self.assertEqual(unknown["of_others"], {"images": 2, "unknown": 2, "percent": 100})
        self.assertEqual(unknown["of_unlabelled"], {"images": 0, "unknown": 0, "percent": None})
        text = self.succeed("eval", "--data", data, self.model, notes=1)
        self.assertIn("\nunknown, with a score of 0.95 and more\n"
                      "  0 of 4 photographs of classes of the model: 0.0 %\n"
                      "  2 of 2 photographs of other things: 100.0 %\n", text)

    def test_the_threshold_can_be_set(self):
        found = json.loads(self.succeed("eval", "--json", "--data", self.path("data"), self.model,
                                        "--unknown-threshold", "0", notes=1))
        self.assertEqual(found["unknown"]["of_others"]["unknown"], 0)
        self.fail_with("--unknown-threshold must be from 0 to 1", "eval", "--data",
                       self.path("data"), self.model, "--unknown-threshold", "2")

    def test_lists_and_photographs_without_a_label(self):
        lines = [("red/0.png", 4, "n00000004"), ("grey/0.png", 20, "n99999999"),
                 ("grey/1.png", -1, "-")]
        self.write_labels_tsv("data", lines)
        found = json.loads(self.succeed("eval", "--json", "--data", self.path("data"), self.model,
                                        notes=1))["unknown"]
        self.assertEqual(found["of_classes"]["images"], 1)
        self.assertEqual(found["of_others"]["images"], 1)
        self.assertEqual(found["of_unlabelled"]["images"], 4)

    def test_a_model_without_a_score(self):
        model = self.complete_model()
        found = json.loads(self.succeed("eval", "--json", "--data", self.path("data"), model,
                                        notes=1))
        self.assertIsNone(found["unknown"])
        self.assertNotIn("unknown", self.succeed("eval", "--data", self.path("data"), model,
                                                 notes=1))


class StudentTest(TaughtCase):
    def check(self, *arguments):
        """Checks that the student has nothing of its teacher's features, and that this is said"""
        data = self.path("data")
        random_model.write_pictures(data, 10)
        result = self.run_command(*arguments, "--data", data, "-o", self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.count("run vitgate teach on the result"), 1, result.stderr)
        self.assertEqual(added(colour_model.read_safetensors(self.out)[0]), {})
        description = taught_model.describe(self.out)
        for field in FIELDS:
            self.assertNotIn(field, description)
        self.succeed("inspect", self.out)
        return description

    def test_a_student_has_the_labels_alone(self):
        description = self.check("compress", "--teacher", self.model, "--target", "0.7",
                                 "--static-only", "--no-train")
        self.assertEqual(description["labels"], random_model.LABELS)

    def test_a_student_for_some_classes_has_theirs(self):
        classes = self.path("classes.txt")
        with open(classes, "w", encoding="utf-8") as file:
            file.write("stork\npike\n")
        description = self.check("compress", "--teacher", self.model, "--target", "0.7",
                                 "--static-only", "--no-train", "--classes", classes)
        self.assertEqual(description["labels"], ["stork", "pike"])

    def test_training_continues_without_them(self):
        description = self.check("train", "--from", self.model, "--steps", "1", "--batch-size", "2")
        self.assertEqual(description["labels"], random_model.LABELS)


if __name__ == "__main__":
    unittest.main()
