"""Tests vitgate train as users run it: networks with fresh weights learn to distinguish colours.

Usage: test_train.py [unittest's arguments]; $VITGATE is the command.
"""

import array
import json
import os
import random
import signal
import subprocess
import unittest

import colour_model
import gated_model
from command_case import VITGATE, CommandTest

# A T2T-ViT's stem sees differences within a window, so black and white look almost the same.
COLOURS = [colour for colour in colour_model.COLOURS if colour[0] not in ("black", "white")]
IDS = [colour_model.IDS[colour_model.LABELS.index(colour[0])] for colour in COLOURS]
VARIANT = ["--variant", "t2t_vit_7", "--image-size", "32"]


class TrainTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.classes = self.path("classes.txt")
        with open(self.classes, "w", encoding="utf-8") as file:
            for name, (colour, *_) in zip(IDS, COLOURS):
                file.write(f"{name}\t{colour}\n")
        self.pictures = self.path("pictures")
        self.write_shades(self.pictures, 10, seed=1)
        self.out = self.path("model.safetensors")

    def write_shades(self, folder, n, seed):
        """Writes n different pictures of each colour, made of small patches"""
        rng = random.Random(seed)
        for name, (_, *corner) in zip(IDS, COLOURS):
            os.makedirs(os.path.join(folder, name))
            for i in range(n):
                rows = [[[rng.randrange(150, 256) if c else rng.randrange(100) for c in corner]
                         for _ in range(12)] for _ in range(12)]
                pixels = bytes(v for row in rows for _ in range(3) for pixel in row
                               for v in pixel * 3)
                colour_model.write_png(os.path.join(folder, name, f"{i}.png"), 36, pixels)

    def arguments(self, *more, steps=40, out=None):
        return ["train", "--data", self.pictures, "--batch-size", "8", "--steps", str(steps),
                "-o", out or self.out, *more]

    def train(self, *more, **options):
        arguments = self.arguments(*more, **options)
        result = self.run_command(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(options.get("out") or self.out, "rb") as file:
            return file.read()

    def labels_only(self):
        return [*VARIANT, "--classes", self.classes]

    def top1(self, model):
        """Returns Top-1 on pictures not used for training"""
        fresh = self.path("fresh")
        if not os.path.exists(fresh):
            self.write_shades(fresh, 10, seed=2)
        found = json.loads(self.succeed("eval", "--json", "--data", fresh, model))
        self.assertEqual(found["images"], 10 * len(COLOURS))
        return found["overall"]["top1"]

    def inspect(self, model):
        return json.loads(self.succeed("inspect", "--json", model))


class ResultTest(TrainTest):
    def test_a_t2t_learns_from_labels_and_teaches_another_architecture(self):
        self.train(*self.labels_only(), steps=80)
        self.assertGreater(self.top1(self.out), 80)  # chance is 17
        found = self.inspect(self.out)
        self.assertEqual(found["family"], "t2t")
        self.assertEqual(found["model"], "model")  # named after its file
        self.assertEqual(found["classes"], len(COLOURS))
        self.assertEqual(found["provenance"]["variant"], "t2t_vit_7")
        with open(self.out + ".training/log.jsonl", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        losses = [line["labels"] for line in lines if "labels" in line]
        self.assertLess(losses[-1], 0.7 * losses[0])
        self.check_teaching(self.out)

    def check_teaching(self, teacher):
        """Trains on pictures without labels"""
        unlabelled, pupil = self.path("unlabelled"), self.path("pupil.safetensors")
        os.mkdir(unlabelled)
        for name in IDS:
            for file in os.listdir(os.path.join(self.pictures, name)):
                os.rename(os.path.join(self.pictures, name, file),
                          os.path.join(unlabelled, f"{name}-{file}"))
        self.pictures = unlabelled
        self.train("--variant", "deit_tiny_patch16_224", "--image-size", "32", "--teacher", teacher,
                   "--mixup", "0.3", steps=80, out=pupil)
        self.assertGreater(self.top1(pupil), 80)
        found = self.inspect(pupil)
        self.assertEqual(found["family"], "vit")
        self.assertEqual(found["provenance"]["teacher"], "model.safetensors")

    def test_training_can_start_from_a_model(self):
        first = self.path("first.safetensors")
        self.train(*self.labels_only(), steps=3, out=first)
        few = self.path("few.txt")
        with open(few, "w", encoding="utf-8") as file:
            file.write("red\ngreen\nblue\n")
        self.train("--from", first, "--classes", few, "--learning-rate", "1e-5", steps=2)
        found = self.inspect(self.out)
        self.assertEqual(found["classes"], 3)
        self.assertEqual(found["provenance"]["from"], "first.safetensors")
        self.assertEqual(found["provenance"]["of_from"], self.inspect(first)["provenance"])

    def test_unknown_classes_give_a_model_a_fresh_head(self):
        first = self.path("first.safetensors")
        self.train(*self.labels_only(), steps=3, out=first)
        hues = self.path("hues.txt")
        with open(hues, "w", encoding="utf-8") as file:
            for name in [*IDS, "n99999999"]:
                file.write(f"{name}\thue {name}\n")
        result = self.run_command(
            *self.arguments("--from", first, "--classes", hues, "--learning-rate", "1e-9", steps=1))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("the head starts from fresh weights: " + hues, result.stderr)
        self.assertIn("'n99999999' is not a class of the model", result.stderr)
        before, after = self.inspect(first), self.inspect(self.out)
        self.assertEqual(after["classes"], len(COLOURS) + 1)
        self.assertEqual(after["parameters"] - before["parameters"], 256 + 1)
        self.assertEqual(after["dense"]["parameters"], after["parameters"])
        self.assertAlmostEqual(after["gmacs"]["dense"] - before["gmacs"]["dense"], 256e-9, 12)
        old, new = (array.array("f", colour_model.read_safetensors(path)[0]["norm.weight"][2])
                    for path in (first, self.out))
        self.assertLess(max(abs(a - b) for a, b in zip(old, new)), 1e-6)
        self.assertGreater(max(abs(a - 1) for a in old), 1e-5)  # it was trained

    def test_progress_does_not_mention_gates(self):
        result = self.run_command(*self.arguments(*self.labels_only(), steps=1))
        self.assertIn("step 1/1", result.stderr)
        self.assertNotIn("compute", result.stderr)
        self.assertNotIn("gates", result.stderr)

    def test_it_is_a_teacher_for_compress(self):
        taught, small = self.path("taught.safetensors"), self.path("small.safetensors")
        self.train("--from", self.complete_model(), steps=2, out=taught)
        result = self.run_command(
            "compress", "--teacher", taught, "--data", self.pictures, "--target", "0.9",
            "--static-only", "--batch-size", "8", "--steps", "2", "-o", small)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = self.inspect(small)
        self.assertLess(found["gmacs"]["model"], 0.91 * found["gmacs"]["dense"])
        self.assertTrue(found["provenance"]["of_teacher"]["made_by"].startswith("vitgate train"))


class SeedTest(TrainTest):
    def test_the_result_depends_on_the_seed(self):
        once = self.train(*self.labels_only(), "--seed", "3", steps=3)
        again = self.train(*self.labels_only(), "--seed", "3", steps=3)
        other = self.train(*self.labels_only(), "--seed", "4", steps=3)
        self.assertEqual(once, again)
        self.assertNotEqual(once, other)

    def test_a_resumed_run_ends_like_an_uninterrupted_one(self):
        unbroken = self.train(*self.labels_only(), steps=40)
        out = self.path("again.safetensors")
        same = [*self.labels_only(), "--name", "model"]
        arguments = self.arguments(*same, steps=40, out=out)
        process = subprocess.Popen([VITGATE, *arguments], stderr=subprocess.PIPE, encoding="utf-8")
        for line in process.stderr:
            if line.startswith("step "):
                break
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 1)
        self.assertIn("continue with --resume", rest)
        self.assertFalse(os.path.exists(out))
        resumed = self.train(*same, "--resume", out + ".training", steps=40, out=out)
        self.assertEqual(resumed, unbroken)


class BadInputTest(TrainTest):
    def test_missing_options(self):
        self.fail_with("expected either --variant or --from",
                       *self.arguments("--classes", self.classes))
        self.fail_with("expected either --variant or --from", *self.arguments(
            *self.labels_only(), "--from", self.weights))
        self.fail_with("--classes is missing", *self.arguments(*VARIANT))
        self.fail_with("--steps or --time-limit", *self.arguments(*self.labels_only(), steps=0))
        self.fail_with("--output", "train", *VARIANT)
        self.fail_with("absent", *self.arguments("--from", self.path("absent")))

    def test_an_unknown_variant_lists_the_known_ones(self):
        text = "expected one of deit_tiny_patch16_224, "
        self.fail_with(text, *self.arguments("--variant", "resnet50", "--classes", self.classes))

    def test_image_sizes(self):
        self.fail_with("a multiple of 16", *self.arguments(
            "--variant", "t2t_vit_7", "--image-size", "40", "--classes", self.classes))
        self.fail_with("--image-size needs --variant", *self.arguments(
            "--from", self.weights, "--image-size", "32"))

    def test_a_teacher_with_another_image_size(self):
        teacher = self.complete_model()
        self.fail_with("the image size is 32, expected 224 as for t2t_vit_7",
                       *self.arguments("--variant", "t2t_vit_7", "--teacher", teacher))

    def test_a_teacher_with_other_pre_processing_or_classes(self):
        teacher, other = self.complete_model(), self.path("other.safetensors")
        self.succeed("import", self.weights, "--labels", self.labels, "--mean", "0.1,0.2,0.3",
                     "-o", other)
        self.fail_with("another mean", *self.arguments("--from", other, "--teacher", teacher))
        first = self.path("first.safetensors")
        self.train(*self.labels_only(), steps=1, out=first)
        self.fail_with("with --classes", *self.arguments("--from", first, "--teacher", teacher))

    def test_no_labels_and_no_teacher(self):
        plain = self.path("plain")
        os.mkdir(plain)
        colour_model.write_picture(os.path.join(plain, "red.png"), (1, 0, 0))
        self.pictures = plain
        self.fail_with("no photograph shows a class of the model",
                       *self.arguments(*self.labels_only()))

    def test_mixup_without_a_teacher(self):
        self.fail_with("--mixup needs --teacher",
                       *self.arguments(*self.labels_only(), "--mixup", "0.5"))

    def test_a_model_with_gates(self):
        gated = self.path("gated.safetensors")
        gated_model.write_model(gated)
        self.fail_with("has gates", *self.arguments("--from", gated))


if __name__ == "__main__":
    unittest.main()
