"""Tests what vitgate compress and train say while they run and at their end.

Usage: test_progress.py [unittest's arguments]; $VITGATE is the command.
"""

import os
import re
import shlex
import unittest

import random_model
import test_compress
from test_compress import COLUMNS, VITGATE


class ProgressTest(test_compress.CompressTest):
    def notes(self):
        return [line["note"] for line in self.log() if "note" in line]

    def test_a_terminal_shows_every_phase_and_its_lines_fit(self):
        lines = self.on_terminal(self.arguments("--static-target", "0.7", steps=12))
        for phase in ("reading held-out photographs", "reading photographs",
                      "ranking heads and neurons", "compensating", "finding the dial's path",
                      "calibrating the dial", "comparing products in int8", "measuring the model"):
            self.assertTrue([line for line in lines if line.startswith(phase)], phase)
        steps = [line for line in lines if line.startswith("step ")]
        self.assertEqual(len({line.split(",")[0] for line in steps}), 12)  # each step is shown
        for line in steps:
            self.assertRegex(line, r"agreement .*compute .* left$")
            self.assertLess(len(line), COLUMNS)

    def test_a_log_gets_plain_lines(self):
        text = self.compress(steps=40)
        self.assertNotIn("\r", text)
        self.assertNotIn("\x1b", text)
        self.assertEqual(len(re.findall("^step ", text, re.MULTILINE)), 2)

    def test_the_time_limit_covers_what_comes_before_and_after_the_steps(self):
        text = self.compress("--time-limit", "6s", "--static-target", "0.7", steps=0)
        steps, each, used, kept = re.search(
            r"(\d+) steps of ([\d.]+) s fit into the time limit \((\S+) used, about (\S+) kept",
            text).groups()
        seconds = [60 * int(clock.split(":")[0]) + int(clock.split(":")[1])
                   for clock in (used, kept)]
        self.assertLess((int(steps) - 8) * (float(each) - 0.005), 6 - sum(seconds))
        result = [line["result"] for line in self.log() if "result" in line]
        self.assertGreaterEqual(result[0]["seconds"], seconds[0])

    def test_a_time_limit_that_is_too_short_is_reported(self):
        self.compress("--time-limit", "0.01s", steps=0)
        self.assertIn("the time limit is too short to train for more than these steps",
                      self.notes())
        self.assertEqual(self.inspect()["provenance"]["steps"], 8)

    def test_notes_on_gates_are_one_line_with_a_count(self):
        deep = self.path("deep.safetensors")
        random_model.write_teacher(deep, depth=12)
        text = self.compress("--teacher", deep, "--gates", "module", "--static-target", "0.98",
                             "--target", "0.9", steps=2)
        told = [line for line in text.splitlines() if line.startswith("the gate of block")]
        logged = [note for note in self.notes() if note.startswith("the gate of block")]
        self.assertGreater(len(logged), 4)
        self.assertLess(len(told), 4)
        self.assertRegex(told[0], r"and \d+ more like this")

    def test_few_held_out_photographs_are_called_few(self):
        text = self.compress(steps=2)
        held_out = self.inspect()["provenance"]["held_out"]
        self.assertEqual(text.count(f"only {held_out} photographs are held out"), 1)
        self.assertIn(f"each is {100 / held_out:.1f} points", text)

    def test_of_many_skipped_photographs_the_first_are_named(self):
        data = self.path("data")
        random_model.write_pictures(data, 60)
        for i in range(0, 60, 5):
            with open(os.path.join(data, random_model.IDS[0], f"{i:03}.png"), "wb") as file:
                file.write(b"\x89PNG\r\n\x1a\nnonsense")
        text = self.run_command([VITGATE, "compress", "--teacher", self.teacher, "--data", data,
                                 "--steps", "10", "--batch-size", "8", "-o", self.out]).stderr
        logged = [note for note in self.notes() if re.match("skipped .*png: ", note)]
        self.assertGreater(len(logged), 3)
        self.assertEqual(len(re.findall("^skipped .*png: ", text, re.MULTILINE)), 3, text)
        self.assertIn(f"skipped {len(logged)} photographs in all", text)
        self.assertNotIn("skipped skipped", text)


class ClosingTest(test_compress.CompressTest):
    def close(self, *more, **options):
        """Returns the fields of the closing block and the next command"""
        result = self.run_command(self.arguments(*more, **options))
        self.assertEqual(result.returncode, 0, result.stderr)
        first, *rest, last = result.stdout.splitlines()
        self.assertEqual(first, self.out)
        self.assertTrue(last.startswith("next: "), last)
        for line in rest:
            self.assertLess(len(line), COLUMNS)
        return ({line.split()[0]: line.split(None, 1)[1] for line in rest},
                shlex.split(last.removeprefix("next: ")))

    def test_compress_ends_with_the_figures_of_its_model(self):
        found, command = self.close("--no-gates", "--no-merging", steps=4)
        about = self.inspect()
        held_out = about["provenance"]["held_out"]
        self.assertTrue(found["size"].startswith(f"{os.path.getsize(self.out) / 1e6:.2f} MB"))
        self.assertTrue(found["parameters"].startswith(str(about["parameters"])))
        self.assertTrue(found["GMACs"].startswith(f"{about['gmacs']['model']:.3f} "))
        self.assertRegex(found["agreement"], rf"\(\d+ of {held_out} held-out photographs\)")
        self.assertRegex(found["Top-1"], rf"\(\d+ of {held_out} held-out photographs with a label")
        self.assertRegex(found["network"],
                         rf"ms per image on this machine \({about['precision']}, 1 thread\)")
        picture = os.path.join(self.pictures, random_model.IDS[0], "000.png")
        self.assertEqual(command[-1], "PHOTOGRAPH")
        self.assertEqual(self.run_command([VITGATE, *command[1:-1], picture]).returncode, 0)

    def test_the_model_records_the_tokens_left_in_each_block(self):
        self.close("--gates", "none", "--target", "0.7", "--static-target", "1", steps=2)
        found = self.inspect()
        tokens = found["module_tokens"]
        self.assertEqual(tokens, found["provenance"]["module_tokens"])
        self.assertEqual(tokens[0], found["tokens"])
        self.assertEqual(tokens[:-2], sorted(tokens[:-2], reverse=True))
        self.assertLess(tokens[-3], tokens[0])

    def test_the_log_has_the_same_figures(self):
        found, _ = self.close("--static-only", steps=4)
        result = [line["result"] for line in self.log() if "result" in line][0]
        self.assertEqual(result["file"], self.out)
        self.assertEqual(found["agreement"].split()[0], f"{100 * result['agreement']:.1f}")
        self.assertEqual(found["Top-1"].split()[0], f"{result['top1']:.1f}")
        self.assertEqual(found["network"].split()[0], f"{result['ms_per_image']:.2f}")
        self.assertEqual(result["threads"], 1)

    def test_without_held_out_photographs_nothing_is_claimed(self):
        data = self.path("data")
        random_model.write_pictures(data, 5)
        result = self.run_command([VITGATE, "compress", "--teacher", self.teacher, "--data", data,
                                   "--static-only", "--steps", "2", "-o", self.out])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, "agreement +not measured: no photographs are held out")
        self.assertRegex(result.stdout, "Top-1 +not measured: no photographs are held out")

    def test_train_suggests_to_compress_its_model(self):
        out = self.path("dense model.safetensors")
        result = self.run_command([VITGATE, "train", "--from", self.teacher, "--data",
                                   self.pictures, "--steps", "2", "--batch-size", "8", "-o", out])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("agreement  ", result.stdout)
        command = shlex.split(result.stdout.splitlines()[-1].removeprefix("next: "))
        self.assertEqual(command[:4], ["vitgate", "compress", "--teacher", out])
        short = [arg if arg != "1h" else "0.01s" for arg in command[1:]]
        again = self.run_command([VITGATE, *short])
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertTrue(os.path.exists(self.path("dense model-small.safetensors")))


if __name__ == "__main__":
    unittest.main()
