"""The command as users run it: what it prints, what it refuses, and with which exit status.

Usage: test_command.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import math
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import unittest

import colour_model

VITGATE = os.environ.get("VITGATE", "vitgate")

# float32 arithmetic on numbers of the order of one, and GMACs printed from doubles.
TOLERANCE = 1e-5


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vitgate-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.weights = self.path("weights.safetensors")
        colour_model.write_model(self.weights)
        self.labels = self.path("labels.txt")
        with open(self.labels, "w", encoding="utf-8") as file:
            for pair in zip(colour_model.IDS, colour_model.LABELS):
                file.write("\t".join(pair) + "\n")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run_command(self, *arguments, **options):
        return subprocess.run(
            [VITGATE, *arguments],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=120,
            check=False,
            **options,
        )

    def succeed(self, *arguments, notes=0, **options):
        """Returns what was printed; @notes lines on stderr are expected"""
        result = self.run_command(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), notes, result.stderr)
        return result.stdout

    def fail_with(self, part, *arguments, **options):
        """Exit status 1, and one line that names the sub-command and says what is wrong"""
        result = self.run_command(*arguments, **options)
        self.assertEqual(result.returncode, 1, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith(f"vitgate {arguments[0]}: "), lines[0])
        self.assertIn(part, lines[0])
        return result.stdout

    def complete_model(self, **options):
        model = self.path("model.safetensors")
        arguments = ["import", self.weights, "-o", model, "--labels", self.labels]
        for name, value in options.items():
            arguments += ["--" + name, value]
        self.succeed(*arguments)
        return model

    def write_colours(self, folder, names=None):
        """One picture a colour in @folder; returns the names of the files"""
        os.makedirs(self.path(folder), exist_ok=True)
        files = []
        for index, (name, *corner) in enumerate(colour_model.COLOURS):
            file = f"{folder}/{names[index] if names else name + '.png'}"
            os.makedirs(os.path.dirname(self.path(file)), exist_ok=True)
            colour_model.write_picture(self.path(file), corner)
            files.append(file)
        return files

    def write_labels_tsv(self, folder, lines):
        with open(self.path(folder, "labels.tsv"), "w", encoding="utf-8") as file:
            file.write("file\tclass_index\twnid\n")
            for line in lines:
                file.write("\t".join(str(field) for field in line) + "\n")


class MainTest(CommandTest):
    def test_help_lists_the_sub_commands(self):
        text = self.succeed("--help")
        for name in ("import", "inspect", "classify", "eval", "bench"):
            self.assertRegex(text, rf"(?m)^  {name} ")

    def test_every_sub_command_has_help(self):
        for name in ("import", "inspect", "classify", "eval", "bench"):
            with self.subTest(name):
                self.assertIn(f"vitgate {name} [OPTION", self.succeed(name, "--help"))

    def test_version(self):
        self.assertRegex(self.succeed("--version"), r"^vitgate \d+\.\d+")

    def test_unknown_sub_commands_and_none(self):
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

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_full_disk_behind_stdout_is_told(self):
        model = self.complete_model()
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.fail_with("standard output", "inspect", "--json", model, stdout=full)

    def test_messages_stay_one_line(self):
        self.fail_with("no such", "inspect", self.path("no such\nfile\x1b[31m"))


class BadModelTest(CommandTest):
    """Each sub-command that reads a model refuses the same files."""

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

    def test_foreign(self):
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

    def test_misshapen_tensor(self):
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
        self.assertEqual(len(text.splitlines()), 1)
        for part in ("colour_model", "1 blocks", "32 x 32", "10 classes"):
            self.assertIn(part, text)

    def test_what_the_user_tells_goes_first(self):
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

    def test_bad_arguments(self):
        out = self.path("out")
        few = self.path("few.txt")
        with open(few, "w", encoding="utf-8") as file:
            file.write("one\ntwo\n")
        for part, arguments in (
            ("one weights file is expected, 0", ["-o", out]),
            ("one weights file is expected, 2", ["-o", out, self.weights, self.weights]),
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
            ("heads", ["-o", out, self.weights, "--heads", "7"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "import", *arguments)
                self.assertFalse(os.path.exists(out))

    def test_places_that_cannot_be_written(self):
        for out in (self.path("absent", "out"), self.folder, "/dev/null", "/proc/out"):
            with self.subTest(out):
                self.fail_with(out, "import", self.weights, "-o", out)
        self.assertFalse(os.path.isfile("/dev/null"))

    def test_a_failure_leaves_what_was_there(self):
        out = self.path("out")
        with open(out, "w", encoding="utf-8") as file:
            file.write("before")
        self.fail_with("--mean", "import", self.weights, "-o", out, "--mean", "x")
        with open(out, encoding="utf-8") as file:
            self.assertEqual(file.read(), "before")
        self.assertEqual([f for f in os.listdir(self.folder) if f.startswith(".")], [])


class InspectTest(CommandTest):
    def test_counts_agree_with_an_independent_count(self):
        model = self.complete_model()
        found = json.loads(self.succeed("inspect", "--json", model))
        self.assertEqual(found["family"], "vit")
        self.assertEqual(found["parameters"], colour_model.PARAMETERS)
        self.assertAlmostEqual(found["gmacs"]["dense"], colour_model.DENSE_MACS * 1e-9, 9)
        self.assertEqual(len(found["blocks"]), 1)
        block = found["blocks"][0]
        self.assertEqual(block["heads"], 1)
        self.assertEqual(block["neurons"], colour_model.NEURONS)
        self.assertEqual(block["parameters"], colour_model.BLOCK_PARAMETERS)
        self.assertAlmostEqual(block["mmacs"], colour_model.BLOCK_MACS * 1e-6, 6)

    def test_table(self):
        text = self.succeed("inspect", self.complete_model())
        self.assertRegex(text, rf"(?m)^ +0 +1 +8 +{colour_model.BLOCK_PARAMETERS} ")
        self.assertRegex(text, rf"(?m)^ +total +{colour_model.PARAMETERS} ")
        self.assertIn("source: weights.safetensors", text)

    def test_weights_without_description(self):
        found = json.loads(self.succeed("inspect", "--json", self.weights))
        self.assertIsNone(found["provenance"])
        self.assertFalse(found["labels"])

    def test_bad_arguments(self):
        self.fail_with("0 were given", "inspect")
        self.fail_with("2 were given", "inspect", self.weights, self.weights)


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

    def test_images_that_cannot_be(self):
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
            (self.folder, self.folder),
        ):
            with self.subTest(file):
                self.fail_with(part, "classify", "-m", self.model, file)

    def test_default_model(self):
        shutil.copy(self.model, self.path("deit-tiny-imagenet1k.safetensors"))
        environment = dict(os.environ, VITGATE_MODEL_DIR=self.folder)
        text = self.succeed("classify", self.files[2], env=environment)
        self.assertIn("green", text)

    def test_no_default_model(self):
        environment = dict(os.environ, VITGATE_MODEL_DIR=self.path("absent"))
        self.fail_with("--model", "classify", self.files[2], env=environment)

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


class EvalTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.complete_model()

    def evaluate(self, data, *arguments, notes=0):
        text = self.succeed(
            "eval", "--json", "--data", self.path(data), *arguments, self.model, notes=notes
        )
        return json.loads(text)

    def pack(self, folder, archive, mode="w"):
        with tarfile.open(self.path(archive), mode) as tar:
            tar.add(self.path(folder), arcname=".")

    def write_usual(self):
        """Eight right ones in one folder; in the other, one of two is called what it is not"""
        right = self.write_colours("data/right")
        lines = [
            (file[len("data/") :], index, colour_model.IDS[index])
            for index, file in enumerate(right)
        ]
        os.makedirs(self.path("data", "wrong"))
        colour_model.write_picture(self.path("data", "wrong", "a.png"), (1, 0, 0))
        colour_model.write_picture(self.path("data", "wrong", "b.png"), (1, 1, 1))
        lines.append(("wrong/a.png", 4, colour_model.IDS[4]))
        lines.append(("wrong/b.png", 9, colour_model.IDS[9]))
        self.write_labels_tsv("data", lines)

    def assert_usual(self, found):
        self.assertEqual(found["model"], "colour_model")
        self.assertEqual(found["precision"], "float32")
        self.assertEqual(found["images"], 10)
        self.assertEqual(found["skipped"], 0)
        self.assertAlmostEqual(found["overall"]["top1"], 90)
        self.assertAlmostEqual(found["overall"]["top5"], 90)
        self.assertEqual(set(found["folders"]), {"right", "wrong"})
        right, wrong = found["folders"]["right"], found["folders"]["wrong"]
        self.assertEqual((right["images"], right["top1"], right["top5"]), (8, 100, 100))
        self.assertEqual((wrong["images"], wrong["top1"], wrong["top5"]), (2, 50, 50))
        self.assertEqual(right["top1_among_present"], 100)
        # Only red and "never" are there: white is taken for red.
        self.assertEqual(wrong["top1_among_present"], 50)
        for name in ("mean", "min", "max"):
            self.assertAlmostEqual(found["gmacs"][name], colour_model.MACS * 1e-9, 9)
        self.assertAlmostEqual(found["gmacs"]["dense"], colour_model.DENSE_MACS * 1e-9, 9)
        self.assertEqual(found["parameters"], colour_model.PARAMETERS)
        self.assertGreater(found["images_per_second"], 0)

    def test_folder_and_archives_give_the_same(self):
        self.write_usual()
        self.assert_usual(self.evaluate("data"))
        for archive, mode in (("data.tar", "w"), ("data.tar.gz", "w:gz"), ("data.tar.xz", "w:xz")):
            with self.subTest(archive):
                self.pack("data", archive, mode)
                self.assert_usual(self.evaluate(archive))

    def test_batches_and_threads_change_nothing(self):
        self.write_usual()
        for batch_size, threads in (("3", "1"), ("10", "2"), ("64", "2")):
            with self.subTest(f"{batch_size} {threads}"):
                found = self.evaluate("data", "--batch-size", batch_size, "--threads", threads)
                self.assert_usual(found)
                self.assertEqual(found["batch_size"], int(batch_size))
                self.assertEqual(found["threads"], int(threads))

    def test_table(self):
        self.write_usual()
        text = self.succeed("eval", "--data", self.path("data"), self.model)
        self.assertRegex(text, r"(?m)^right +8 +100\.0 +100\.0$")
        self.assertRegex(text, r"(?m)^wrong +2 +50\.0 +50\.0$")
        self.assertRegex(text, r"(?m)^all +10 +90\.0 +90\.0$")
        text = self.succeed(
            "eval", "--among-classes-present", "--data", self.path("data"), self.model
        )
        self.assertRegex(text, r"(?m)^right +8 +100\.0 +100\.0 +100\.0$")

    def test_corrupt_images_are_named_counted_and_left_out(self):
        self.write_usual()
        with open(self.path("data", "right", "green.png"), "r+b") as file:
            file.truncate(60)
        self.pack("data", "data.tar")
        for data in ("data", "data.tar"):
            with self.subTest(data):
                result = self.run_command("eval", "--json", "--data", self.path(data), self.model)
                self.assertEqual(result.returncode, 0)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn("right/green.png", result.stderr)
                found = json.loads(result.stdout)
                self.assertEqual((found["images"], found["skipped"]), (9, 1))
                self.assertEqual(found["folders"]["right"]["images"], 7)
                self.assertEqual(found["folders"]["right"]["top1"], 100)

    def test_folders_named_by_ids_and_labels(self):
        for names in (colour_model.IDS, colour_model.LABELS):
            folder = "data-" + names[0]
            self.write_colours(folder, [f"set/{name}/x.png" for name in names])
            found = self.evaluate(folder)
            self.assertEqual(found["folders"]["set"]["top1"], 100)
            self.assertEqual(found["overall"]["labelled"], 8)

    def test_one_folder_per_class_at_the_top(self):
        self.write_colours("data", [f"{name}/x.png" for name in colour_model.IDS])
        colour_model.write_picture(self.path("data", colour_model.IDS[0], "y.png"), (1, 1, 1))
        found = self.evaluate("data")
        self.assertEqual(len(found["folders"]), 8)
        first = found["folders"][colour_model.IDS[0]]
        self.assertEqual((first["images"], first["top1"]), (2, 50))
        # Among all classes of the data: one class alone could not be missed.
        self.assertEqual(first["top1_among_present"], 50)

    def test_folders_that_name_no_class_are_told(self):
        self.write_colours("data", [f"{name}/x.png" for name in colour_model.IDS])
        os.makedirs(self.path("data", "stray"))
        colour_model.write_picture(self.path("data", "stray", "x.png"), (1, 1, 1))
        found = self.evaluate("data", notes=1)
        self.assertEqual(found["overall"]["labelled"], 8)
        self.assertIsNone(found["folders"]["stray"]["top1"])

    def test_unlabelled(self):
        self.write_colours("data/holiday")
        found = self.evaluate("data", notes=1)
        self.assertIsNone(found["overall"]["top1"])
        self.assertIsNone(found["folders"]["holiday"]["top1_among_present"])
        self.assertEqual(found["images"], 8)
        self.assertGreater(found["gmacs"]["mean"], 0)
        text = self.succeed("eval", "--data", self.path("data"), self.model, notes=1)
        self.assertRegex(text, r"(?m)^holiday +8 +- +-$")

    def test_classes_the_model_lacks_do_not_count(self):
        self.write_colours("data/x")
        self.write_labels_tsv(
            "data", [("x/red.png", 4, colour_model.IDS[4]), ("x/white.png", 7, "n99999999")]
        )
        found = self.evaluate("data", notes=1)
        self.assertEqual(found["overall"]["labelled"], 1)
        self.assertEqual(found["overall"]["top1"], 100)

    def test_bad_data(self):
        self.write_colours("data/x")
        os.makedirs(self.path("empty"))
        os.makedirs(self.path("corrupt"))
        with open(self.path("corrupt", "a.png"), "wb") as file:
            file.write(b"x")
        with open(self.path("junk.tar"), "wb") as file:
            file.write(b"x" * 2000)
        self.pack("data", "cut.tar")
        with open(self.path("cut.tar"), "r+b") as file:
            file.truncate(1000)
        for part, data in (
            ("absent", "absent"),
            ("no photographs", "empty"),
            ("junk.tar", "junk.tar"),
            ("cut.tar", "cut.tar"),
        ):
            with self.subTest(data):
                self.fail_with(part, "eval", "--data", self.path(data), self.model)
        result = self.run_command("eval", "--data", self.path("corrupt"), self.model)
        self.assertEqual(result.returncode, 1)
        self.assertIn("none of the 1 photographs", result.stderr.splitlines()[-1])

    def test_bad_labels(self):
        for part, line in (
            ("line 2", ("x/red.png", "red", "-")),
            ("line 2", ("x/red.png",)),
            ("10 classes", ("x/red.png", 10, "-")),
        ):
            with self.subTest(str(line)):
                self.write_colours("data/x")
                self.write_labels_tsv("data", [line])
                self.fail_with(part, "eval", "--data", self.path("data"), self.model)

    def test_bad_arguments(self):
        data = ["--data", self.path("data")]
        for part, arguments in (
            ("--data", [self.model]),
            ("0 were given", data),
            ("--batch-size", [*data, self.model, "--batch-size", "0"]),
            ("--batch-size", [*data, self.model, "--batch-size", "1025"]),
            ("--threads", [*data, self.model, "--threads", "-1"]),
            ("--threads", [*data, self.model, "--threads", "two"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "eval", *arguments)


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
        # Absent where OpenBLAS is.
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

    def test_bad_arguments(self):
        for part, arguments in (
            ("0 were given", []),
            ("--threads", [self.weights, "--threads", "0"]),
            ("--batch-size", [self.weights, "--batch-size", "-1"]),
            ("--seconds", [self.weights, "--seconds", "0"]),
            ("--seconds", [self.weights, "--seconds", "nan"]),
            ("absent", [self.weights, "--data", self.path("absent")]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "bench", *arguments)


if __name__ == "__main__":
    unittest.main()
