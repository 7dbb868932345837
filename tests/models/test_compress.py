"""Tests vitgate compress as users run it, with a small random teacher and generated pictures.

Usage: test_compress.py [unittest's arguments]; $VITGATE is the command.
"""

import fcntl
import json
import math
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import dialects
import random_model
from colour_model import read_safetensors, write_safetensors

VITGATE = os.environ.get("VITGATE", "vitgate")
ENVIRONMENT = dict(os.environ, OPENBLAS_NUM_THREADS="1")
COLUMNS = 80


def description_of(model):
    _, metadata = read_safetensors(model)
    return json.loads(metadata["vitgate"])


class CompressTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="vitgate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.teacher = os.path.join(cls.shared, "teacher.safetensors")
        random_model.write_teacher(cls.teacher)
        cls.pictures = os.path.join(cls.shared, "pictures")
        random_model.write_pictures(cls.pictures, 100)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vitgate-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.path("student.safetensors")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def arguments(self, *more, steps=40, out=None):
        arguments = [VITGATE, "compress", "--teacher", self.teacher, "--data", self.pictures,
                     "--target", "0.6", "--batch-size", "8", "-o", out or self.out]
        return arguments + (["--steps", str(steps)] if steps else []) + list(more)

    def run_command(self, arguments, **options):
        return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8", timeout=120, check=False, env=ENVIRONMENT,
                              **options)

    def compress(self, *more, **options):
        result = self.run_command(self.arguments(*more, **options))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def on_terminal(self, arguments):
        """Returns the lines that a terminal of 80 columns gets, each redrawing as its own line"""
        try:
            terminal, stderr = os.openpty()
        except OSError as error:
            self.skipTest(f"cannot open a terminal: {error}")
        fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=stderr,
                              env=ENVIRONMENT) as process:
            os.close(stderr)
            text = b""
            while True:
                try:  # reading from a closed terminal gives an error
                    text += os.read(terminal, 4096)
                except OSError:
                    break
            os.close(terminal)
            self.assertEqual(process.wait(timeout=60), 0, text.decode())
        return re.split(r"[\r\n]+", text.decode().replace("\x1b[K", ""))

    def fail_with(self, part, arguments, **options):
        result = self.run_command(arguments, **options)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(part, result.stderr.splitlines()[-1])
        self.assertFalse(os.path.exists(self.out))
        return result.stderr

    def log(self, out=None):
        with open((out or self.out) + ".training/log.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def inspect(self, model=None):
        result = self.run_command([VITGATE, "inspect", "--json", model or self.out])
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def evaluate(self, *more):
        result = self.run_command([VITGATE, "eval", "--json", "--data", self.pictures, *more,
                                   self.out])
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)


class ResultTest(CompressTest):
    def test_training_lowers_the_loss(self):
        self.compress("--static-target", "0.5", "--no-gates", "--no-merging",
                      "--learning-rate", "2e-3", steps=200)
        lines = [line for line in self.log() if "loss" in line]
        self.assertEqual(lines[-1]["step"], 200)
        self.assertLess(lines[-1]["loss"], 0.7 * lines[0]["loss"])
        held_out = [line for line in self.log() if "held_out_divergence" in line]
        self.assertEqual([line["step"] for line in held_out], [100, 200])
        self.assertLess(held_out[1]["held_out_divergence"], held_out[0]["held_out_divergence"])

    def test_following_the_teacher_between_blocks_brings_the_student_closer(self):
        deep = self.path("deep.safetensors")
        random_model.write_teacher(deep, depth=5)
        features = []
        for weight in ("0", "1e-6", "1"):
            self.compress("--teacher", deep, "--features", weight, "--mixup", "0.5",
                          "--static-only", "--learning-rate", "2e-3",
                          steps=100 if float(weight) else 20, out=self.path(weight))
            lines = [line for line in self.log(self.path(weight)) if "loss" in line]
            features.append(lines[-1]["features"])
        self.assertEqual(features[0], 0)
        self.assertLess(features[2], 0.9 * features[1])

    def test_the_student_is_smaller_and_has_a_dial(self):
        self.compress()
        found = self.inspect()
        self.assertLess(found["gmacs"]["model"], 0.81 * found["gmacs"]["dense"])
        dial = found["dial"]
        self.assertLess(dial["min_compute"], dial["max_compute"])
        values = [point["compute"] for point in dial["calibration"]]
        self.assertEqual(values, sorted(values))
        self.assertEqual(found["stored_precision"], "int8")
        agreement = found["precision_agreement"]
        self.assertEqual(found["precision"] == "int8",
                         agreement["int8"] >= agreement["float32"] - 0.015)
        self.assertEqual(found["provenance"]["teacher"], "teacher.safetensors")
        self.assertEqual(found["provenance"]["teacher_name"], "random_model")
        self.assertEqual(found["model"], "student")

    def test_a_name_chosen_by_the_user(self):
        self.compress("--name", "yard camera", "--static-only", "--no-train", steps=0)
        self.assertEqual(self.inspect()["model"], "yard camera")

    def test_the_dial_delivers_its_compute_on_the_data(self):
        self.compress("--no-gates")
        dial = self.inspect()["dial"]
        for point in dial["calibration"][:: max(1, len(dial["calibration"]) // 3)]:
            found = self.evaluate("--compute", str(point["compute"]))
            # The table was measured on the few held-out pictures, this on all.
            self.assertAlmostEqual(found["compute_ratio"]["mean"], point["compute"], delta=0.1)

    def test_a_head_on_the_mean_of_all_patches(self):
        teacher = self.path("pooled.safetensors")
        random_model.write_teacher(teacher, pooling="mean")
        self.compress("--teacher", teacher, "--static-target", "0.5", "--no-gates", "--no-merging",
                      "--learning-rate", "2e-3", steps=200)
        lines = [line for line in self.log() if "loss" in line]
        self.assertLess(lines[-1]["loss"], 0.8 * lines[0]["loss"])

        self.compress("--teacher", teacher, "--gates", "module", steps=60)
        self.assertEqual(description_of(self.out)["pooling"], "mean")
        cheapest = self.inspect()["dial"]["calibration"][0]
        self.assertLess(min(cheapest["merge_thresholds"]), 1)
        self.assertTrue(any("attention_gate" in block or "mlp_gate" in block
                            for block in description_of(self.out)["blocks"]))
        shares = [self.evaluate("--compute", compute)["compute_ratio"]["mean"]
                  for compute in ("0.4", "0.8")]
        self.assertLess(shares[0], shares[1])

    def test_the_log_records_what_gates_do(self):
        self.compress("--gates", "module", steps=20)
        line = [line for line in self.log() if "loss" in line][-1]
        self.assertEqual(len(line["gate_spread"]), 2 * random_model.DEPTH)
        self.assertIsNone(line["gate_spread"][0])
        self.assertGreaterEqual(line["gate_spread"][2], 0)
        self.assertEqual(line["module_usage"][0], 1)

    def test_only_the_selected_classes_are_kept(self):
        classes = self.path("classes.txt")
        with open(classes, "w", encoding="utf-8") as file:
            file.write("robin\nn00000000\n")
        self.compress("--classes", classes, steps=5)
        found = self.inspect()
        self.assertEqual(found["classes"], 2)
        self.assertEqual(description_of(self.out)["labels"], ["robin", "pike"])

    def test_a_distilled_student_keeps_both_heads(self):
        published, teacher = self.path("published.safetensors"), self.path("distilled.safetensors")
        labels, classes = self.path("labels.txt"), self.path("classes.txt")
        write_safetensors(published, dialects.timm(distilled=True))
        for path, lines in ((labels, random_model.LABELS), (classes, random_model.LABELS[1:4])):
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines))
        result = self.run_command([VITGATE, "import", published, "-o", teacher, "--labels", labels,
                                   *dialects.HEADS_OPTION])
        self.assertEqual(result.returncode, 0, result.stderr)
        for more in ([], ["--classes", classes]):
            with self.subTest(more):
                self.compress("--teacher", teacher, "--precision", "float32", *more, steps=20)
                tensors, _ = read_safetensors(self.out)
                self.assertTrue(description_of(self.out)["distilled"])
                self.assertIn("dist_token", tensors)
                heads = [tensors[name + ".weight"] for name in ("head", "head_dist")]
                for _, shape, _ in heads:
                    self.assertEqual(shape, [3 if more else 5, random_model.DIM])
                self.assertNotEqual(*heads)
                self.assertEqual(self.evaluate()["images"], 100)

    def test_a_cut_can_start_from_another(self):
        first = self.path("first.safetensors")
        self.compress("--params-target", "0.8", "--static-only", "--precision", "float32",
                      "--target", "1", steps=5, out=first)
        self.compress("--from", first, "--params-target", "0.6")
        dense, earlier, later = self.inspect(self.teacher), self.inspect(first), self.inspect()
        self.assertLessEqual(earlier["parameters"], 0.8 * dense["parameters"])
        tensors, _ = read_safetensors(self.out)
        gates = sum(math.prod(tensors[name][1]) for name in tensors if "gate" in name)
        # Gates are not counted; the calibration decides how many are kept.
        self.assertLessEqual(later["parameters"] - gates, 0.6 * dense["parameters"])
        self.assertEqual(later["gmacs"]["dense"], earlier["gmacs"]["dense"])
        self.assertEqual(later["provenance"]["from"], "first.safetensors")
        self.assertEqual(later["provenance"]["of_from"], earlier["provenance"])
        for before, after in zip(earlier["blocks"], later["blocks"]):
            self.assertLessEqual(after["heads"], before["heads"])
            self.assertLessEqual(after["neurons"], before["neurons"])

    def test_the_structure_can_be_searched(self):
        self.compress("--search", steps=80)
        self.assertIn("structure", " ".join(line.get("note", "") for line in self.log()))
        self.assertLessEqual(self.inspect()["gmacs"]["model"], random_model.dense_gmacs())

    def test_a_cut_needs_neither_labels_nor_training(self):
        plain = self.path("unlabelled")
        os.mkdir(plain)
        for i, (place, _, files) in enumerate(os.walk(self.pictures)):
            for name in files:
                shutil.copy(os.path.join(place, name), os.path.join(plain, f"{i}-{name}"))
        self.compress("--static-only", "--no-train", "--data", plain, steps=0)
        found = self.inspect()
        self.assertLessEqual(found["gmacs"]["model"], 0.6 * found["gmacs"]["dense"])
        self.assertEqual(found["provenance"]["steps"], 0)
        self.assertNotIn("learning_rate", found["provenance"])

    def test_few_photographs_are_ranked_on_once_each_with_progress_on_a_terminal(self):
        deep = self.path("deep.safetensors")
        random_model.write_teacher(deep, depth=12)
        lines = self.on_terminal(
            self.arguments("--teacher", deep, "--static-only", "--no-train", steps=0))
        n_training = self.inspect()["provenance"]
        n_training = n_training["photographs"] - n_training["held_out"]
        self.assertLess(n_training, 1500)
        self.assertIn(f"ranking heads and neurons on up to {n_training} photographs", lines)
        self.assertRegex("\n".join(lines), r"ranking heads and neurons: \d+ %, .*left")

    def test_the_requested_number_of_threads_decodes(self):
        process = subprocess.Popen(self.arguments("--threads", "3", steps=2000),
                                   stderr=subprocess.PIPE, encoding="utf-8", env=ENVIRONMENT)
        for line in process.stderr:
            if line.startswith("step "):
                break
        names = []
        for thread in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{thread}/comm", encoding="utf-8") as file:
                names.append(file.read().strip())
        process.kill()
        process.communicate(timeout=60)
        self.assertEqual(names.count("vitgate-batches"), 3, names)

    def test_sub_groups_and_granularity_are_accepted(self):
        for gates in (["--gates", "module"], ["--no-merging"]):
            for more in (["--granularity", "batch"], ["--granularity", "group:4"],
                         ["--sub-groups", "random"], ["--sub-groups", "none"]):
                with self.subTest(gates + more):
                    self.compress(*gates, *more, steps=3)
        for more in (["--gates", "constant"], ["--gates", "random"],
                     ["--gates", "constant", "--search"]):
            with self.subTest(more):
                self.compress(*more, steps=3)


class ResumeTest(CompressTest):
    STEPS = 160  # after the first report there is still time for a signal

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.students = {}

    def unbroken(self, *more):
        """Returns the student of an uninterrupted run, which is made once."""
        if more not in self.students:
            self.compress("--seed", "5", *more, steps=self.STEPS)
            with open(self.out, "rb") as file:
                self.students[more] = file.read()
        return self.students[more]

    def interrupted(self, name, how, *more, behind="step "):
        """Stops a run with the signal @how after a line that starts with @behind, and resumes it"""
        out = self.path(name)
        arguments = self.arguments("--seed", "5", "--name", "student", *more, steps=self.STEPS,
                                   out=out)
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   encoding="utf-8", env=ENVIRONMENT)
        for line in process.stderr:
            if line.startswith(behind):
                break
        process.send_signal(how)
        rest = process.communicate(timeout=60)[1]
        self.assertNotEqual(process.returncode, 0)
        if how != signal.SIGKILL and behind == "step ":
            self.assertIn("continue with --resume", rest)
        self.assertFalse(os.path.exists(out))
        result = self.run_command(arguments + ["--resume", out + ".training"])
        self.assertEqual(result.returncode, 0, result.stderr)
        if behind != "structure":
            self.assertIn("resumed after step", result.stderr)
        with open(out, "rb") as file:
            return file.read()

    def test_a_resumed_run_ends_like_an_uninterrupted_one(self):
        unbroken = self.unbroken()
        for how in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            with self.subTest(how):
                self.assertEqual(self.interrupted(how.name, how), unbroken)

    def test_a_run_stopped_before_or_after_its_steps_loses_none(self):
        unbroken = self.unbroken()
        for name, behind in (("begun", "structure"), ("trained", "calibrating")):
            with self.subTest(behind):
                self.assertEqual(self.interrupted(name, signal.SIGINT, behind=behind), unbroken)

    def test_a_resumed_search_ends_like_an_uninterrupted_one(self):
        unbroken = self.unbroken("--search")
        self.assertEqual(self.interrupted("again", signal.SIGTERM, "--search"), unbroken)

    def test_another_seed_gives_another_student(self):
        students = []
        for seed in ("1", "2"):
            self.compress("--seed", seed, "--name", "student", steps=3, out=self.path(seed))
            with open(self.path(seed), "rb") as file:
                students.append(file.read())
        self.assertNotEqual(*students)

    def test_a_run_cannot_be_resumed_with_other_options(self):
        self.compress(steps=3)
        os.remove(self.out)
        classes = self.path("classes.txt")
        with open(classes, "w", encoding="utf-8") as file:
            file.write("robin\npike\n")
        for part, *more in (
            ("started with seed 0, not 7", "--seed", "7"),
            ("started with classes null, not", "--classes", classes),
            ("started with folders [], not", "--folder", random_model.IDS[0]),
            ("started with folder-weights [], not", "--folder-weight", random_model.IDS[0] + "=2"),
            ("started with gates true, not false", "--no-gates"),
        ):
            with self.subTest(part):
                self.fail_with(part, self.arguments(
                    *more, "--resume", self.out + ".training", steps=3))

    def test_a_time_limit_is_kept(self):
        start = time.monotonic()
        self.compress("--time-limit", "2s", steps=0)
        self.assertLess(time.monotonic() - start, 60)  # includes ranking and calibration
        self.assertTrue(any("fit into the time limit" in line.get("note", "")
                            for line in self.log()))


class BadInputTest(CompressTest):
    def test_missing_options(self):
        self.fail_with("--teacher", [VITGATE, "compress", "-o", self.out])
        self.fail_with("--data", [VITGATE, "compress", "--teacher", self.teacher, "-o", self.out])
        self.fail_with("--steps or --time-limit", self.arguments(steps=0))
        self.fail_with("absent.safetensors", self.arguments("--teacher", "absent.safetensors"))
        self.fail_with("absent.tar", [VITGATE, "compress", "--teacher", self.teacher, "--data",
                                      "absent.tar", "--steps", "1", "-o", self.out])

    def test_values_out_of_range(self):
        for option, value in (("--target", "0"), ("--target", "1.5"), ("--batch-size", "1"),
                              ("--time-limit", "soon"), ("--granularity", "some"),
                              ("--sub-groups", "even:0"), ("--folder-weight", "x"),
                              ("--precision", "int3"), ("--steps", "-1"), ("--gates", "some"),
                              ("--learning-rate", "0"), ("--labels", "-1"),
                              ("--threads", "0")):
            with self.subTest(option + " " + value):
                self.fail_with(option, self.arguments(option, value))

    def test_a_batch_that_does_not_fit_into_memory(self):
        with open("/proc/meminfo", encoding="ascii") as file:
            free = int(re.search(r"MemAvailable: *(\d+)", file.read()).group(1)) * 1024
        # The activations of such an image take about twenty megabytes.
        if free > 1024 * 20_000_000:
            self.skipTest("too much memory")
        wide = self.path("wide.safetensors")
        random_model.write_teacher(wide, image=512)
        self.fail_with("--batch-size 1024 needs", self.arguments("--teacher", wide,
                                                                 "--batch-size", "1024"))

    def test_a_target_that_cannot_be_reached(self):
        text = self.fail_with("out of reach", self.arguments("--static-target", "0.02"))
        self.assertRegex(text, r"0\.\d+ of the dense network's multiply-adds remain")

    def test_no_pictures(self):
        empty = self.path("empty")
        os.mkdir(empty)
        arguments = [VITGATE, "compress", "--teacher", self.teacher, "--data", empty, "--steps",
                     "1", "-o", self.out]
        self.fail_with("empty", arguments)

    def test_one_picture(self):
        random_model.write_pictures(self.path("one"), 1)
        arguments = [VITGATE, "compress", "--teacher", self.teacher, "--data", self.path("one"),
                     "--steps", "1", "-o", self.out]
        self.fail_with("held out", arguments)

    def test_labels_out_of_range(self):
        data = self.path("data")
        random_model.write_pictures(data, 40)
        with open(os.path.join(data, "labels.tsv"), "w", encoding="utf-8") as file:
            file.write("file\tclass_index\twnid\nn00000000/000.png\t17\t\n")
        arguments = [VITGATE, "compress", "--teacher", self.teacher, "--data", data, "--steps",
                     "1", "-o", self.out]
        self.fail_with("17", arguments)

    def test_corrupt_pictures_are_named_and_skipped(self):
        data = self.path("data")
        random_model.write_pictures(data, 60)
        for i in range(0, 60, 5):
            with open(os.path.join(data, random_model.IDS[0], f"{i:03}.png"), "wb") as file:
                file.write(b"\x89PNG\r\n\x1a\nnonsense")
        arguments = [VITGATE, "compress", "--teacher", self.teacher, "--data", data, "--steps",
                     "10", "--batch-size", "8", "--target", "0.7", "-o", self.out]
        result = self.run_command(arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"skipped .*n00000000/0\d\d\.png")

    def test_a_class_unknown_to_the_teacher(self):
        classes = self.path("classes.txt")
        with open(classes, "w", encoding="utf-8") as file:
            file.write("robin\ngiraffe\n")
        self.fail_with("giraffe", self.arguments("--classes", classes))

    def test_a_pipe_is_rejected_without_waiting_for_its_writer(self):
        pipe = self.path("pipe")
        os.mkfifo(pipe)
        for option in ("--classes", "--data", "--teacher"):
            with self.subTest(option):
                self.fail_with("pipe", self.arguments(option, pipe))

    def test_a_model_that_cannot_be_continued(self):
        classes, gated = self.path("classes.txt"), self.path("gated.safetensors")
        with open(classes, "w", encoding="utf-8") as file:
            file.write("robin\npike\n")
        self.compress("--gates", "random", steps=3, out=gated)
        self.fail_with("no gates", self.arguments("--from", gated))
        self.fail_with("class counts", self.arguments("--from", self.teacher, "--classes", classes))
        self.fail_with("absent", self.arguments("--from", self.path("absent")))

    def test_a_missing_folder(self):
        self.fail_with("n00000009", self.arguments("--folder", "n00000009"))

    def test_a_folder_that_cannot_be_written(self):
        self.fail_with("absent", self.arguments(out=self.path("absent", "student")))

    def test_a_full_disk_is_detected_before_the_first_step(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

        text = self.fail_with("checkpoint", self.arguments(), preexec_fn=limit)
        self.assertNotIn("step ", text)

    def test_a_loss_that_is_not_finite_stops_the_run(self):
        text = self.fail_with("not finite", self.arguments("--learning-rate", "1e30", steps=100))
        self.assertRegex(text.splitlines()[-1], r"step \d+: .* is not finite")
        checkpoint = self.out + ".training/checkpoint.safetensors"
        entries, _ = read_safetensors(checkpoint)
        self.assertEqual(set(entries), {"values", "m", "v", "average"})


if __name__ == "__main__":
    unittest.main()
