"""T2T-ViT through the command: what is told of the published ones, and a small one at work.

Usage: test_t2t.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import unittest

import colour_model
import t2t_model
from command_case import CommandTest


class PublishedTest(CommandTest):
    def test_parameters_and_compute_are_the_published(self):
        for name, (shape, parameters, gmacs) in t2t_model.PUBLISHED.items():
            with self.subTest(name):
                path = self.path(name + ".safetensors")
                t2t_model.write_sparse(path, shape)
                found = json.loads(self.succeed("inspect", "--json", path))
                self.assertEqual(found["family"], "t2t")
                self.assertEqual(found["stem"]["kind"], shape.kind)
                self.assertEqual(found["depth"], shape.depth)
                self.assertEqual(found["parameters"], parameters)
                self.assertAlmostEqual(found["gmacs"]["dense"], gmacs, delta=0.00051)

    def test_the_stem_is_shown(self):
        path = self.path("t2t_vit_7.safetensors")
        t2t_model.write_sparse(path, t2t_model.PUBLISHED["t2t_vit_7"][0])
        text = self.succeed("inspect", path)
        self.assertIn("family t2t, 7 blocks, 197 tokens of 256, heads of 64", text)
        self.assertIn("by a performer on tokens of 64 with 32 random features", text)
        self.assertIn("shorter side to 248 (bicubic), crop 224 x 224", text)


class SmallTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.weights = self.path("t2t.safetensors")
        t2t_model.write_weights(self.weights)

    def test_a_checkpoint_is_imported(self):
        published = self.path("published.safetensors")
        t2t_model.write_weights(published, prefix="state_dict_ema.module.")
        model = self.path("model.safetensors")
        self.succeed("import", published, "-o", model)
        tensors, metadata = colour_model.read_safetensors(model)
        self.assertEqual(tensors, colour_model.read_safetensors(self.weights)[0])
        description = json.loads(metadata["vitgate"])
        self.assertEqual(description["family"], "t2t")
        self.assertEqual(
            description["stem"], {"kind": "performer", "token_dim": 8, "features": 4}
        )
        self.assertEqual(description["layer_norm_eps"], 1e-5)
        self.assertFalse(description["qkv_bias"])

    def test_it_classifies_in_every_precision(self):
        self.write_colours("pictures")
        picture = self.path("pictures", "red.png")
        for precision in ("float32", "bf16", "int8"):
            text = self.succeed(
                "classify", "--precision", precision, "--model", self.weights, picture
            )
            self.assertTrue(text)

    def test_it_is_measured(self):
        text = self.succeed("bench", "--json", "--seconds", "0.1", self.weights)
        self.assertTrue(json.loads(text))

    def test_a_stem_of_another_kind_is_refused(self):
        entries = t2t_model.tensors()
        del entries["tokens_to_token.attention1.w"]
        path = self.path("other.safetensors")
        colour_model.write_safetensors(path, entries, {"format": "pt"})
        self.fail_with("whose stem has neither", "inspect", path)

    def test_image_sizes_that_do_not_fit_are_refused(self):
        entries = t2t_model.tensors()
        entries["pos_embed"] = ([1, 11, 64], [0.0] * 11 * 64)
        path = self.path("other.safetensors")
        colour_model.write_safetensors(path, entries, {"format": "pt"})
        self.fail_with("are not of a T2T-ViT for a square image", "inspect", path)


if __name__ == "__main__":
    unittest.main()
