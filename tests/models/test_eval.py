"""Tests what `vitgate eval` reports about accuracy on photographs, and what it uses as labels.

Usage: test_eval.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import tarfile
import unittest

import colour_model
from command_case import CommandTest


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
        """Writes eight right pictures to one folder, and two to another, one with a wrong label"""
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

    def assert_usual(self, found, precision="float32"):
        self.assertEqual(found["model"], "colour_model")
        self.assertEqual(found["precision"], precision)
        self.assertEqual(found["images"], 10)
        self.assertEqual(found["skipped"], 0)
        self.assertAlmostEqual(found["overall"]["top1"], 90)
        self.assertAlmostEqual(found["overall"]["top5"], 90)
        self.assertEqual(set(found["folders"]), {"right", "wrong"})
        right, wrong = found["folders"]["right"], found["folders"]["wrong"]
        self.assertEqual((right["images"], right["top1"], right["top5"]), (8, 100, 100))
        self.assertEqual((wrong["images"], wrong["top1"], wrong["top5"]), (2, 50, 50))
        self.assertEqual(right["top1_among_present"], 100)
        # Only red and "never" are present, so white is classified as red.
        self.assertEqual(wrong["top1_among_present"], 50)
        for name in ("mean", "min", "max"):
            self.assertAlmostEqual(found["gmacs"][name], colour_model.MACS * 1e-9, 9)
        self.assertAlmostEqual(found["gmacs"]["dense"], colour_model.DENSE_MACS * 1e-9, 9)
        self.assertEqual(found["parameters"], colour_model.PARAMETERS)
        self.assertGreater(found["images_per_second"], 0)

    def test_folder_and_archives_give_the_same_result(self):
        self.write_usual()
        self.assert_usual(self.evaluate("data"))
        for archive, mode in (("data.tar", "w"), ("data.tar.gz", "w:gz"), ("data.tar.xz", "w:xz")):
            with self.subTest(archive):
                self.pack("data", archive, mode)
                self.assert_usual(self.evaluate(archive))

    def test_lower_precision_finds_the_same_colours(self):
        self.write_usual()
        self.assert_usual(self.evaluate("data", "--precision", "int8"), "int8")
        self.fail_with('unknown precision "int4"', "eval", "--data", self.path("data"), "--precision",
                       "int4", self.model)

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

    def test_corrupt_images_are_named_counted_and_skipped(self):
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

    def test_held_out_photographs_are_those_of_compress(self):
        def mix(x):
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
                x = (x ^ (x >> shift)) * factor % 2**64
            return x ^ (x >> 31)

        def name_hash(name):
            value = 0
            for byte in name.encode():
                value = mix(value + byte)
            return value

        for index, name in enumerate(colour_model.IDS[:2]):
            files = [f"set/{name}/{i}.png" for i in range(20)]
            # One of twenty is held out. Only that one has another colour than its folder says.
            odd = min(files, key=name_hash)
            os.makedirs(self.path("data", "set", name))
            for file in files:
                corner = colour_model.COLOURS[7 if file == odd else index][1:]
                colour_model.write_picture(self.path("data", file), corner)
        self.assertEqual(self.evaluate("data")["overall"]["top1"], 95)
        found = self.evaluate("data", "--held-out")
        self.assertEqual((found["images"], found["overall"]["top1"]), (2, 0))
        self.write_colours("few")
        self.fail_with("--held-out: compress holds out none", "eval", "--held-out", "--data",
                       self.path("few"), self.model)

    def test_one_folder_per_class_at_the_top(self):
        self.write_colours("data", [f"{name}/x.png" for name in colour_model.IDS])
        colour_model.write_picture(self.path("data", colour_model.IDS[0], "y.png"), (1, 1, 1))
        found = self.evaluate("data")
        self.assertEqual(len(found["folders"]), 8)
        first = found["folders"][colour_model.IDS[0]]
        self.assertEqual((first["images"], first["top1"]), (2, 50))
        # Among all classes of the data, since a single class would always be right.
        self.assertEqual(first["top1_among_present"], 50)

    def test_folders_that_name_no_class_are_reported(self):
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

    def test_classes_unknown_to_the_model_do_not_count(self):
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
            ("got 0", data),
            ("--batch-size", [*data, self.model, "--batch-size", "0"]),
            ("--batch-size", [*data, self.model, "--batch-size", "1025"]),
            ("--threads", [*data, self.model, "--threads", "-1"]),
            ("--threads", [*data, self.model, "--threads", "two"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "eval", *arguments)


if __name__ == "__main__":
    unittest.main()
