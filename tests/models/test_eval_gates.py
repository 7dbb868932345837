"""Tests what `vitgate eval` reports about a model with gates and a dial.

Usage: test_eval_gates.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import unittest

import colour_model
import gated_model
from command_case import CommandTest

# GMACs are sums of a dozen doubles.
TOLERANCE = 1e-12

# In the order of their names. No colour is in exactly half of any group that the tests use.
PICTURES = [(1, 0, 0), (1, 0, 1), (0, 1, 0), (1, 1, 0), (1, 1, 1), (0, 0, 1), (0, 0, 0)]
# [2 * depth]: the colour that opens the module's gate; "always" without one, None if it was cut
MODULES = ["always", gated_model.RED, gated_model.GREEN, None, None, gated_model.BLUE,
           "always", "always"]


def decide(colour, batch_size, group_size):
    """Returns for each picture whether a gate for @colour opens, by the majority of its group"""
    decisions = []
    for start in range(0, len(PICTURES), batch_size):
        batch = PICTURES[start : start + batch_size]
        for first in range(0, len(batch), group_size):
            group = batch[first : first + group_size]
            votes = sum(1 if picture[colour] else -1 for picture in group)
            assert votes, "a tie is decided by rounding"
            decisions += [votes > 0] * len(group)
    return decisions


def expected_decisions(batch_size, group_size):
    """Returns [2 * depth]: for each picture, whether the module runs; None if it was cut"""
    return [
        None if module is None
        else [True] * len(PICTURES) if module == "always"
        else decide(module, batch_size, group_size)
        for module in MODULES
    ]


class EvalGatesTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("gated.safetensors")
        gated_model.write_model(self.model)
        corners = [corner for _, *corner in colour_model.COLOURS]
        os.makedirs(self.path("data", "set"))
        with open(self.path("data", "labels.tsv"), "w", encoding="utf-8") as labels:
            labels.write("file\tclass_index\twnid\n")
            for index, corner in enumerate(PICTURES):
                file = f"set/{index}.png"
                colour_model.write_picture(self.path("data", file), corner)
                label = corners.index(list(corner))
                labels.write(f"{file}\t{label}\t{colour_model.IDS[label]}\n")

    def evaluate(self, *arguments, notes=0, model=None):
        return json.loads(self.succeed(
            "eval", "--json", "--data", self.path("data"), *arguments, model or self.model,
            notes=notes,
        ))

    def inspect(self):
        return json.loads(self.succeed("inspect", "--json", self.model))

    def assert_usage(self, found, decisions):
        self.assertEqual(len(found["gate_usage"]), len(decisions))
        for share, runs in zip(found["gate_usage"], decisions):
            if runs is None:
                self.assertIsNone(share)
            else:
                self.assertAlmostEqual(share, sum(runs) / len(runs))

    def test_each_image_decides_for_itself(self):
        for batch_size in (1, 3, 64):
            with self.subTest(batch_size):
                found = self.evaluate("--batch-size", str(batch_size))
                self.assertEqual(found["granularity"], "sample")
                self.assert_usage(found, expected_decisions(batch_size, 1))
                self.assertEqual(found["overall"]["top1"], 100)

    def test_images_decide_together(self):
        for granularity, batch_size, group_size in (
            ("batch", 1, 1), ("batch", 3, 3), ("batch", 7, 7), ("batch", 1024, 1024),
            ("group:1", 7, 1), ("group:3", 7, 3), ("group:3", 3, 3), ("group:3", 4, 3),
        ):
            with self.subTest(f"{granularity} {batch_size}"):
                found = self.evaluate("--granularity", granularity, "--batch-size", str(batch_size))
                self.assertEqual(found["granularity"], granularity)
                self.assert_usage(found, expected_decisions(batch_size, group_size))
                self.assertEqual(found["overall"]["top1"], 100)

    def test_gmacs_are_those_of_the_modules_that_ran(self):
        blocks = self.inspect()["blocks"]
        costs = [1e-3 * block[name] for block in blocks
                 for name in ("attention_mmacs", "mlp_mmacs")]
        fixed = self.inspect()["gmacs"]["model"] - sum(costs)
        for arguments, decisions in (
            ([], expected_decisions(1, 1)),
            (["-g", "group:3", "-b", "7"], expected_decisions(7, 3)),
        ):
            with self.subTest(arguments):
                found = self.evaluate(*arguments)
                each = [
                    fixed + sum(c for c, runs in zip(costs, decisions) if runs and runs[i])
                    for i in range(len(PICTURES))
                ]
                mean = sum(each) / len(each)
                dense = found["gmacs"]["dense"]
                for name, value in (("mean", mean), ("min", min(each)), ("max", max(each))):
                    self.assertAlmostEqual(found["gmacs"][name], value, delta=TOLERANCE)
                    self.assertAlmostEqual(found["compute_ratio"][name], value / dense)
                from_usage = fixed + sum(
                    c * share for c, share in zip(costs, found["gate_usage"]) if share
                )
                self.assertAlmostEqual(from_usage, mean, delta=TOLERANCE)

    def test_the_dial_closes_gates_and_merges_tokens(self):
        found = self.evaluate("--compute", "0.2")
        self.assertEqual(found["compute"], 0.2)
        self.assertEqual(found["gate_usage"], [1, 0, 0, None, None, 0, 1, 1])
        self.assertEqual(
            found["tokens"], {"mean": gated_model.MERGED_TOKENS, "all": colour_model.TOKENS}
        )
        # Tokens merge at the end of block 0's attention. The last block computes the class token.
        self.assertEqual(found["module_tokens"], [colour_model.TOKENS, 0, 0, None, None, 0, 1, 1])
        self.assertEqual(found["overall"]["top1"], 100)

    def test_the_dial_opens_gates(self):
        found = self.evaluate("-c", "0.9")
        self.assertEqual(found["gate_usage"], [1, 1, 1, None, None, 1, 1, 1])
        self.assertEqual(found["tokens"]["mean"], colour_model.TOKENS)
        every = colour_model.TOKENS
        self.assertEqual(found["module_tokens"], [every, every, every, None, None, every, 1, 1])
        self.assertAlmostEqual(found["gmacs"]["mean"], self.inspect()["gmacs"]["model"])

    def test_the_default_dial(self):
        found = self.evaluate()
        self.assertEqual(found["compute"], 0.6)
        self.assertEqual(found, {**self.evaluate("--compute", "0.6"),
                                 "images_per_second": found["images_per_second"]})

    def test_beyond_the_dial_the_nearest_setting_is_used_and_reported(self):
        for asked, taken in (("0.1", 0.2), ("1", 0.9)):
            with self.subTest(asked):
                result = self.run_command(
                    "eval", "--json", "--data", self.path("data"), "-c", asked, self.model
                )
                self.assertEqual(result.returncode, 0)
                self.assertRegex(result.stderr, r"^vitgate eval: .* 0\.200 to 0\.900.*\n$")
                self.assertEqual(json.loads(result.stdout)["compute"], taken)

    def test_a_model_without_a_dial_is_reported(self):
        gated_model.write_model(self.model, calibration=None, default_compute=None)
        found = self.evaluate("--compute", "0.5", notes=1)
        self.assertIsNone(found["compute"])
        self.assert_usage(found, expected_decisions(1, 1))

    def test_a_model_without_gates_is_reported(self):
        dense = self.complete_model()
        found = self.evaluate("--granularity", "batch", model=dense, notes=1)
        self.assertEqual(found["gate_usage"], [1, 1])

    def test_groups_larger_than_the_batch_are_reported(self):
        found = self.evaluate("-g", "group:4", "-b", "3", notes=1)
        self.assert_usage(found, expected_decisions(3, 3))

    def test_only_the_selected_folder(self):
        os.makedirs(self.path("data", "other"))
        colour_model.write_picture(self.path("data", "other", "0.png"), (1, 1, 1))
        found = self.evaluate("--folder", "set")
        self.assertEqual(list(found["folders"]), ["set"])
        self.assertEqual(found["images"], len(PICTURES))
        self.fail_with("no top folder \"third\"", "eval", "--data", self.path("data"), "--folder",
                       "third", self.model)

    def test_a_shuffled_order_changes_who_decides_together(self):
        usages = []
        for seed in range(6):
            found = self.evaluate("--batch-size", "2", "--granularity", "batch", "--shuffle",
                                  str(seed))
            self.assertEqual(found["images"], len(PICTURES))
            usages.append(tuple(found["gate_usage"]))
        self.assertGreater(len(set(usages)), 1)
        again = self.evaluate("--batch-size", "2", "--granularity", "batch", "--shuffle", "0")
        self.assertEqual(tuple(again["gate_usage"]), usages[0])

    def test_text(self):
        text = self.succeed("eval", "--data", self.path("data"), self.model)
        self.assertRegex(text, r"(?m)^gates: granularity sample$")
        self.assertRegex(text, r"(?m)^dial: compute 0\.600 of 0\.200 to 0\.900$")
        self.assertRegex(text, r"(?m)^compute ratio: mean 0\.\d+, min 0\.\d+, max 0\.\d+$")
        self.assertRegex(text, r"(?m)^tokens left: mean 17\.0 of 17$")
        self.assertIn("stored as float32, products in float32", text)
        for line in (r"0 +always +57\.1 %", r"1 +42\.9 % +cut", r"2 +cut +42\.9 %",
                     r"3 +always +always"):
            self.assertRegex(text, rf"(?m)^ +{line}$")

    def evaluate_tokens(self, *arguments):
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, calibration=None,
                                default_compute=None)
        return self.evaluate(*arguments)

    def assert_token_usage(self, found, decisions):
        """decisions: for each picture, whether all its patches are open"""
        patches = colour_model.TOKENS - 1
        gated = 1 + patches * sum(decisions) / len(decisions)
        for tokens, expected in zip(
            found["module_tokens"], [colour_model.TOKENS, gated, gated, gated, 1, 1]
        ):
            self.assertAlmostEqual(tokens, expected)
        share = gated / colour_model.TOKENS
        # From the last attention on, all that is computed is the class token.
        for usage, expected in zip(found["gate_usage"], [1, share, share, share, 1, 1]):
            self.assertAlmostEqual(usage, expected)
        self.assertEqual(found["overall"]["top1"], 100)

    def test_tokens_decide_by_their_own_logits(self):
        red = [picture[gated_model.RED] for picture in PICTURES]
        self.assert_token_usage(self.evaluate_tokens("--gate-control", "none"), red)
        self.assert_token_usage(self.evaluate_tokens("-g", "batch", "-b", "3"),
                                decide(gated_model.RED, 3, 3))

    def test_text_tells_tokens_from_images(self):
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, calibration=None,
                                default_compute=None)
        text = self.succeed("eval", "--data", self.path("data"), self.model)
        self.assertIn("\nshare of tokens for which each module ran\n", text)
        percent = rf"{100 * (1 + 16 * 4 / 7) / 17:.1f} % of tokens"
        self.assertRegex(text, rf"(?m)^ +1 +{percent} +{percent}$")

    def test_usage_after_merging_is_of_the_tokens_that_are_left(self):
        """The dial closes all gates: only the class token runs."""
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, calibration=[
            {**point, "merge_thresholds": point["merge_thresholds"][:3]}
            for point in gated_model.CALIBRATION])
        found = self.evaluate("--compute", "0.2")
        left = gated_model.MERGED_TOKENS
        self.assertEqual(found["tokens"]["mean"], left)
        for usage, expected in zip(found["gate_usage"], [1, 1 / left, 1 / left, 1 / left, 1, 1]):
            self.assertAlmostEqual(usage, expected)

    def test_controls_of_token_gates(self):
        """Pictures have one colour, so a permutation changes nothing."""
        red = [picture[gated_model.RED] for picture in PICTURES]
        so_far = [2 * sum(red[: i + 1]) > i + 1 for i in range(len(red))]
        for control, decisions in (
            ("random", red), ("shuffled", red[:1] + red[:-1]), ("position", so_far),
        ):
            for batch_size in ("1", "3"):
                with self.subTest(f"{control} {batch_size}"):
                    found = self.evaluate_tokens("--gate-control", control, "-b", batch_size)
                    self.assertEqual(found["gate_control"], control)
                    self.assert_token_usage(found, decisions)

    def test_a_control_needs_token_gates(self):
        self.fail_with("no token gates", "eval", "--data", self.path("data"), "--gate-control",
                       "random", self.model)
        self.fail_with('--gate-control is "all", expected none, random, shuffled or position',
                       "eval", "--data", self.path("data"), "--gate-control", "all", self.model)

    def test_token_gates_decide_together_only_without_merging(self):
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, calibration=[
            {**point, "merge_thresholds": point["merge_thresholds"][:3]}
            for point in gated_model.CALIBRATION])
        self.fail_with("granularity is batch, expected sample for model gated_model", "eval",
                       "--data", self.path("data"), "-g", "batch", self.model)

    def test_text_without_gates_and_dial(self):
        text = self.succeed("eval", "--data", self.path("data"), self.complete_model())
        for part in ("gates", "dial", "share of images"):
            self.assertNotIn(part, text)

    def test_bad_arguments(self):
        for option, values in (
            ("--granularity", ("", "image", "group", "group:", "group:0", "group:-1", "group:1025",
                               "group:2x", "batch:2", "sample ")),
            ("--compute", ("", "0", "-0.5", "1.01", "nan", "inf", "half", "0.5x")),
        ):
            for value in values:
                with self.subTest(f"{option} {value}"):
                    self.fail_with(f'{option} is "{value}"', "eval", "--data", self.path("data"),
                                   f"{option}={value}", self.model)


if __name__ == "__main__":
    unittest.main()
