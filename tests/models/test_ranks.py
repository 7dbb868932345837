"""Tests vitgate train and vitgate compress under mpirun: ranks that share a batch give the result of
one process.

Usage: test_ranks.py [unittest's arguments]; $VITGATE is the command.
"""

import array
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import random_model
from colour_model import read_safetensors
from ranks_case import ENVIRONMENT, MPIRUN, VITGATE, RanksCase

RATE = 1e-3
WEIGHTS = 0.2 * RATE  # absolute; the optimizer's steps have the size of the rate
LOSSES = 1e-4  # relative; the sums of floats are made in another order
REGRESSIONS = 5e-4  # absolute; weights solved for from such sums


class RanksTest(RanksCase):
    def train(self, name, *more, steps=20):
        return [VITGATE, "train", "--from", self.teacher, "--teacher", self.teacher, "--data",
                self.pictures, "--batch-size", "8", "--threads", "1", "--mixup", "0.5", "--steps",
                str(steps), "-o", self.path(name), "--name", "n", *more]

    def compress(self, name, *more, steps=20):
        return [VITGATE, "compress", "--teacher", self.teacher, "--data", self.pictures,
                "--target", "0.6", "--batch-size", "8", "--threads", "1", "--steps", str(steps),
                "--precision", "float32", "-o", self.path(name), "--name", "n", *more]

    def losses(self, name):
        with open(self.path(name) + ".training/log.jsonl", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [{key: value for key, value in line.items()
                 if isinstance(value, (int, float)) and key != "images_per_second"}
                for line in lines if "loss" in line]

    def notes(self, name):
        with open(self.path(name) + ".training/log.jsonl", encoding="utf-8") as file:
            return [line["note"] for line in map(json.loads, file) if "note" in line]

    def sums(self, name):
        with open(self.path(name) + ".training/log.jsonl", encoding="utf-8") as file:
            return [line["sums"] for line in map(json.loads, file) if "sums" in line]

    def assert_close(self, a, b):
        self.assertEqual(len(a), len(b))
        self.assertTrue(a)
        for line, other in zip(a, b):
            self.assertEqual(line.keys(), other.keys())
            for key, value in line.items():
                self.assertAlmostEqual(value, other[key], delta=LOSSES * max(1e-3, abs(value)),
                                       msg=key)

    def values(self, name):
        tensors, metadata = read_safetensors(self.path(name))
        return tensors, json.loads(metadata["vitgate"])

    def assert_alike(self, name, other, tolerance=WEIGHTS):
        """The models' tensors and description are those of the other up to rounding"""
        tensors, description = self.values(name)
        others, expected = self.values(other)
        self.assertEqual(tensors.keys(), others.keys())
        for key, tensor in tensors.items():
            a, b = (array.array("f", bytes(each[2])) for each in (tensor, others[key]))
            self.assertEqual(len(a), len(b), key)
            worst = max(abs(x - y) for x, y in zip(a, b))
            # The keys' bias has no effect on the loss, so its steps are noise.
            self.assertLess(worst, 20 * RATE if key.endswith("qkv.bias") else tolerance, key)
        self.assertEqual(description.get("blocks"), expected.get("blocks"))


class SameResultTest(RanksTest):
    def succeed(self, n, arguments, **environment):
        """In float32: a sum that differs by rounding would make some weights round to another
        bfloat16 value in the next step, and losses agree to 1e-3 only"""
        return super().succeed(n, arguments, VITGATE_CPU_MASK="fast-bf16", **environment)

    def check(self, make, *more, ranks=(2, 4)):
        self.succeed(0, make("one", *more))
        for n in ranks:
            name = f"ranks{n}"
            self.succeed(n, make(name, *more))
            self.assert_close(self.losses("one"), self.losses(name))

    def test_train_gives_the_result_of_one_process(self):
        self.check(self.train)
        self.assert_alike("ranks2", "one")
        self.assert_alike("ranks4", "one")

    def test_compress_gives_the_result_of_one_process(self):
        self.check(self.compress, ranks=(2,))

    def test_units_and_token_gates_are_those_of_one_process(self):
        """Ranks share out the photographs that they are found on, also if some get none"""
        for ranks, units, gates in ((3, "40", "25"), (6, "11", "10")):
            more = ("--no-train", "--static-target", "0.6", "--calibration-images", units,
                    "--gate-images", gates)
            names = f"one for {ranks}", f"ranks {ranks}"
            self.succeed(0, self.compress(names[0], *more))
            self.succeed(ranks, self.compress(names[1], *more))
            self.assert_alike(*names, REGRESSIONS)
            told = [[note for note in self.notes(name) if note.startswith(("structure", "gates"))]
                    for name in names]
            self.assertEqual(len(told[0]), 2)
            self.assertNotIn("4/64 4/64 4/64", told[0][0])
            self.assertEqual(told[0], told[1])

    def test_module_gates_decide_over_the_whole_batch(self):
        self.check(self.compress, "--gates", "module", "--sub-groups", "even:4", "--gate-spread",
                   "0.1", ranks=(2, 4))

    def test_one_rank_equals_no_mpirun(self):
        self.succeed(0, self.train("none"))
        self.succeed(1, self.train("one"))
        self.assertEqual(self.bytes_of("none"), self.bytes_of("one"))

    def test_ranks_equal_as_many_threads_bit_by_bit_and_each_other(self):
        self.succeed(0, self.train("threads", "--threads", "2"))
        self.succeed(2, self.train("ranks"))
        self.succeed(2, self.train("again"))
        self.assertEqual(self.bytes_of("again"), self.bytes_of("ranks"))
        self.assertEqual(self.losses("threads"), self.losses("ranks"))
        self.assertEqual(self.values("threads")[0], self.values("ranks")[0])

    def test_sums_during_the_backward_pass_give_the_bits_of_sums_after_it(self):
        more = ("--gates", "module", "--sub-groups", "even:4", "--threads", "2")
        self.succeed(2, self.compress("during", *more))
        self.succeed(2, self.compress("after", *more), VITGATE_MPI_OVERLAP="0")
        self.assertEqual(self.bytes_of("during"), self.bytes_of("after"))
        for name, overlap in (("during", True), ("after", False)):
            sums = self.sums(name)[-1]
            self.assertEqual((sums["ranks"], sums["overlap"]), (2, overlap))
            self.assertGreaterEqual(len(sums["parts"]), 2 + random_model.DEPTH)
            self.assertGreater(sums["step_milliseconds"], sums["waiting_milliseconds"])

    def test_ranks_of_two_threads_give_the_result_of_four_threads(self):
        self.succeed(0, self.train("threads", "--threads", "4"))
        self.succeed(2, self.train("ranks", "--threads", "2"))
        self.assert_close(self.losses("threads"), self.losses("ranks"))
        self.assert_alike("ranks", "threads")

    def test_only_the_first_rank_prints(self):
        result = self.succeed(3, self.train("out"))
        self.assertEqual(len(re.findall(r"^step 20/20", result.stderr, re.M)), 1, result.stderr)
        self.assertEqual(result.stdout.count("run time"), 1)
        self.assertIn("3 ranks summed up", result.stderr)


class EvalTest(RanksTest):
    def evaluate(self, n, *more):
        result = self.succeed(n, [VITGATE, "eval", "--json", "--data", self.path("data"), *more,
                                  self.teacher])
        report = json.loads(result.stdout)
        self.assertGreater(report.pop("images_per_second"), 0)
        notes = [line for line in result.stderr.splitlines() if line.startswith("vitgate")]
        return report, notes

    def test_eval_prints_the_figures_of_one_process(self):
        shutil.copytree(self.pictures, self.path("data"))
        folder = next(root for root, _, files in os.walk(self.path("data")) if files)
        for name in ("0broken.png", "zbroken.png"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"no picture")
        student = self.path("student")
        shutil.copy(self.teacher, student)
        for more in ((), ("--batch-size", "4", "--reference", student)):
            wanted = self.evaluate(0, *more)
            self.assertEqual(wanted[0]["skipped"], 2)
            for n in (2, 3):
                self.assertEqual(self.evaluate(n, *more), wanted)

    def test_eval_refuses_groups_of_images(self):
        self.fail_with("--granularity works only in one process", 2,
                       [VITGATE, "eval", "--data", self.pictures, "--granularity", "batch",
                        self.teacher])


class EndTest(RanksTest):
    def wait_for_steps(self, process, name, steps):
        log = self.path(name) + ".training/log.jsonl"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    if any('"step":%d,' % steps in line.replace(" ", "") for line in file):
                        return
            time.sleep(0.05)
        self.fail("the run does not get on")

    def ranks_of(self, process):
        """Returns the process numbers of the ranks, by rank"""
        ranks = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    environment = file.read().split(b"\0")
                with open(f"/proc/{entry}/status", encoding="utf-8") as file:
                    parent = int(re.search(r"^PPid:\s+(\d+)", file.read(), re.M).group(1))
            except (OSError, ValueError, AttributeError):
                continue
            for variable in environment:
                if variable.startswith(b"OMPI_COMM_WORLD_RANK=") and parent == process.pid:
                    ranks[int(variable.split(b"=")[1])] = int(entry)
        return ranks

    def interrupt(self, name, number):
        """Starts a long run, sends a signal to rank 1, and returns its standard error"""
        with subprocess.Popen(self.launch(2, self.train(name, steps=100000)),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              encoding="utf-8", env=ENVIRONMENT) as process:
            try:
                self.wait_for_steps(process, name, 20)
                os.kill(self.ranks_of(process)[1], number)
                start = time.monotonic()
                _, stderr = process.communicate(timeout=30)
            except BaseException:
                process.kill()
                raise
        self.assertLess(time.monotonic() - start, 10)
        self.assertNotEqual(process.returncode, 0)
        return stderr

    def test_a_killed_rank_ends_all_and_is_named(self):
        stderr = self.interrupt("out", signal.SIGKILL)
        self.assertRegex(stderr, r"rank 1\b.*\n?.*(signal 9|Killed)")
        self.assertTrue(os.path.exists(self.path("out.training/checkpoint.safetensors")))

    def test_a_stopped_run_goes_on_with_other_ranks(self):
        stderr = self.interrupt("out", signal.SIGUSR1)
        self.assertEqual(stderr.count("continue with --resume"), 1, stderr)
        step = int(re.search(r"stopped after step (\d+)", stderr).group(1))
        # The number of steps is part of the checkpoint, so the run is stopped once more.
        with subprocess.Popen(self.launch(3, self.train("out", "--resume",
                                                        self.path("out.training"), steps=100000)),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              encoding="utf-8", env=ENVIRONMENT) as process:
            try:
                self.wait_for_steps(process, "out", (step // 20 + 3) * 20
                                    if step % 20 == 0 else step + 40)
                os.kill(self.ranks_of(process)[0], signal.SIGUSR1)
                _, stderr = process.communicate(timeout=30)
            except BaseException:
                process.kill()
                raise
        self.assertIn(f"resumed after step {step}", stderr)

    def test_ranks_that_disagree_are_refused(self):
        self.fail_with("rank 1 of 2 has other arguments", 0,
                       [MPIRUN, "-n", "1", *self.train("a"), ":", "-n", "1",
                        *self.train("a", "--seed", "7")])

    def test_ranks_with_other_photographs_are_refused(self):
        shutil.copytree(self.pictures, self.path("pictures"))
        call = self.train("a")
        call[call.index(self.pictures)] = "pictures"
        for place in ("x", "y"):
            os.mkdir(self.path(place))
            shutil.copytree(self.pictures, self.path(place, "pictures"))
        removed = os.path.join(self.path("y", "pictures"),
                               sorted(os.listdir(self.path("y", "pictures")))[0])
        shutil.rmtree(removed) if os.path.isdir(removed) else os.remove(removed)
        self.fail_with("rank 1 of 2 has other photographs", 0,
                       [MPIRUN, "-n", "1", "--wdir", self.path("x"), *call, ":", "-n", "1",
                        "--wdir", self.path("y"), *call])
        shutil.rmtree(self.path("y", "pictures"))
        self.fail_with("rank 1 of 2: pictures: ", 0,
                       [MPIRUN, "-n", "1", "--wdir", self.path("x"), *call, ":", "-n", "1",
                        "--wdir", self.path("y"), *call])

    def test_too_few_photographs_for_token_gates_are_counted_over_all_ranks(self):
        self.fail_with("9 photographs to fit token gates, expected at least 10", 2,
                       self.compress("a", "--gate-images", "9"))

    def test_errors_of_all_ranks_are_printed_once(self):
        self.fail_with("--rate", 2, self.train("a", "--rate", "1"))
        self.fail_with("expected at least 1 image for each of 4 ranks", 4,
                       self.train("a", "--batch-size", "2"))
        self.fail_with("expected --sub-groups sample", 2,
                       self.compress("a", "--sub-groups", "even:4", "--no-merging"))

    def test_processes_that_nothing_connects_are_refused(self):
        for number, told in (("0", 1), ("1", 0)):
            result = self.run_ranks(0, self.train("a"), SLURM_STEP_NUM_TASKS="2",
                                    SLURM_PROCID=number)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.count("nothing connects them"), told, result.stderr)
        self.assertFalse(os.path.exists(self.path("a")))

    def test_other_commands_refuse_several_ranks(self):
        self.fail_with("works in one process", 2, [VITGATE, "inspect", self.teacher])


if __name__ == "__main__":
    unittest.main()
