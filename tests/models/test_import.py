#!/usr/bin/env python3
"""vitgate import: the same network under the names of everyone who publishes such."""

import json
import os
import unittest

import colour_model
import dialects
from command_case import CommandTest


class ImportCase(CommandTest):
    def write(self, entries, name="published.safetensors", metadata=None):
        path = self.path(name)
        colour_model.write_safetensors(path, entries, metadata or {"format": "pt"})
        return path

    def import_model(self, entries, *arguments):
        """Returns what was printed, the tensors and the description of what was written"""
        out = self.path("imported.safetensors")
        text = self.succeed(
            "import", self.write(entries), *dialects.HEADS_OPTION, "-o", out, *arguments
        )
        tensors, metadata = colour_model.read_safetensors(out)
        return text, tensors, json.loads(metadata["vitgate"])

    def assert_becomes(self, timm, entries):
        """@entries, under other names, are imported as the tensors of @timm"""
        text, tensors, description = self.import_model(entries)
        expected, _ = colour_model.read_safetensors(self.write(timm, "timm.safetensors"))
        self.assertEqual(tensors, expected)
        return text, description


class NamesTest(ImportCase):
    def test_what_is_put_before_all_names_is_taken_away(self):
        timm = dialects.timm()
        for prefix in ("model.", "module.", "state_dict_ema.", "state_dict.module."):
            with self.subTest(prefix):
                text, description = self.assert_becomes(timm, dialects.prefixed(timm, prefix))
                self.assertIn(f"timm's names, all behind {prefix}", text)
                self.assertEqual(description["layer_norm_eps"], 1e-6)

    def test_the_mean_over_training_goes_before_the_last_weights(self):
        last, mean = dialects.timm(seed=1), dialects.timm(seed=2)
        both = {
            **dialects.prefixed(last, "state_dict."),
            **dialects.prefixed(mean, "state_dict_ema."),
            "optimizer.step": ([1], [7.0]),
        }
        text, _ = self.assert_becomes(mean, both)
        for name in ("optimizer.step", "state_dict.cls_token"):
            self.assertIn(name, text)

    def test_vit_of_hugging_face(self):
        timm = dialects.timm()
        text, description = self.assert_becomes(timm, dialects.hugging_face(timm))
        self.assertIn("Hugging Face's names (ViT)", text)
        self.assertEqual(description["layer_norm_eps"], 1e-12)

    def test_deit_of_hugging_face_with_and_without_teacher(self):
        for distilled in (False, True):
            with self.subTest(distilled=distilled):
                timm = dialects.timm(distilled=distilled)
                text, description = self.assert_becomes(
                    timm, dialects.hugging_face(timm, "deit")
                )
                self.assertIn("Hugging Face's names (DeiT)", text)
                self.assertEqual(description["distilled"], distilled)

    def test_what_a_classifier_does_not_use_is_left_out_and_named(self):
        timm = dialects.timm()
        entries = dialects.hugging_face(timm)
        entries["vit.pooler.dense.weight"] = ([2, 2], [0.0] * 4)
        entries["vit.embeddings.mask_token"] = ([1, 1, 2], [0.0] * 2)
        text, _ = self.assert_becomes(timm, entries)
        for name in ("vit.pooler.dense.weight", "vit.embeddings.mask_token"):
            self.assertIn(name, text)

    def test_weights_under_other_names_run_as_they_are(self):
        picture = self.path("picture.png")
        colour_model.write_picture(picture, (1, 0, 0))
        entries = dialects.prefixed(colour_model.tensors(), "module.")
        text = self.succeed("classify", "--model", self.write(entries), picture)
        self.assertEqual(text, self.succeed("classify", "--model", self.weights, picture))


class RefusalTest(ImportCase):
    def refuse(self, part, entries):
        out = self.path("out.safetensors")
        self.fail_with(part, "import", self.write(entries), *dialects.HEADS_OPTION, "-o", out)
        self.assertFalse(os.path.exists(out))

    def test_a_tensor_without_a_meaning_is_named(self):
        entries = dialects.hugging_face(dialects.timm())
        entries["vit.encoder.layer.0.attention.adapter.weight"] = ([2, 2], [0.0] * 4)
        self.refuse("vit.encoder.layer.0.attention.adapter.weight", entries)

    def test_a_missing_key_is_named(self):
        entries = dialects.hugging_face(dialects.timm())
        del entries["vit.encoder.layer.1.attention.attention.key.bias"]
        self.refuse("blocks.1.attn.key.bias", entries)

    def test_a_network_without_a_head_is_told(self):
        entries = dialects.hugging_face(dialects.timm())
        del entries["classifier.weight"], entries["classifier.bias"]
        self.refuse("no tensor 'head.weight'", entries)


if __name__ == "__main__":
    unittest.main()
