"""Shapes of published ViTs and DeiTs, under timm's names."""

from collections import namedtuple

from colour_model import affine_shapes as affine

# scaled: LayerScale, no position for the class token; pooled: fc_norm of the mean of all patches
Shape = namedtuple("Shape", "dim distilled patch image depth classes scaled pooled",
                   defaults=(False, 16, 224, 12, 1000, False, False))

# With the published number of parameters and GMACs.
PUBLISHED = {
    "deit_tiny": (Shape(192), 5717416, 1.254),
    "deit_small": (Shape(384), 22050664, 4.599),
    "deit_base": (Shape(768), 86567656, 17.564),
    "deit_tiny_distilled": (Shape(192, True), 5910800, 1.261),
    "deit_small_distilled": (Shape(384, True), 22436432, 4.624),
    "deit_base_distilled": (Shape(768, True), 87338192, 17.657),
}


def shapes(shape):
    """Returns {name: shape} of every tensor"""
    dim, patches = shape.dim, (shape.image // shape.patch) ** 2
    found = {"cls_token": [1, 1, dim],
             "pos_embed": [1, patches + (not shape.scaled) + shape.distilled, dim]}
    found |= affine("patch_embed.proj", dim, 3, shape.patch, shape.patch)
    for i in range(shape.depth):
        block = f"blocks.{i}."
        found |= affine(block + "norm1", dim) | affine(block + "norm2", dim)
        found |= affine(block + "attn.qkv", 3 * dim, dim) | affine(block + "attn.proj", dim, dim)
        found |= affine(block + "mlp.fc1", 4 * dim, dim) | affine(block + "mlp.fc2", dim, 4 * dim)
        if shape.scaled:
            found |= {block + "ls1.gamma": [dim], block + "ls2.gamma": [dim]}
    found |= affine("fc_norm" if shape.pooled else "norm", dim)
    found |= affine("head", shape.classes, dim)
    if shape.distilled:
        found |= {"dist_token": [1, 1, dim]} | affine("head_dist", shape.classes, dim)
    return found
