#!/usr/bin/env python3
"""What inspect prints of the published baselines: files of their shapes, all holes."""

import json
import unittest

import colour_model
from command_case import CommandTest

PATCH, CLASSES, DEPTH, PATCHES = 16, 1000, 12, 196

# name: dim, distilled, parameters, GMACs, as they are published
BASELINES = {
    "deit_tiny": (192, False, 5717416, 1.254),
    "deit_small": (384, False, 22050664, 4.599),
    "deit_base": (768, False, 86567656, 17.564),
    "deit_tiny_distilled": (192, True, 5910800, 1.261),
    "deit_small_distilled": (384, True, 22436432, 4.624),
    "deit_base_distilled": (768, True, 87338192, 17.657),
}


def shapes(dim, distilled):
    affine = colour_model.affine_shapes
    found = {"cls_token": [1, 1, dim], "pos_embed": [1, PATCHES + 1 + distilled, dim]}
    found |= affine("patch_embed.proj", dim, 3, PATCH, PATCH)
    for i in range(DEPTH):
        block = f"blocks.{i}."
        found |= affine(block + "norm1", dim) | affine(block + "norm2", dim)
        found |= affine(block + "attn.qkv", 3 * dim, dim) | affine(block + "attn.proj", dim, dim)
        found |= affine(block + "mlp.fc1", 4 * dim, dim) | affine(block + "mlp.fc2", dim, 4 * dim)
    found |= affine("norm", dim) | affine("head", CLASSES, dim)
    if distilled:
        found |= {"dist_token": [1, 1, dim]} | affine("head_dist", CLASSES, dim)
    return found


class BaselineTest(CommandTest):
    def test_parameters_and_gmacs_are_the_published_ones(self):
        for name, (dim, distilled, parameters, gmacs) in BASELINES.items():
            with self.subTest(name):
                path = self.path("weights.safetensors")
                colour_model.write_hollow(path, shapes(dim, distilled))
                found = json.loads(self.succeed("inspect", "--json", path))
                self.assertEqual(found["parameters"], parameters)
                self.assertEqual(found["dense"]["parameters"], parameters)
                self.assertEqual(round(found["gmacs"]["dense"], 3), gmacs)


if __name__ == "__main__":
    unittest.main()
