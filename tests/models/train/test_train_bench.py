"""Tests what `vitgate bench --train` prints and which arguments it refuses.

Usage: test_train_bench.py [unittest's arguments]. $VITGATE is the command; $PYTHONPATH contains
tests/models.
"""

import json
import os
import unittest

import gated_model
from command_case import CommandTest

NO_BF16 = {**os.environ, "VITGATE_CPU_MASK": "avx512-bf16"}


class TrainBenchTest(CommandTest):
    def bench(self, *arguments, **options):
        return json.loads(
            self.succeed("bench", "--train", "--json", "--seconds", "0.05", *arguments, **options)
        )

    def assert_result(self, result):
        ms = result["ms_per_image"]
        self.assertGreater(ms["min"], 0)
        self.assertLessEqual(ms["min"], ms["median"])
        self.assertLessEqual(ms["median"], ms["p95"])
        self.assertAlmostEqual(result["images_per_second"] * ms["median"], 1000)
        self.assertGreater(result["steps"], 0)

    def test_defaults(self):
        found = self.bench(self.weights)
        self.assertEqual((found["threads"], found["batch_size"]), (2, 32))
        precisions = [result["precision"] for result in found["training"]]
        self.assertIn(precisions, (["float32"], ["float32", "bf16"]))
        for result in found["training"]:
            self.assert_result(result)

    def test_one_precision(self):
        found = self.bench("--precision", "float32", "--threads", "3", "--batch-size", "2",
                           self.weights)
        self.assertEqual((found["threads"], found["batch_size"]), (3, 2))
        self.assertEqual([result["precision"] for result in found["training"]], ["float32"])

    def test_one_image_on_two_threads(self):
        self.bench("--batch-size", "1", self.weights)

    def test_gated_model(self):
        model = self.path("gated.safetensors")
        gated_model.write_model(model)
        self.bench("--batch-size", "3", model)

    def test_text(self):
        text = self.succeed("bench", "--train", "--seconds", "0.05", self.weights)
        self.assertIn("2 threads, batches of 32", text)
        self.assertIn("images per second", text)

    def test_cpu_without_bf16(self):
        found = self.bench(self.weights, env=NO_BF16)
        self.assertEqual([result["precision"] for result in found["training"]], ["float32"])
        self.fail_with("has no instructions for bf16", "bench", "--train", "--precision", "bf16",
                       self.weights, env=NO_BF16)

    def test_bad_arguments(self):
        for part, arguments in (
            ("--precision", ["--train", "--precision", "float8"]),
            ("float64", ["--precision", "float64"]),
            ("--data", ["--train", "--data", self.folder]),
            ("--batch-size", ["--train", "--batch-size", "0"]),
            ("--threads", ["--train", "--threads", "0"]),
            ("--seconds", ["--train", "--seconds", "0"]),
        ):
            with self.subTest(" ".join(arguments)):
                self.fail_with(part, "bench", *arguments, self.weights)

    def test_bad_model(self):
        self.fail_with("absent", "bench", "--train", self.path("absent.safetensors"))


if __name__ == "__main__":
    unittest.main()
