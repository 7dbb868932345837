#!/usr/bin/env python3
"""Tests which pictures vitgate teach takes, and what it says of those that it cannot use.

Usage: test_teach_data.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import random
import shutil
import struct
import tarfile
import unittest
import zlib

import colour_model
from teach_case import COLOURS, TeachCase, describe, write_picture


class DataTest(TeachCase):
    def test_one_class(self):
        self.write_class("open", 4)
        self.refuse('only one class, "open", expected at least 2')

    def test_a_class_with_one_picture(self):
        self.write_data()
        self.write_class("empty", 1)
        self.refuse('the class "empty" has 1 picture, expected at least 2')

    def test_two_pictures_of_each_class_are_enough(self):
        self.write_data(2)
        self.assertEqual(self.teach()["pictures"], 6)

    def test_an_empty_folder_and_one_without_pictures(self):
        os.makedirs(self.data)
        self.refuse("contains no photographs")
        self.write_data()
        os.makedirs(self.path("data", "empty"))
        self.refuse('the folder "empty" contains no pictures')
        with open(self.path("data", "empty", "notes.txt"), "w", encoding="utf-8") as file:
            file.write("x")
        self.refuse('the folder "empty" contains no pictures')

    def test_the_same_picture_in_two_classes_is_named(self):
        self.write_data()
        shutil.copy(self.path("data", "open", "02.png"), self.path("data", "closed", "copy.png"))
        self.refuse("closed/copy.png and ")
        self.refuse("open/02.png are the same picture in two classes")

    def test_the_same_picture_twice_in_a_class_counts_once(self):
        self.write_data()
        shutil.copy(self.path("data", "open", "02.png"), self.path("data", "open", "copy.png"))
        found = self.teach()
        self.assertEqual((found["pictures"], found["repeated"]), (18, 1))

    def test_corrupt_pictures_are_named_and_left_out(self):
        self.write_data(3)
        for name, size in (("open/00.png", 0), ("half/01.png", 40), ("half/00.png", 0)):
            with open(self.path("data", name), "r+b") as file:
                file.truncate(size)
        self.write_class("half", 1, names="more.png", seed=3)
        found = self.teach(notes=3)
        self.assertEqual(found["pictures"], 7)
        self.assertEqual(len(found["unusable"]), 3)
        os.remove(self.out)
        with open(self.path("data", "open", "01.png"), "r+b") as file:
            file.truncate(50)
        result = self.run_command("teach", "--model", self.model, "--data", self.data, "-o",
                                  self.out)
        self.assertEqual(result.returncode, 1)
        self.assertIn('the class "open" has 1 usable picture, expected at least 2',
                      result.stderr.splitlines()[-1])
        self.assertFalse(os.path.exists(self.out))

    def test_sizes_may_differ_wildly(self):
        self.write_data(3)
        colour_model.write_png(self.path("data", "open", "dot.png"), 1, bytes([40, 190, 60]))
        colour_model.write_png(self.path("data", "open", "line.png"), 3000,
                               bytes([40, 190, 60]) * 3000)
        colour_model.write_png(self.path("data", "open", "large.png"), 1200,
                               bytes([40, 190, 60]) * 1200 * 1200)
        self.assertEqual(self.teach()["pictures"], 12)

    def test_labels_may_be_any_text(self):
        labels = ["my gate", "Mülltonne", 'a "b" \'c\'', "two\nlines", "$(x)"]
        for i, label in enumerate(labels):
            self.write_class(label, 3, colour=list(COLOURS.values())[i % 4])
        found = self.teach()
        self.assertEqual({c["label"] for c in found["classes"]}, set(labels))
        self.assertEqual(set(describe(self.out)[1]["labels"]), set(labels))
        text = self.succeed("teach", "--model", self.model, "--data", self.data, "-o", self.out)
        self.assertNotIn("two\nlines", text)

    def test_tables_are_aligned_whatever_the_letters(self):
        labels = ["Mülltonne", "ごみ箱", "bin"]
        for i, label in enumerate(labels):
            self.write_class(label, 4, colour=(120 + i, 120, 120))
        locale = {**os.environ, "LC_ALL": "C.UTF-8"}
        text = self.succeed("teach", "--model", self.model, "--data", self.data, "-o", self.out,
                            "--group-by", "none", env=locale)
        text += self.succeed("eval", self.out, "--data", self.data, env=locale)
        for label, wide in zip(labels, (0, 3, 0)):
            for start, width, rest in (("", 28, r" {8}4 {7}4 +[\d.]+ %"),
                                       (r"\d ", 27, r"( {4}\d){3}"),
                                       ("", 20, r" {7}4 +[\d.]+")):
                self.assertRegex(text, f"(?m)^ ?{start}{label}"
                                       f"{' ' * (width - len(label) - wide)}{rest}")

    def test_an_archive_of_the_folder_is_the_same(self):
        self.write_data()
        found = self.teach()
        tar = self.path("data.tar")
        with tarfile.open(tar, "w") as archive:
            archive.add(self.data, "data")
        again = self.teach(data=tar)
        for member in ("classes", "top1", "penalty", "views"):
            self.assertEqual(again[member], found[member])

    def test_several_folders_are_joined(self):
        self.write_data(3, labels=("closed", "open"))
        self.write_data(3, labels=("open", "half"), folder="more", seed=5)
        found = self.teach("--data", self.path("more"))
        self.assertEqual({c["label"]: c["pictures"] for c in found["classes"]},
                         {"closed": 3, "half": 3, "open": 6})

    def test_labels_tsv_names_the_classes(self):
        self.write_data(3)
        lines = [(f"{folder}/{i:02}.png", -1, label) for folder, label in
                 (("closed", "zu"), ("open", "auf")) for i in range(3)]
        self.write_labels_tsv("data", lines)
        found = self.teach()
        self.assertEqual([c["label"] for c in found["classes"]], ["auf", "zu"])
        self.assertEqual(found["unlabelled"], 3)

    def test_eval_measures_a_taught_model_on_the_same_data(self):
        self.write_data(3)
        for listed in (False, True):
            if listed:
                with open(self.path("data", "labels.tsv"), "w", encoding="utf-8") as file:
                    file.write("file\tlabel\n" + "".join(
                        f"{label}/{i:02}.png\tmy {label}\n" for label in ("closed", "half", "open")
                        for i in range(3)))
            self.teach()
            found = json.loads(self.succeed("eval", "--json", "--data", self.data, self.out))
            self.assertEqual((found["overall"]["labelled"], found["overall"]["top1"]), (9, 100))

    def test_pictures_without_a_class_are_counted(self):
        self.write_data(3)
        write_picture(self.path("data", "stray.png"), (1, 2, 3), random.Random(1))
        self.assertEqual(self.teach()["unlabelled"], 1)

    def test_others_that_cannot_be_read_leave_no_file(self):
        self.write_data(3)
        os.mkdir(self.path("others"))
        with open(self.path("others", "broken.png"), "wb") as file:
            file.write(b"no picture")
        result = self.run_command("teach", "--model", self.model, "--data", self.data,
                                  "--others", self.path("others"), "-o", self.out)
        self.assertEqual(result.returncode, 1)
        self.assertIn("others: contains no usable pictures", result.stderr)
        self.assertFalse(os.path.exists(self.out))

    def test_doubtful_pictures_are_left_out(self):
        self.write_data(3)
        self.write_class("doubtful", 4, colour=(9, 9, 9))
        os.mkdir(self.path("data", "doubtful", "more"))
        found = self.teach()
        self.assertEqual(([c["label"] for c in found["classes"]], found["unlabelled"]),
                         (["closed", "half", "open"], 4))

    def test_pictures_that_look_all_the_same(self):
        for label in ("open", "closed"):
            os.makedirs(self.path("data", label))
            for i in range(4):
                path = self.path("data", label, f"{i}.png")
                colour_model.write_png(path, 8, bytes([90] * 8 * 8 * 3))
                chunk = f"Comment\0{label}{i}".encode()
                with open(path, "rb") as file:
                    content = file.read()
                extra = struct.pack(">I", len(chunk)) + b"tEXt" + chunk + struct.pack(
                    ">I", zlib.crc32(b"tEXt" + chunk))
                with open(path, "wb") as file:
                    file.write(content[:33] + extra + content[33:])
        found = self.teach()
        self.assertEqual(found["pictures"], 8)
        scores = self.classify(self.path("data", "open", "0.png"))
        self.assertAlmostEqual(scores["open"], 0.5, 1)


class GroupTest(TeachCase):
    def test_shots_in_sequence_are_one_group(self):
        self.write_data(4, names="20260102_03040{}.png")
        self.write_data(4, names="20260103_03040{}.png", seed=8)
        found = self.teach()
        self.assertEqual((found["pictures"], found["groups"], found["folds"]), (24, 6, 6))
        self.assertEqual(found["cut_groups"], [])
        self.assertEqual(self.teach("--group-by", "none")["groups"], 24)

    def test_a_single_sequence_is_cut_and_named(self):
        self.write_data(6, names="20260102_03040{}.png")
        found = self.teach()
        self.assertEqual(found["cut_groups"], ["closed", "half", "open"])
        self.assertEqual(found["groups"], 15)
        text = self.succeed("teach", "--model", self.model, "--data", self.data, "-o", self.out)
        self.assertIn("All pictures of open are one group", text)

    def test_a_wrong_grouping(self):
        self.write_data()
        self.refuse('--group-by is "day", expected auto', "--group-by", "day")
        self.refuse("--group-by=time: no picture has a time", "--group-by", "time")


if __name__ == "__main__":
    unittest.main()
