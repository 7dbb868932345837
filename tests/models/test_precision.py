#!/usr/bin/env python3
"""Tests weights stored in float32, bf16 or int8 by import and compress.

Usage: test_precision.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import struct
import unittest

import colour_model
import random_model
from command_case import CommandTest

STORED = {"float32": "F32", "bf16": "BF16", "int8": "I8"}
WORDS = {"float32": "float32", "bf16": "bfloat16", "int8": "int8"}
MATRICES = 2 + 4 * random_model.DEPTH

# Half a unit in the last place, relative to the value or, for int8, to the row's largest value.
ROUNDING = {"float32": 0, "bf16": 2.0**-8, "int8": 0.51 / 127}

# How much rounding of weights may change scores here, and the share of labels that must not change:
# the labels of some pictures depend on smaller differences.
SCORE_TOLERANCE = {"float32": 0, "bf16": 0.02, "int8": 0.08}
SAME_LABELS = 0.9


def floats(entry):
    kind, _, content = entry
    if kind == "BF16":
        halves = struct.unpack(f"<{len(content) // 2}H", content)
        content = struct.pack(f"<{len(halves)}I", *(half << 16 for half in halves))
    code = {"F16": "e", "I8": "b"}.get(kind, "f")
    return struct.unpack(f"<{len(content) // struct.calcsize(code)}{code}", content)


def matrix_rows(entries, name):
    shape = entries[name][1]
    values, columns = floats(entries[name]), 1
    for size in shape[1:]:
        columns *= size
    rows = [values[i : i + columns] for i in range(0, len(values), columns)]
    if entries[name][0] == "I8":
        scales = floats(entries[name + "_scale"])
        rows = [[scale * value for value in row] for scale, row in zip(scales, rows)]
    return rows


class PrecisionTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.teacher, self.pictures = self.path("teacher.safetensors"), self.path("pictures")
        random_model.write_teacher(self.teacher)
        random_model.write_pictures(self.pictures, 60)

    def store(self, precision, *arguments, source=None, **options):
        out = self.path(precision + ".safetensors")
        self.succeed("import", source or self.teacher, "--precision", precision, "-o", out,
                     *arguments, **options)
        return out

    def inspect(self, model):
        return json.loads(self.succeed("inspect", "--json", model))

    def scores(self, model):
        """Returns {label: score} of each picture"""
        files = [os.path.join(place, name)
                 for place, _, names in os.walk(self.pictures) for name in sorted(names)]
        text = self.succeed("classify", "--json", "--model", model, "--precision", "float32",
                            *files)
        return [{entry["label"]: entry["score"] for entry in image["classes"]}
                for image in json.loads(text)["images"]]


class ImportTest(PrecisionTest):
    def test_matrices_are_rounded_and_other_tensors_are_not(self):
        whole, _ = colour_model.read_safetensors(self.teacher)
        for precision, rounding in ROUNDING.items():
            with self.subTest(precision):
                stored, metadata = colour_model.read_safetensors(self.store(precision))
                self.assertEqual(json.loads(metadata["vitgate"])["precision"], WORDS[precision])
                matrices = [name for name in whole if len(whole[name][1]) in (2, 4)]
                self.assertEqual(len(matrices), MATRICES)
                for name in matrices:
                    self.assertEqual(stored[name][0], STORED[precision])
                    for before, after in zip(matrix_rows(whole, name), matrix_rows(stored, name)):
                        most = max(map(abs, before))
                        for x, y in zip(before, after):
                            self.assertLessEqual(
                                abs(x - y), rounding * (most if precision == "int8" else abs(x)))
                for name in set(whole) - set(matrices) - {"pos_embed"}:
                    self.assertEqual(stored[name], whole[name])

    def test_the_file_size_follows_the_precision(self):
        sizes = []
        for precision, width in (("float32", 4), ("bf16", 2), ("int8", 1)):
            entries, _ = colour_model.read_safetensors(self.store(precision))
            sizes.append(sum(len(entry[2]) for entry in entries.values()))
            for name, (_, shape, content) in entries.items():
                if len(shape) in (2, 4):
                    self.assertEqual(len(content), width * len(floats(entries[name])), name)
        self.assertLess(sizes[1], 0.55 * sizes[0])
        self.assertLess(sizes[2], 0.35 * sizes[0])

    def test_the_labels_equal_those_of_float32(self):
        expected = self.scores(self.teacher)
        for precision, tolerance in SCORE_TOLERANCE.items():
            with self.subTest(precision):
                found = self.scores(self.store(precision))
                same = [1 for a, b in zip(expected, found) if max(a, key=a.get) == max(b, key=b.get)]
                self.assertGreaterEqual(len(same), SAME_LABELS * len(expected))
                for a, b in zip(expected, found):
                    for label, score in a.items():
                        self.assertAlmostEqual(b[label], score, delta=tolerance)

    def test_inspect_and_eval_report_how_weights_are_stored(self):
        for precision in STORED:
            with self.subTest(precision):
                model = self.store(precision)
                self.assertEqual(self.inspect(model)["stored_precision"], WORDS[precision])
                self.assertIn(f"stored as {WORDS[precision]}", self.succeed("inspect", model))
                found = json.loads(self.succeed("eval", "--json", "--data", self.pictures, model))
                self.assertEqual(found["stored_precision"], WORDS[precision])

    def test_keeping_the_precision_changes_no_tensor(self):
        for precision in STORED:
            with self.subTest(precision):
                first = self.store(precision)
                entries, _ = colour_model.read_safetensors(first)
                again = self.store(precision, source=first)
                self.assertEqual(colour_model.read_safetensors(again)[0], entries)
                out = self.path("out.safetensors")
                self.succeed("import", first, "-o", out)
                self.assertEqual(colour_model.read_safetensors(out)[0], entries)

    def test_agreement_is_measured_with_the_rounded_weights(self):
        first = self.path("measured.safetensors")
        self.succeed("import", self.teacher, "--data", self.pictures, "-o", first)
        self.assertEqual(self.inspect(first)["precision_agreement"]["float32"], 1)
        model = self.store("int8", "--data", self.pictures, source=first)
        agreement = self.inspect(model)["precision_agreement"]
        self.assertLessEqual(agreement["float32"], 1)
        self.assertGreaterEqual(agreement["float32"], SAME_LABELS)
        model = self.store("bf16", source=first, notes=1)
        self.assertNotIn("int8", self.inspect(model).get("precision_agreement") or {})
        self.assertEqual([name for name in os.listdir(self.folder)
                          if name.endswith((".measured", ".reference"))], [])

    def test_other_precisions_are_rejected(self):
        for word in ("bfloat16", "auto", "int3"):
            part = f'--precision is "{word}", expected float32, bf16 or int8'
            out = self.path("out.safetensors")
            self.fail_with(part, "import", self.teacher, "--precision", word, "-o", out)
            self.assertFalse(os.path.exists(out))


class CompressTest(PrecisionTest):
    def test_a_student_in_each_precision(self):
        sizes = {}
        for precision in STORED:
            with self.subTest(precision):
                out = self.path(precision + ".safetensors")
                result = self.run_command(
                    "compress", "--teacher", self.teacher, "--data", self.pictures, "--target",
                    "0.6", "--steps", "5", "--batch-size", "8", "--precision", precision, "-o", out)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(self.inspect(out)["stored_precision"], WORDS[precision])
                entries, _ = colour_model.read_safetensors(out)
                self.assertEqual(entries["head.weight"][0], STORED[precision])
                sizes[precision] = sum(len(entry[2]) for entry in entries.values())
        self.assertLess(sizes["bf16"], 0.7 * sizes["float32"])
        self.assertLess(sizes["int8"], sizes["bf16"])


if __name__ == "__main__":
    unittest.main()
