#!/usr/bin/env python3
"""Tests vitgate export of safetensors. tests/reference/compare_onnx.py tests ONNX."""

import os
import random
import struct
import unittest

import colour_model
import dialects
import gated_model
from command_case import CommandTest


class ExportTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.out = self.path("exported.safetensors")

    def import_weights(self, entries):
        published, model = self.path("published.safetensors"), self.path("imported.safetensors")
        colour_model.write_safetensors(published, entries)
        self.succeed("import", published, *dialects.HEADS_OPTION, "-o", model)
        return published, model

    def deit3(self, distilled=False):
        """Returns weights with LayerScale and with positions only for patches"""
        entries = dialects.timm(distilled=distilled)
        for block in range(dialects.random_model.DEPTH):
            for scale in ("ls1", "ls2"):
                entries[f"blocks.{block}.{scale}.gamma"] = ([32], [0.1 * block + 0.5] * 32)
        shape, values = entries["pos_embed"]
        entries["pos_embed"] = ([1, 16, 32], values[(shape[1] - 16) * 32 :])
        return entries

    def test_tensors_are_exported_unchanged(self):
        for name, entries in (
            ("deit", dialects.timm()),
            ("distilled", dialects.timm(distilled=True)),
            ("deit3", self.deit3()),
            ("deit3 distilled", self.deit3(distilled=True)),
        ):
            with self.subTest(name):
                published, model = self.import_weights(entries)
                self.succeed("export", model, "-o", self.out)
                tensors, metadata = colour_model.read_safetensors(self.out)
                self.assertEqual(tensors, colour_model.read_safetensors(published)[0])
                self.assertNotIn("vitgate", metadata)

    def test_other_names_are_exported_as_timm_s(self):
        timm = dialects.timm()
        _, model = self.import_weights(dialects.hugging_face(timm))
        self.succeed("export", model, "-o", self.out)
        colour_model.write_safetensors(self.path("timm.safetensors"), timm)
        expected, _ = colour_model.read_safetensors(self.path("timm.safetensors"))
        self.assertEqual(colour_model.read_safetensors(self.out)[0], expected)

    def test_a_cut_int8_model_is_exported_as_floats_with_the_same_labels(self):
        _, teacher = self.import_weights(self.deit3())
        data, small = self.path("data"), self.path("small.safetensors")
        rng = random.Random(1)
        os.mkdir(data)
        for i in range(6):
            dialects.random_model.write_picture(os.path.join(data, f"{i}.png"), rng)
        arguments = ["--teacher", teacher, "--data", data, "--target", "0.7"]
        self.run_command("compress", *arguments, "--static-only", "--no-train", "-o", small)
        result = self.run_command("export", small, "-o", self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        tensors, _ = colour_model.read_safetensors(self.out)
        self.assertEqual({kind for kind, _, _ in tensors.values()} - {"F32", "F16"}, set())
        self.assertFalse([name for name in tensors if name.endswith(("_scale", ".gamma"))])
        self.assertEqual(tensors["pos_embed"][1], [1, 17, 32])

    def test_an_unexpected_position_is_rejected(self):
        _, model = self.import_weights(self.deit3())
        tensors, metadata = colour_model.read_safetensors(model)
        entries = {
            name: (shape, list(struct.unpack(f"<{len(content) // 4}f", content)))
            for name, (_, shape, content) in tensors.items()
        }
        entries["pos_embed"][1][0] = 1.0
        colour_model.write_safetensors(model, entries, metadata)
        self.fail_with("'pos_embed' has a position", "export", model, "-o", self.out)
        self.assertFalse(os.path.exists(self.out))

    def test_a_model_with_gates_is_rejected(self):
        model = self.path("gated.safetensors")
        gated_model.write_model(model)
        for arguments in ([], ["--onnx"]):
            self.fail_with("has a gate", "export", model, *arguments, "-o", self.out)
        self.assertFalse(os.path.exists(self.out))

    def test_without_an_output_nothing_is_done(self):
        self.fail_with("--output is missing", "export", self.weights)


if __name__ == "__main__":
    unittest.main()
