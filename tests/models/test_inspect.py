"""Tests what `vitgate inspect` reports about a model, its gates and dial, and its picture.

Usage: test_inspect.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import unittest
import xml.etree.ElementTree

import colour_model
import gated_model
from command_case import CommandTest

SVG = "{http://www.w3.org/2000/svg}"
USAGE = [1, 0.25, 0.5, None, None, 0.75, 1, 1]
TOKENS = [5, 4, 3.5, None, None, 2.25, 1, 1]
DEPTH = len(gated_model.BLOCKS)


def calibration_with_usage(*shares):
    """Returns calibration points, each with one share for every gate; None: without usage"""
    points = []
    for point, share in zip(gated_model.CALIBRATION, shares):
        usage = [1, share, share, None, None, share, 1, 1]
        points.append(point if share is None else {**point, "gate_usage": usage})
    return points


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
        self.fail_with("got 0", "inspect")
        self.fail_with("got 2", "inspect", self.weights, self.weights)


class InspectGatesTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("gated.safetensors")
        gated_model.write_model(self.model)

    def inspect(self, *arguments):
        return json.loads(self.succeed("inspect", "--json", *arguments, self.model))

    def draw(self, *arguments):
        """Returns the picture's text and its root element"""
        picture = self.path("picture.svg")
        self.succeed("inspect", "--svg", picture, *arguments, self.model)
        with open(picture, encoding="utf-8") as file:
            text = file.read()
        return text, xml.etree.ElementTree.fromstring(text)

    def write_usage(self, content, name="usage.json"):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return self.path(name)


class GatesTest(InspectGatesTest):
    def test_gates_and_modules_of_each_block(self):
        for block, (heads, neurons, attention_gate, mlp_gate) in zip(
            self.inspect()["blocks"], gated_model.BLOCKS
        ):
            self.assertEqual((block["heads"], block["neurons"]), (heads, neurons))
            self.assertEqual(block["attention_gate"], attention_gate is not None)
            self.assertEqual(block["mlp_gate"], mlp_gate is not None)

    def test_heads_and_neurons_of_the_dense_teacher(self):
        dense = self.inspect()["dense"]
        self.assertEqual(dense["heads"], gated_model.DENSE_HEADS)
        self.assertEqual(dense["neurons"], gated_model.DENSE_NEURONS)
        self.assertEqual(dense["parameters"], 100000)

    def test_gates_cost_what_they_compute(self):
        found = self.inspect()
        gated = found["gmacs"]["model"]
        bare = [(heads, neurons, None, None) for heads, neurons, *_ in gated_model.BLOCKS]
        gated_model.write_model(self.model, bare)
        self.assertAlmostEqual(
            gated - self.inspect()["gmacs"]["model"], 3e-9 * gated_model.GATE_MACS, 12
        )

    def test_table(self):
        text = self.succeed("inspect", self.model)
        for line in (r"0 +4 +8 .* always +gate", r"1 +2 +0 .* gate +cut", r"2 +0 +6 .* cut +gate",
                     r"3 +1 +8 .* always +always", r"dense +4 +8 +100000 .*"):
            self.assertRegex(text, rf"(?m)^ +{line}$")
        self.assertIn("--usage", text)

    def test_a_model_without_gates(self):
        gated_model.write_model(self.model, gated_model.DENSE_BLOCKS)
        text = self.succeed("inspect", self.model)
        self.assertRegex(text, r"(?m)^gates: none$")
        self.assertNotIn("always", text)

    def test_precision(self):
        gated_model.write_model(self.model, precision="int8")
        found = self.inspect()
        self.assertEqual(found["precision"], "float32")
        self.assertEqual(found["stored_precision"], "int8")
        text = self.succeed("inspect", self.model)
        self.assertIn("precision: stored as int8, products in float32", text)


class TokenGatesTest(InspectGatesTest):
    """Block 0: MLP, substitute of rank 0; block 1: both; block 2: attention."""

    USAGE = [1, 0.25, 0.5, 0.75, 0.125, 1]

    def setUp(self):
        super().setUp()
        self.write_model(provenance={"gate_usage": self.USAGE})

    def write_model(self, **changes):
        gated_model.write_model(self.model, gated_model.TOKEN_BLOCKS, calibration=None,
                                default_compute=None, **changes)

    def test_ranks_of_the_substitutes(self):
        blocks = self.inspect()["blocks"]
        self.assertEqual([block["attention_token_gate"] for block in blocks],
                         [None, {"rank": 2}, {"rank": 1}])
        self.assertEqual([block["mlp_token_gate"] for block in blocks],
                         [{"rank": 0}, {"rank": gated_model.DIM}, None])
        self.assertFalse(any(block["mlp_gate"] for block in blocks))

    def test_table(self):
        text = self.succeed("inspect", self.model)
        self.assertIn("\ngates: share of tokens for which a module runs (provenance)\n", text)
        for line in (r"0 +4 +8 .* always +25\.0 % of tokens",
                     r"1 +2 +6 .* 50\.0 % of tokens +75\.0 % of tokens",
                     r"2 +1 +8 .* 12\.5 % of tokens +always",
                     r"0 +- +mean", rf"1 +rank 2 +rank {gated_model.DIM}", r"2 +rank 1 +-"):
            self.assertRegex(text, rf"(?m)^ +{line}$")
        self.assertLessEqual(max(map(len, text.split("\n\n")[1].splitlines()[:4])), 80)

    def test_table_of_unknown_usage(self):
        self.write_model()
        text = self.succeed("inspect", self.model)
        self.assertRegex(text, r"(?m)^ +1 +2 +6 .* token gate +token gate$")
        self.assertIn("--usage", text)

    def test_gates_of_both_kinds(self):
        blocks = [*gated_model.TOKEN_BLOCKS[:2], (1, 8, gated_model.RED, None)]
        gated_model.write_model(self.model, blocks, calibration=None, default_compute=None,
                                provenance={"gate_usage": self.USAGE})
        text = self.succeed("inspect", self.model)
        self.assertIn("\ngates: share of images, or of their tokens, for which a module runs", text)
        self.assertRegex(text, r"(?m)^ +2 +1 +8 .* 12\.5 % +always$")

    def test_picture(self):
        _, root = self.draw()
        self.assertEqual(root.find(SVG + "desc").text.splitlines()[1:], [
            "Block 0: attention with 4 of 4 heads; MLP with 8 of 8 neurons, run for 25.0 % of "
            "tokens, substitute: mean.",
            "Block 1: attention with 2 of 4 heads, run for 50.0 % of tokens, substitute: rank 2; "
            "MLP with 6 of 8 neurons, run for 75.0 % of tokens, substitute: rank "
            f"{gated_model.DIM}.",
            "Block 2: attention with 1 of 4 heads, run for 12.5 % of tokens, substitute: rank 1; "
            "MLP with 8 of 8 neurons.",
        ])
        self.write_model()
        _, root = self.draw()
        self.assertIn("MLP with 8 of 8 neurons, with a token gate, substitute: mean.",
                      root.find(SVG + "desc").text)


class DialTest(InspectGatesTest):
    def test_points(self):
        dial = self.inspect()["dial"]
        self.assertEqual(
            (dial["min_compute"], dial["default_compute"], dial["max_compute"]), (0.2, 0.6, 0.9)
        )
        dense = self.inspect()["gmacs"]["dense"]
        for found, point in zip(dial["calibration"], gated_model.CALIBRATION):
            self.assertAlmostEqual(found.pop("gmacs"), point["compute"] * dense)
            self.assertIsNone(found.pop("gate_usage"))
            self.assertEqual(found, point)

    def test_table(self):
        text = self.succeed("inspect", self.model)
        self.assertIn("dial: compute 0.200 to 0.900, default 0.600", text)
        for line in (r"0\.200 +0\.\d{3} +50\.0 % +-100\.000   0\.500 never never never",
                     r"0\.600 +0\.\d{3} +75\.0 % +0\.000   never",
                     r"0\.900 +0\.\d{3} +100\.0 % +100\.000   never"):
            self.assertRegex(text, rf"(?m)^ +{line}$")

    def test_a_model_without_a_dial(self):
        gated_model.write_model(self.model, calibration=None, default_compute=None)
        self.assertIsNone(self.inspect()["dial"])
        self.assertRegex(self.succeed("inspect", self.model), r"(?m)^dial: none$")


class UsageTest(InspectGatesTest):
    def test_unknown(self):
        found = self.inspect()
        self.assertIsNone(found["gate_usage"])
        self.assertIsNone(found["gate_usage_source"])

    def test_from_the_calibration_at_the_default_dial(self):
        gated_model.write_model(
            self.model, calibration=calibration_with_usage(0, 0.5, 1), default_compute=0.75
        )
        found = self.inspect()
        for share, expected in zip(found["gate_usage"], [1, 0.75, 0.75, None, None, 0.75, 1, 1]):
            if expected is None:
                self.assertIsNone(share)
            else:
                self.assertAlmostEqual(share, expected)
        self.assertIn("0.750", found["gate_usage_source"])
        self.assertEqual(found["dial"]["calibration"][1]["gate_usage"][1], 0.5)

    def test_usage_missing_from_a_point_is_not_guessed(self):
        gated_model.write_model(
            self.model, calibration=calibration_with_usage(0, 0.5, None), default_compute=0.75
        )
        self.assertIsNone(self.inspect()["gate_usage"])

    def test_from_the_provenance(self):
        gated_model.write_model(self.model, provenance={"gate_usage": USAGE})
        found = self.inspect()
        self.assertEqual(found["gate_usage"], USAGE)
        self.assertEqual(found["gate_usage_source"], "provenance")
        self.assertRegex(self.succeed("inspect", self.model), r"(?m)^ +0 .* always +25\.0 %$")

    def test_a_provenance_that_does_not_fit_is_ignored(self):
        for usage in (USAGE[:-1], "often", [0.5] * 2 * DEPTH, [2, *USAGE[1:]], ["1", *USAGE[1:]]):
            with self.subTest(usage):
                gated_model.write_model(self.model, provenance={"gate_usage": usage})
                self.assertIsNone(self.inspect()["gate_usage"])

    def test_from_eval(self):
        self.write_colours("data")
        usage = self.write_usage(self.succeed(
            "eval", "--json", "--data", self.path("data"), self.model, notes=1
        ))
        found = self.inspect("--usage", usage)
        self.assertEqual(found["gate_usage"], [1, 0.5, 0.5, None, None, 0.5, 1, 1])
        self.assertEqual(found["gate_usage_source"], "usage.json")

    def test_bad_files(self):
        for part, path in (
            ("absent", self.path("absent")),
            (self.folder, self.folder),
            ("not valid JSON", self.write_usage("{", "a")),
            ("not a JSON object", self.write_usage("[]", "b")),
            ("gate_usage", self.write_usage({}, "c")),
            ("gate_usage", self.write_usage({"gate_usage": None}, "d")),
            ("8 shares", self.write_usage({"gate_usage": USAGE[1:]}, "e")),
            ("gate_usage", self.write_usage({"gate_usage": [0.5] * 2 * DEPTH}, "f")),
            ("gate_usage", self.write_usage({"gate_usage": [None] * 2 * DEPTH}, "g")),
            ("gate_usage", self.write_usage({"gate_usage": [-0.1, *USAGE[1:]]}, "h")),
        ):
            with self.subTest(path):
                self.fail_with(part, "inspect", "--usage", path, self.model)


class PictureTest(InspectGatesTest):
    def words(self, root):
        return root.find(SVG + "desc").text.splitlines()[1:]

    def test_is_a_picture(self):
        _, root = self.draw()
        self.assertEqual(root.tag, SVG + "svg")
        width, height = (float(root.get(name).removesuffix("px")) for name in ("width", "height"))
        self.assertGreater(width, 400)
        self.assertGreater(height, 200)
        self.assertEqual(root.find(SVG + "title").text, "gated_model")
        self.assertGreater(len(list(root.iter(SVG + "path"))), DEPTH)

    def test_describes_what_it_shows(self):
        _, root = self.draw()
        self.assertEqual(self.words(root), [
            "Block 0: attention with 4 of 4 heads; MLP with 8 of 8 neurons, with a gate.",
            "Block 1: attention with 2 of 4 heads, with a gate; MLP cut.",
            "Block 2: attention cut; MLP with 6 of 8 neurons, with a gate.",
            "Block 3: attention with 1 of 4 heads; MLP with 8 of 8 neurons.",
        ])

    def test_describes_how_often_gates_open(self):
        _, root = self.draw("--usage", self.write_usage({"gate_usage": USAGE}))
        self.assertIn("run for 25.0 % of images", self.words(root)[0])
        self.assertIn("run for 50.0 % of images; MLP cut", self.words(root)[1])

    def test_shows_the_tokens_left_in_each_block(self):
        without, root = self.draw()
        self.assertNotIn("tokens;", "".join(self.words(root)))
        usage = self.write_usage({"gate_usage": USAGE, "module_tokens": TOKENS})
        for arguments, provenance in (("--usage", usage), None), ((), {"module_tokens": TOKENS}):
            with self.subTest(arguments):
                gated_model.write_model(self.model, provenance=provenance)
                self.assertEqual(self.inspect(*arguments)["module_tokens"], TOKENS)
                text, root = self.draw(*arguments)
                words = self.words(root)
                self.assertIn(f"for 5.0 of {colour_model.TOKENS} tokens; MLP", words[0])
                self.assertTrue(words[1].endswith("tokens; MLP cut."), words[1])
                self.assertIn(f"for 2.2 of {colour_model.TOKENS} tokens.", words[2])
                width = [float(each.get("width").removesuffix("px"))
                         for each in (root, xml.etree.ElementTree.fromstring(without))]
                self.assertGreater(*width)

    def test_tokens_that_do_not_fit_are_not_shown(self):
        for tokens in (TOKENS[1:], "few", [10000, *TOKENS[1:]], [1] * 2 * DEPTH, [-1, *TOKENS[1:]]):
            with self.subTest(tokens):
                gated_model.write_model(self.model, provenance={"module_tokens": tokens})
                self.assertIsNone(self.inspect()["module_tokens"])
                self.draw()

    def test_cut_modules_are_drawn_dashed(self):
        # Only they, and one in the legend, have dashed outlines.
        cut, _ = self.draw()
        gated_model.write_model(self.model, gated_model.DENSE_BLOCKS)
        whole, _ = self.draw()
        self.assertEqual(cut.count("stroke-dasharray"), whole.count("stroke-dasharray") + 2)

    def test_usage_changes_the_picture(self):
        unknown, _ = self.draw()
        known, _ = self.draw("--usage", self.write_usage({"gate_usage": USAGE}))
        self.assertNotEqual(unknown, known)

    def test_names_of_all_kinds(self):
        for name in ('<b>&amp;"\'', "", "Ünïcödé 模型 " * 20, "\x1b[31m\n\x01\x7f", "\uffff\ufffe",
                     "]]>"):
            with self.subTest(repr(name)):
                gated_model.write_model(self.model, name=name)
                _, root = self.draw()
                self.assertIsNotNone(root.find(SVG + "title"))

    def test_structures_of_all_kinds(self):
        for blocks in ([], [(0, 0, None, None)], [(1, 1, None, None)] * 40,
                       [(40, 300, gated_model.RED, gated_model.RED)]):
            with self.subTest(str(blocks)[:40]):
                gated_model.write_model(
                    self.model, blocks, calibration=None, default_compute=None
                )
                _, root = self.draw()
                self.assertEqual(len(self.words(root)), len(blocks))

    def test_is_drawn_in_addition_to_the_report(self):
        picture = self.path("picture.svg")
        found = self.inspect("--svg", picture)
        self.assertEqual(found["depth"], DEPTH)
        self.assertTrue(os.path.exists(picture))

    def test_replaces_a_file_and_leaves_nothing_else(self):
        picture = self.write_usage("before", "picture.svg")
        before = set(os.listdir(self.folder))
        self.draw()
        self.assertEqual(set(os.listdir(self.folder)), before)
        xml.etree.ElementTree.parse(picture)

    def test_output_that_cannot_be_written(self):
        for place in (self.path("absent", "x.svg"), self.folder, "/dev/null", "/proc/x.svg"):
            with self.subTest(place):
                text = self.fail_with(place, "inspect", "--svg", place, self.model)
                self.assertEqual(text, "")

    def test_no_picture_of_a_bad_model(self):
        picture = self.path("picture.svg")
        self.fail_with("absent", "inspect", "--svg", picture, self.path("absent"))
        self.assertFalse(os.path.exists(picture))


if __name__ == "__main__":
    unittest.main()
