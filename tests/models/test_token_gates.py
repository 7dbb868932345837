"""Tests the token gates that vitgate compress fits, as users run it."""

import os
import unittest

import random_model
from colour_model import read_safetensors
from test_compress import VITGATE, CompressTest, description_of


class TokenGateTest(CompressTest):
    def gates(self):
        return [block.get(name) for block in description_of(self.out)["blocks"]
                for name in ("attention_token_gate", "mlp_token_gate")]

    def test_modules_between_the_first_and_the_last_get_gates(self):
        self.compress("--no-merging", steps=20)
        self.assertEqual([gate is not None for gate in self.gates()],
                         [False, False, True, True, False, False])
        dim, neurons = random_model.DIM, random_model.NEURONS
        self.assertEqual(self.gates()[3]["rank"], 2 * neurons // 16 // 4 * 4)
        found = self.inspect()
        self.assertEqual(found["provenance"]["gates"], "token")
        usage = found["provenance"]["gate_usage"]
        self.assertEqual(usage[0], 1)
        self.assertTrue(0 < usage[3] < 1, usage)
        tensors, _ = read_safetensors(self.out)
        self.assertEqual(tensors["blocks.1.mlp_token_gate.weight"][1], [1, dim])

    def test_gates_close_as_the_dial_is_turned_down(self):
        self.compress("--no-merging", "--no-train", steps=0)
        points = self.inspect()["dial"]["calibration"]
        self.assertGreater(len(points), 3)
        self.assertEqual(points[-1]["gate_bias"], 100)
        biases = [point["gate_bias"] for point in points]
        self.assertEqual(biases, sorted(biases))
        ratios = [self.evaluate("--compute", str(points[i]["compute"]))["compute_ratio"]["mean"]
                  for i in (0, len(points) // 2, -1)]
        self.assertEqual(ratios, sorted(ratios))
        for i, ratio in zip((0, len(points) // 2, -1), ratios):
            # The table was measured on the few held-out pictures, this on all.
            self.assertAlmostEqual(ratio, points[i]["compute"], delta=0.05)

    def test_trained_and_controlled(self):
        for more in (["--learn-gates"], ["--gates", "random-tokens"], ["--gates", "shuffled"],
                     ["--gates", "position"]):
            with self.subTest(more):
                self.compress(*more, "--no-merging", steps=10)
                self.assertTrue(any(self.gates()))

    def test_gates_stay_as_fitted_unless_they_learn(self):
        weights = []
        for more in (["--no-train"], [], ["--learn-gates"]):
            self.compress("--no-merging", "--precision", "float32", *more,
                          steps=0 if "--no-train" in more else 10)
            tensors, _ = read_safetensors(self.out)
            weights.append(tensors["blocks.1.mlp_token_gate.weight"][2])
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])

    def test_none(self):
        self.compress("--gates", "none", steps=3)
        self.assertFalse(any(self.gates()))

    def test_a_run_from_a_model_with_gates_fits_them_again_or_removes_them(self):
        first = self.out
        self.compress("--no-merging", steps=5)
        self.out = self.path("second.safetensors")
        self.compress("--from", first, "--no-merging", steps=5)
        self.assertTrue(any(self.gates()))
        self.compress("--from", first, "--gates", "none", "--resume", self.path("third"), steps=5)
        self.assertFalse(any(self.gates()))

    def test_other_programs_do_not_get_gates(self):
        self.compress("--no-merging", "--no-train", steps=0)
        for arguments in ([VITGATE, "export", self.out, "-o", self.path("plain.safetensors")],
                          [VITGATE, "export", "--onnx", self.out, "-o", self.path("plain.onnx")],
                          [VITGATE, "train", "--from", self.out, "--data", self.pictures,
                           "--steps", "1", "-o", self.path("trained.safetensors")]):
            result = self.run_command(arguments)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("a model without gates", result.stderr)

    def test_bad_requests_are_errors(self):
        for part, *more in (
            ("--no-merging, or use --gates module", "--granularity", "batch"),
            ("expected token, module, none", "--gates", "learned"),
            ("expected 1 to 1000000", "--gate-images", "0"),
            ("5 photographs to fit token gates, expected at least 10", "--gate-images", "5"),
        ):
            with self.subTest(part):
                self.fail_with(part, self.arguments(*more, steps=3))

    def test_the_same_photograph_throughout_is_an_error(self):
        pictures = self.path("same")
        os.mkdir(pictures)
        first = None
        for folder, _, names in os.walk(self.pictures):
            for name in names:
                if name.endswith(".png"):
                    first = os.path.join(folder, name)
        for i in range(40):
            os.link(first, os.path.join(pictures, f"{i}.png"))
        arguments = self.arguments(steps=3)
        arguments[arguments.index("--data") + 1] = pictures
        self.fail_with("are the same", arguments)


if __name__ == "__main__":
    unittest.main()
