#!/usr/bin/env python3
"""Tests vitgate teach --fine-tune on small models.

Usage: test_fine_tune.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import random
import signal
import struct
import subprocess
import time
import unittest

import colour_model
import random_model
import taught_model
from command_case import VITGATE, CommandTest

SIDE = 32

# The weights that follow a norm are so much smaller, and the norm's so much larger: the network
# computes the same, but steps of training are larger. It has far too few values to learn something
# in the steps that suit a large one.
EASE = 100


def ease(path):
    entries, metadata = taught_model.read_safetensors(path)
    for name, (dtype, shape, content) in entries.items():
        values = struct.unpack(f"<{len(content) // 4}f", content)
        factor = (EASE if ".norm" in name
                  else 1 / EASE if name.endswith(("qkv.weight", "fc1.weight")) else 1)
        entries[name] = dtype, shape, taught_model.floats(*[factor * v for v in values])
    taught_model.write_raw(path, entries, metadata)


def write_stripes(path, kind, rng):
    """Writes stripes in two colours: "wide", "tall", or "any" of both"""
    colours = [[rng.randrange(256) for _ in range(3)] for _ in range(2)]
    start, lies = rng.randrange(8), rng.randrange(2) if kind == "any" else kind == "wide"
    colour_model.write_png(path, SIDE, bytes(
        value for y in range(SIDE) for x in range(SIDE)
        for value in colours[((y if lies else x) + start) // 4 % 2]))


class FineTuneTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("base.safetensors")
        self.out = self.path("out", "taught.safetensors")
        self.data = self.path("data")
        os.mkdir(self.path("out"))
        random_model.write_teacher(self.model)
        ease(self.model)

    def write_data(self, n=32, folder="data", seed=5, kinds=("tall", "wide")):
        rng = random.Random(seed)
        for label, kind in zip(("tall", "wide"), kinds):
            os.makedirs(self.path(folder, label))
            for i in range(n):
                write_stripes(self.path(folder, label, f"{i:03}x.png"), kind, rng)

    def teach(self, *arguments, limit="60s", data=None, model=None):
        return json.loads(self.succeed(
            "teach", "--model", model or self.model, "--data", data or self.data, "-o", self.out,
            "--json", "--threads", "1", "--group-by", "none",
            *(("--fine-tune", limit) if limit else ()), *arguments))

    def measure(self):
        return json.loads(self.succeed("eval", self.out, "--data", self.path("new"),
                                       "--json"))["overall"]["top1"]

    def check_blocks(self, changed):
        """Checks which blocks are not as in the base."""
        before, after = (colour_model.read_safetensors(path)[0] for path in (self.model, self.out))
        for name, entry in before.items():
            if name.startswith("blocks.") or name.startswith("norm."):
                differs = changed and not name.startswith("blocks.0.")
                self.assertEqual(after[name] != entry, differs, name)

    def test_blocks_learn_what_the_head_cannot(self):
        self.write_data(60)
        self.write_data(100, "new", 6)
        before = self.teach(limit=None)
        self.assertIsNone(before["fine_tuning"])
        score = self.measure()
        found = self.teach()
        tuning = found["fine_tuning"]
        self.assertIsNone(tuning["left_out"])
        self.assertEqual((tuning["blocks"], tuning["folds"]), (2, 4))
        self.assertGreater(tuning["after"]["top1"], tuning["before"]["top1"] + 5)
        self.assertLess(tuning["after"]["log_loss"], tuning["before"]["log_loss"])
        self.assertEqual(found["top1"], tuning["after"]["top1"])
        self.assertGreater(self.measure(), score + 5)
        self.check_blocks(changed=True)
        self.assertEqual(os.listdir(self.path("out")), ["taught.safetensors"])

    def test_what_does_not_help_is_left_out(self):
        self.write_data(kinds=("any", "any"))
        tuning = self.teach()["fine_tuning"]
        self.assertIn("worse by cross-validation", tuning["left_out"])
        self.assertGreater(tuning["steps"], 0)
        self.check_blocks(changed=False)
        text = self.succeed("teach", "--model", self.model, "--data", self.data, "-o", self.out,
                            "--group-by", "none", "--fine-tune", "60s")
        self.assertRegex(text, "Fine-tuning was left out: it was worse by cross-validation.\n"
                               r"Fine-tuning of the last 2 blocks \(\d+ steps\)")

    def test_the_time_limit_is_kept(self):
        self.write_data()
        start = time.monotonic()
        tuning = self.teach(limit="0.05s")["fine_tuning"]
        self.assertLess(time.monotonic() - start, 20)
        self.assertIn("the time is too short", tuning["left_out"])
        self.check_blocks(changed=False)
        self.fail_with('--fine-tune is "5x", expected a time such as', "teach", "--data", self.data,
                       "-o", self.out, "--fine-tune", "5x")

    def test_an_interrupted_run_leaves_nothing(self):
        self.write_data(120)
        with subprocess.Popen([VITGATE, "teach", "--model", self.model, "--data", self.data, "-o",
                               self.out, "--group-by", "none", "--fine-tune", "60s"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            try:
                run.wait(0.4)
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGINT)
                run.communicate(timeout=60)
                self.assertEqual(os.listdir(self.path("out")), [])

    def test_more_can_be_added(self):
        self.write_data()
        self.teach()
        self.write_data(4, "more", 7)
        self.fail_with("--fine-tune: with --add", "teach", "--add", "--model", self.out, "--data",
                       self.path("more"), "-o", self.out, "--fine-tune", "60s")
        tuned = colour_model.read_safetensors(self.out)[0]
        text = self.succeed("teach", "--add", "--model", self.out, "--data", self.path("more"),
                            "-o", self.out, "--group-by", "none")
        self.assertIn("fine-tuned with pictures that it was taught before", text)
        entries, metadata = colour_model.read_safetensors(self.out)
        for name, entry in tuned.items():
            if name.startswith("blocks."):
                self.assertEqual(entries[name], entry, name)
        teach = json.loads(metadata["vitgate"])["teach"]
        self.assertEqual((len(teach["shown"]), teach["tuned"]), (72, True))
        # Features are those that the tuned network gives: its own pictures are known by them.
        again = self.teach("--add", limit=None, model=self.out)
        self.assertEqual((again["known"], again["pictures"]), (64, 72))


if __name__ == "__main__":
    unittest.main()
