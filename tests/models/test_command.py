"""Tests the command as users run it: its output, the input it rejects, and its exit status.

inspect, eval and compress have their own files.

Usage: test_command.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import math
import os
import shutil
import struct
import unittest

import colour_model
from command_case import CommandTest

# float32 arithmetic on numbers around one.
TOLERANCE = 1e-5


class MainTest(CommandTest):
    def test_help_lists_the_sub_commands(self):
        text = self.succeed("--help")
        for name in ("import", "inspect", "classify", "eval", "bench"):
            self.assertRegex(text, rf"(?m)^  {name} ")

    def test_every_sub_command_has_help(self):
        for name in ("import", "inspect", "classify", "eval", "bench"):
            with self.subTest(name):
                self.assertIn(f"vitgate {name} [OPTION", self.succeed(name, "--help"))

    def test_help_is_a_sub_command_too(self):
        self.assertEqual(self.succeed("help"), self.succeed("--help"))
        self.assertEqual(self.succeed("help", "classify"), self.succeed("classify", "--help"))
        result = self.run_command("help", "frobnicate")
        self.assertEqual(result.returncode, 1)
        self.assertIn('unknown sub-command or option "frobnicate"', result.stderr)

    def test_version(self):
        self.assertRegex(self.succeed("--version"), r"^vitgate \d+\.\d+")

    def test_unknown_and_missing_sub_commands(self):
        for arguments in ([], ["frobnicate"], ["--frobnicate"], [""]):
            with self.subTest(arguments):
                result = self.run_command(*arguments)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertTrue(result.stderr.startswith("vitgate: "))

    def test_unknown_options(self):
        for name in ("import", "inspect", "classify", "eval", "bench"):
            with self.subTest(name):
                self.fail_with("--frobnicate", name, "--frobnicate")

    @unittest.skipUnless(os.path.exists("/dev/full"), "/dev/full does not exist")
    def test_a_full_disk_at_stdout_is_reported(self):
        model = self.complete_model()
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.fail_with("standard output", "inspect", "--json", model, stdout=full)

    def test_messages_stay_on_one_line(self):
        self.fail_with("no such", "inspect", self.path("no such\nfile\x1b[31m"))


class BadModelTest(CommandTest):
    """Each sub-command that reads a model rejects the same files."""

    def setUp(self):
        super().setUp()
        self.picture = self.path("picture.png")
        colour_model.write_picture(self.picture, (1, 0, 0))
        self.write_colours("data")

    def assert_refused(self, model, part):
        data = self.path("data")
        out = self.path("out.safetensors")
        for arguments in (
            ["import", model, "-o", out],
            ["inspect", model],
            ["classify", "--model", model, self.picture],
            ["eval", "--data", data, model],
            ["bench", model],
        ):
            with self.subTest(arguments[0]):
                self.fail_with(part, *arguments)
        self.assertFalse(os.path.exists(out))

    def write_bytes(self, content):
        path = self.path("bad.safetensors")
        with open(path, "wb") as file:
            file.write(content)
        return path

    def read_weights(self):
        with open(self.weights, "rb") as file:
            return file.read()

    def test_missing(self):
        self.assert_refused(self.path("absent.safetensors"), "absent.safetensors")

    def test_folder(self):
        self.assert_refused(self.folder, self.folder)

    def test_empty(self):
        self.assert_refused(self.write_bytes(b""), "bad.safetensors")

    def test_another_file_format(self):
        self.assert_refused(self.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 5000), "bad.safetensors")

    def test_truncated(self):
        content = self.read_weights()
        self.assert_refused(self.write_bytes(content[: len(content) // 2]), "bad.safetensors")

    def test_lying_header_length(self):
        content = struct.pack("<Q", 1 << 60) + self.read_weights()[8:]
        self.assert_refused(self.write_bytes(content), "bad.safetensors")

    def test_missing_tensor(self):
        path = self.path("bad.safetensors")
        colour_model.write_model(path, norm__bias=None)
        self.assert_refused(path, "norm.bias")

    def test_tensor_of_the_wrong_shape(self):
        path = self.path("bad.safetensors")
        colour_model.write_model(path, norm__bias=([63], [0.0] * 63))
        self.assert_refused(path, "norm.bias")

    def test_weights_that_are_not_finite(self):
        for value in (math.nan, math.inf):
            path = self.path("bad.safetensors")
            colour_model.write_model(path, norm__bias=([64], [0.0] * 63 + [value]))
            self.assert_refused(path, "norm.bias")


class ImportTest(CommandTest):
    def test_keeps_every_tensor_and_describes_the_model(self):
        model = self.complete_model()
        before, _ = colour_model.read_safetensors(self.weights)
        after, metadata = colour_model.read_safetensors(model)
        self.assertEqual(before, after)
        description = json.loads(metadata["vitgate"])
        self.assertEqual(description["name"], "colour_model")
        self.assertEqual(description["labels"], colour_model.LABELS)
        self.assertEqual(description["label_ids"], colour_model.IDS)
        provenance = description["provenance"]
        self.assertEqual(provenance["source"], "weights.safetensors")
        self.assertEqual(provenance["license"], "MIT")
        self.assertEqual(provenance["note"], "for tests")
        self.assertRegex(provenance["imported_by"], r"^vitgate \d")

    def test_says_what_was_found(self):
        text = self.succeed("import", self.weights, "-o", self.path("out"))
        self.assertEqual(len(text.splitlines()), 3)
        for part in ("colour_model", "1 blocks", "32 x 32", "10 classes", "as float32",
                     "--data to measure"):
            self.assertIn(part, text)

    def test_options_override_the_file(self):
        model = self.complete_model(
            name="mine", resize="48", interpolation="bilinear", mean="0.5,0.25,0", std="1,0.5,0.125"
        )
        found = json.loads(self.succeed("inspect", "--json", model))
        self.assertEqual(found["model"], "mine")
        preprocessing = found["preprocessing"]
        self.assertEqual(preprocessing["resize"], 48)
        self.assertEqual(preprocessing["interpolation"], "bilinear")
        self.assertEqual(preprocessing["mean"], [0.5, 0.25, 0])
        self.assertEqual(preprocessing["std"], [1, 0.5, 0.125])

    def test_a_complete_file_can_be_changed(self):
        model = self.complete_model()
        self.succeed("import", model, "-o", model, "--name", "renamed")
        found = json.loads(self.succeed("inspect", "--json", model))
        self.assertEqual(found["model"], "renamed")
        self.assertEqual(found["provenance"]["source"], "weights.safetensors")
        self.assertTrue(found["labels"])

    def test_heads(self):
        model = self.path("out")
        self.succeed("import", self.weights, "-o", model, "--heads", "4")
        block = json.loads(self.succeed("inspect", "--json", model))["blocks"][0]
        self.assertEqual(block["heads"], 4)

    def test_reports_what_each_precision_loses_on_photographs(self):
        model = self.complete_model()
        self.write_colours("data")
        out = self.path("out")
        for arguments in ([], ["--reference", model]):
            with self.subTest(arguments):
                text = self.succeed("import", model, "--data", self.path("data"), *arguments, "-o", out)
                self.assertIn("products in int8: 100.0 %", text)
                found = json.loads(self.succeed("inspect", "--json", out))
                self.assertEqual(found["precision_agreement"]["float32"], 1)
                self.assertEqual(found["precision_agreement"]["int8"], 1)
                self.assertEqual(found["precision"], "int8")
        self.assertNotIn("out.measured", os.listdir(self.folder))

    def test_a_reference_of_other_classes(self):
        other = self.path("other.safetensors")
        colour_model.write_model(other, head__weight=([3, 64], [0.0] * 192), head__bias=([3], [0.0] * 3))
        self.write_colours("data")
        out = self.path("out")
        self.fail_with("3 classes", "import", self.weights, "--data", self.path("data"),
                       "--reference", other, "-o", out)
        self.assertFalse(os.path.exists(out))

    def test_bad_arguments(self):
        out = self.path("out")
        few = self.path("few.txt")
        with open(few, "w", encoding="utf-8") as file:
            file.write("one\ntwo\n")
        for part, arguments in (
            ("expected one weights file, got 0", ["-o", out]),
            ("expected one weights file, got 2", ["-o", out, self.weights, self.weights]),
            ("--output", [self.weights]),
            ("absent", ["-o", out, self.weights, "--labels", self.path("absent")]),
            ("10", ["-o", out, self.weights, "--labels", few]),
            ("--mean", ["-o", out, self.weights, "--mean", "0.5,0.5"]),
            ("--mean", ["-o", out, self.weights, "--mean", "a,b,c"]),
            ("--mean", ["-o", out, self.weights, "--mean", "0.5,0.5,nan"]),
            ("--mean", ["-o", out, self.weights, "--mean", "0.5,,0.5"]),
            ("--std", ["-o", out, self.weights, "--std", "0,1,1"]),
            ("--interpolation", ["-o", out, self.weights, "--interpolation", "nearest"]),
            ("--resize", ["-o", out, self.weights, "--resize", "31"]),
            ("--resize", ["-o", out, self.weights, "--resize", "-1"]),
            ("--resize", ["-o", out, self.weights, "--resize", "many"]),
            ("--heads", ["-o", out, self.weights, "--heads", "-1"]),
            ("--reference needs --data", ["-o", out, self.weights, "--reference", few]),
            ("absent", ["-o", out, self.weights, "--data", self.path("absent")]),
            ("heads", ["-o", out, self.weights, "--heads", "7"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "import", *arguments)
                self.assertFalse(os.path.exists(out))

    def test_output_that_cannot_be_written(self):
        for out in (self.path("absent", "out"), self.folder, "/dev/null", "/proc/out"):
            with self.subTest(out):
                self.fail_with(out, "import", self.weights, "-o", out)
        self.assertFalse(os.path.isfile("/dev/null"))

    def test_a_failure_keeps_the_existing_file(self):
        out = self.path("out")
        with open(out, "w", encoding="utf-8") as file:
            file.write("before")
        self.fail_with("--mean", "import", self.weights, "-o", out, "--mean", "x")
        with open(out, encoding="utf-8") as file:
            self.assertEqual(file.read(), "before")
        self.assertEqual([f for f in os.listdir(self.folder) if f.startswith(".")], [])


class ClassifyTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.complete_model()
        self.files = [self.path(name) for name in self.write_colours("pictures")]

    def test_finds_the_colours(self):
        text = self.succeed("classify", "--json", "-m", self.model, "--top-k", "3", *self.files)
        found = json.loads(text)
        self.assertEqual(len(found["images"]), len(self.files))
        for index, image in enumerate(found["images"]):
            self.assertEqual(image["file"], self.files[index])
            self.assertEqual(len(image["classes"]), 3)
            best = image["classes"][0]
            self.assertEqual(best["index"], index)
            self.assertEqual(best["label"], colour_model.LABELS[index])
            self.assertEqual(best["id"], colour_model.IDS[index])
            scores = [entry["score"] for entry in image["classes"]]
            self.assertEqual(scores, sorted(scores, reverse=True))
            self.assertAlmostEqual(image["gmacs"], colour_model.MACS * 1e-9, 9)

    def test_text(self):
        lines = self.succeed("classify", "-m", self.model, "-k", "2", *self.files).splitlines()
        self.assertEqual(len(lines), 3 * len(self.files))
        self.assertEqual(lines[0], self.files[0])
        self.assertRegex(lines[1], r"^ +\d+\.\d %  black$")

    def test_precision(self):
        for name in ("float32", "int8"):
            text = self.succeed("classify", "--json", "-m", self.model, "--precision", name,
                                *self.files)
            found = json.loads(text)
            self.assertEqual(found["precision"], name)
            self.assertEqual([image["classes"][0]["index"] for image in found["images"]],
                             list(range(len(self.files))))
        self.fail_with("\"int4\"", "classify", "-m", self.model, "--precision", "int4",
                       self.files[0])

    def test_all_classes_sum_to_one(self):
        text = self.succeed("classify", "--json", "-m", self.model, "-k", "1000", self.files[0])
        scores = [entry["score"] for entry in json.loads(text)["images"][0]["classes"]]
        self.assertEqual(len(scores), colour_model.N_CLASSES)
        self.assertAlmostEqual(sum(scores), 1, delta=TOLERANCE)

    def test_a_bad_image_does_not_hide_the_others(self):
        bad = self.path("bad.png")
        with open(bad, "wb") as file:
            file.write(b"no picture")
        text = self.fail_with("bad.png", "classify", "-m", self.model, bad, self.files[1])
        self.assertIn("blue", text)
        text = self.fail_with("bad.png", "classify", "--json", "-m", self.model, bad, self.files[1])
        self.assertEqual(len(json.loads(text)["images"]), 1)

    def test_invalid_images(self):
        empty = self.path("empty.png")
        with open(empty, "wb"):
            pass
        huge = self.path("huge.ppm")
        with open(huge, "wb") as file:
            file.write(b"P6 32768 1 255\n" + bytes(32768 * 3))
        for part, file in (
            ("absent.png", self.path("absent.png")),
            ("empty", empty),
            ("32768 x 1", huge),
        ):
            with self.subTest(file):
                self.fail_with(part, "classify", "-m", self.model, file)

    def test_a_folder_stands_for_all_images_in_it(self):
        self.write_colours("pictures/more")
        with open(self.path("pictures", "notes.txt"), "w", encoding="utf-8"):
            pass
        folder = self.path("pictures")
        text = self.succeed("classify", "--json", "-m", self.model, folder, self.files[0], notes=1)
        files = [image["file"] for image in json.loads(text)["images"]]
        self.assertEqual(len(files), 2 * len(self.files) + 1)
        self.assertEqual(set(files), {os.path.join(place, name)
                                      for place, _, names in os.walk(folder) for name in names
                                      if name != "notes.txt"})
        self.assertEqual(files[-1], self.files[0])
        os.mkdir(self.path("empty"))
        self.fail_with("empty: holds no images", "classify", "-m", self.model, self.path("empty"))

    def test_a_video_is_recognised_and_the_command_for_it_is_named(self):
        for name in "my clip.mp4", "clip":
            video = self.path(name)
            with open(video, "wb") as file:
                file.write(b"\0\0\0\x18ftypisom" + bytes(64))
            self.fail_with(
                f"{video}: is a video; classify reads images. For the labels of its frames, run: "
                f"gst-launch-1.0 -q filesrc location='{video}' ! decodebin ! "
                f"vitgate model='{self.model}' ! vitgatejson format=text ! fdsink",
                "classify", "-m", self.model, video)

    def test_missing_labels_are_noted(self):
        result = self.run_command("classify", "-m", self.weights, self.files[0])
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn(f"vitgate import --labels LABELS {self.weights} -o OUT", result.stderr)

    def test_default_model(self):
        shutil.copy(self.model, self.path("deit-tiny-imagenet1k.safetensors"))
        environment = dict(os.environ, VITGATE_MODEL_DIR=self.folder)
        text = self.succeed("classify", self.files[2], env=environment)
        self.assertIn("green", text)

    def test_no_default_model(self):
        environment = dict(os.environ, VITGATE_MODEL_DIR=self.path("absent"))
        self.fail_with("--model", "classify", self.files[2], env=environment)
        self.fail_with("meson devenv -C build -w .", "classify", self.files[2], env=environment)

    def test_bad_arguments(self):
        for part, arguments in (
            ("no image", []),
            ("--top-k", ["-k", "0", "x.png"]),
            ("--top-k", ["-k", "-3", "x.png"]),
            ("--threads", ["-t", "0", "x.png"]),
            ("--threads", ["-t", "65", "x.png"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "classify", "-m", self.model, *arguments)


class BenchTest(CommandTest):
    def assert_report(self, found):
        times = found["ms_per_image"]
        self.assertGreater(times["min"], 0)
        self.assertLessEqual(times["min"], times["median"])
        self.assertLessEqual(times["median"], times["p95"])
        self.assertGreater(found["images_per_second"], 0)
        self.assertGreater(found["gmacs_per_second"], 0)
        self.assertAlmostEqual(
            found["gmacs_per_second"],
            found["images_per_second"] * colour_model.MACS * 1e-9,
            delta=1e-6 * found["gmacs_per_second"] + 1e-9,
        )
        # Missing if OpenBLAS is not installed.
        if found["sgemm_gmacs_per_second"] is not None:
            self.assertGreater(found["sgemm_gmacs_per_second"], found["gmacs_per_second"])
            self.assertGreater(found["share_of_sgemm"], 0)

    def test_drawn_frame(self):
        text = self.run_command("bench", "--json", "--seconds", "0.2", self.weights).stdout
        found = json.loads(text)
        self.assert_report(found)
        self.assertTrue(found["synthetic"])
        self.assertEqual((found["threads"], found["batch_size"]), (1, 1))

    def test_photographs_in_batches(self):
        self.write_colours("data")
        found = json.loads(
            self.run_command(
                "bench", "--json", "--seconds", "0.2", "--threads", "2", "--batch-size", "3",
                "--data", self.path("data"), self.weights,
            ).stdout
        )
        self.assert_report(found)
        self.assertFalse(found["synthetic"])
        self.assertEqual(found["frames"], 8)
        self.assertEqual((found["threads"], found["batch_size"]), (2, 3))

    def test_text(self):
        text = self.run_command("bench", "--seconds", "0.1", self.weights).stdout
        self.assertIn("images per second", text)

    def test_a_mask_names_an_unknown_feature(self):
        environment = {**os.environ, "VITGATE_CPU_MASK": "avx2,avx51"}
        environment.pop("G_DEBUG", None)
        arguments = ("bench", "--parts", "--seconds", "0.1", self.weights)
        result = self.run_command(*arguments, env=environment)
        self.assertEqual(result.returncode, 0)
        self.assertIn('unknown feature "avx51" is ignored; expected sse4.1, avx2', result.stderr)

    def test_parts_have_all_multiply_adds_and_all_time(self):
        arguments = ["--parts", "--seconds", "0.1", self.weights]
        found = json.loads(self.run_command("bench", "--json", *arguments).stdout)
        parts = found["parts"].values()
        self.assertAlmostEqual(sum(part["gmacs"] for part in parts), colour_model.MACS * 1e-9, 12)
        self.assertAlmostEqual(sum(part["share"] for part in parts), 1)
        for name in ("preprocessing", "norm", "products", "fc1", "softmax"):
            self.assertGreater(found["parts"][name]["ms"], 0, name)
        self.assertRegex(self.run_command("bench", *arguments).stdout, r"\n  softmax +[\d.]+ ")

    def test_bad_arguments(self):
        for part, arguments in (
            ("got 0", []),
            ("--threads", [self.weights, "--threads", "0"]),
            ("--batch-size", [self.weights, "--batch-size", "-1"]),
            ("--seconds", [self.weights, "--seconds", "0"]),
            ("--seconds", [self.weights, "--seconds", "nan"]),
            ("absent", [self.weights, "--data", self.path("absent")]),
            ("--train", [self.weights, "--parts", "--train"]),
            ("more threads", [self.weights, "--parts", "--threads", "2"]),
            ("larger batches", [self.weights, "--parts", "--batch-size", "2"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "bench", *arguments)


if __name__ == "__main__":
    unittest.main()
