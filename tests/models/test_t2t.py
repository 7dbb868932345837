"""Tests T2T-ViT in the command: what is reported about published models, and a small one in use.

Usage: test_t2t.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import unittest

import colour_model
import random_model
import t2t_model
from command_case import CommandTest

NO_BF16 = "this CPU has no instructions for bf16"


class PublishedTest(CommandTest):
    def test_parameters_and_compute_are_as_published(self):
        for name, (shape, parameters, gmacs) in t2t_model.PUBLISHED.items():
            with self.subTest(name):
                path = self.path(name + ".safetensors")
                colour_model.write_hollow(path, t2t_model.shapes(shape))
                found = json.loads(self.succeed("inspect", "--json", path))
                self.assertEqual(found["family"], "t2t")
                self.assertEqual(found["stem"]["kind"], shape.kind)
                self.assertEqual(found["depth"], shape.depth)
                self.assertEqual(found["parameters"], parameters)
                self.assertAlmostEqual(found["gmacs"]["dense"], gmacs, delta=0.00051)

    def test_the_stem_is_shown(self):
        path = self.path("t2t_vit_7.safetensors")
        colour_model.write_hollow(path, t2t_model.shapes(t2t_model.PUBLISHED["t2t_vit_7"][0]))
        text = self.succeed("inspect", path)
        self.assertIn("family t2t, 7 blocks, 197 tokens, 256 wide, heads of 64", text)
        self.assertIn("stem: performer, token_dim 64, features 32, ", text)
        self.assertIn("shorter side resized to 248 (bicubic), cropped to 224", text)


class SmallTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.weights = self.path("t2t.safetensors")
        t2t_model.write_weights(self.weights)

    def test_a_checkpoint_is_imported(self):
        published = self.path("published.safetensors")
        t2t_model.write_weights(published, prefix="state_dict_ema.module.")
        model = self.path("model.safetensors")
        text = self.succeed("import", published, "-o", model)
        self.assertIn("a T2T-ViT (performer) of 2 blocks", text)
        tensors, metadata = colour_model.read_safetensors(model)
        self.assertEqual(tensors, colour_model.read_safetensors(self.weights)[0])
        description = json.loads(metadata["vitgate"])
        self.assertEqual(description["family"], "t2t")
        self.assertEqual(
            description["stem"], {"kind": "performer", "token_dim": 8, "features": 4}
        )
        self.assertEqual(description["layer_norm_eps"], 1e-5)
        self.assertFalse(description["qkv_bias"])

    def test_a_larger_image_size_gives_more_tokens(self):
        model = self.path("model.safetensors")
        self.succeed("import", "--image-size", "64", self.weights, "-o", model)
        found = json.loads(self.succeed("inspect", "--json", model))
        self.assertEqual(found["tokens"], 17)
        self.fail_with(
            "expected a multiple of the patch size 16",
            "import", "--image-size", "56", self.weights, "-o", self.path("other.safetensors"),
        )

    def test_it_classifies_in_every_precision(self):
        self.write_colours("pictures")
        picture = self.path("pictures", "red.png")
        for precision in ("float32", "bf16", "int8"):
            arguments = ("classify", "--precision", precision, "--model", self.weights, picture)
            with self.subTest(precision=precision):
                if precision == "bf16" and NO_BF16 in self.run_command(*arguments).stderr:
                    self.skipTest(NO_BF16)
                self.assertTrue(self.succeed(*arguments, notes=1))

    def test_it_is_exported_as_published(self):
        model, out = self.path("model.safetensors"), self.path("out.safetensors")
        self.succeed("import", self.weights, "-o", model)
        self.succeed("export", model, "-o", out)
        self.assertEqual(
            colour_model.read_safetensors(out)[0], colour_model.read_safetensors(self.weights)[0]
        )

    def test_it_is_measured(self):
        text = self.succeed("bench", "--json", "--seconds", "0.1", self.weights)
        self.assertTrue(json.loads(text))

    def test_another_kind_of_stem_is_rejected(self):
        entries = t2t_model.tensors()
        del entries["tokens_to_token.attention1.w"]
        path = self.path("other.safetensors")
        colour_model.write_safetensors(path, entries, {"format": "pt"})
        self.fail_with("whose stem has neither", "inspect", path)

    def test_image_sizes_that_do_not_fit_are_rejected(self):
        entries = t2t_model.tensors()
        entries["pos_embed"] = ([1, 11, 64], [0.0] * 11 * 64)
        path = self.path("other.safetensors")
        colour_model.write_safetensors(path, entries, {"format": "pt"})
        self.fail_with("do not fit a T2T-ViT for a square image", "inspect", path)


class CompressTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.weights = self.path("published.safetensors")
        self.teacher = self.path("teacher.safetensors")
        self.student = self.path("student.safetensors")
        shape = t2t_model.SMALL._replace(depth=4, token_dim=4)
        t2t_model.write_weights(self.weights, shape)
        self.succeed("import", self.weights, "-o", self.teacher)
        random_model.write_pictures(self.path("pictures"), 60)

    def compress(self, *arguments):
        result = self.run_command(
            "compress", "--teacher", self.teacher, "--data", self.path("pictures"),
            "--batch-size", "8", "-o", self.student, *arguments,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(self.succeed("inspect", "--json", self.student))

    def stem_of(self, model):
        tensors, _ = colour_model.read_safetensors(model)
        return {n: t for n, t in tensors.items() if n.startswith("tokens_to_token.attention")}

    def test_blocks_are_cut_without_training(self):
        found = self.compress("--target", "0.7", "--static-only", "--no-train")
        self.assertEqual(found["family"], "t2t")
        self.assertEqual(found["stem"]["kind"], "performer")
        self.assertLess(found["gmacs"]["model"], 0.75 * found["gmacs"]["dense"])

    def test_training_keeps_the_stem_and_makes_a_dial(self):
        found = self.compress("--target", "0.6", "--steps", "30", "--precision", "float32")
        self.assertLess(found["dial"]["min_compute"], found["dial"]["max_compute"])
        self.assertEqual(self.stem_of(self.student), self.stem_of(self.weights))
        cheapest = found["dial"]["calibration"][0]
        self.assertLess(min(cheapest["merge_thresholds"]), 1)
        text = self.succeed(
            "eval", "--json", "--data", self.path("pictures"),
            "--compute", str(cheapest["compute"]), self.student,
            notes=1,  # the classes of the pictures are unknown
        )
        found = json.loads(text)
        self.assertEqual(found["images"], 60)
        self.assertLess(found["tokens"]["mean"], found["tokens"]["all"])


if __name__ == "__main__":
    unittest.main()
