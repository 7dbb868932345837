"""T2T-ViTs with the tensor names of their published checkpoints: shapes of all of them, and random
weights of a small one."""

import math
import random
from collections import namedtuple

from colour_model import affine_shapes as affine, write_safetensors

Shape = namedtuple("Shape", "kind dim depth ratio image token_dim classes", defaults=(224, 64, 1000))

# With the published number of parameters and GMACs.
PUBLISHED = {
    "t2t_vit_7": (Shape("performer", 256, 7, 2), 4310222, 1.147),
    "t2t_vit_10": (Shape("performer", 256, 10, 2), 5889230, 1.516),
    "t2t_vit_12": (Shape("performer", 256, 12, 2), 6941902, 1.763),
    "t2t_vit_14": (Shape("performer", 384, 14, 3), 21545550, 4.783),
    "t2t_vit_19": (Shape("performer", 448, 19, 3), 39177422, 8.480),
    "t2t_vit_24": (Shape("performer", 512, 24, 3), 64105934, 13.662),
    "t2t_vit_t_14": (Shape("transformer", 384, 14, 3), 21541070, 6.089),
}
ALL = {
    **{name: shape for name, (shape, *_) in PUBLISHED.items()},
    "t2t_vit_t_19": Shape("transformer", 448, 19, 3),
    "t2t_vit_t_24": Shape("transformer", 512, 24, 3),
}
SMALL = Shape("performer", 64, 2, 2, 48, 8, 5)


def stage(shape, number):
    name, n = f"tokens_to_token.attention{number}.", shape.token_dim
    width = 147 if number == 1 else 9 * n
    performer = shape.kind == "performer"
    entries = affine(name + "norm1", width)
    if performer:
        entries[name + "w"] = [n // 2, n]
        entries.update(affine(name + "kqv", 3 * n, width))
    else:
        entries[name + "attn.qkv.weight"] = [3 * n, width]
    entries.update(affine(name + ("proj" if performer else "attn.proj"), n, n))
    entries.update(affine(name + "norm2", n))
    for part in ("mlp.0", "mlp.2") if performer else ("mlp.fc1", "mlp.fc2"):
        entries.update(affine(name + part, n, n))
    return entries


def shapes(shape):
    """Returns {name: shape} of every tensor"""
    dim = shape.dim
    entries = {"cls_token": [1, 1, dim], "pos_embed": [1, (shape.image // 16) ** 2 + 1, dim]}
    entries.update(stage(shape, 1))
    entries.update(stage(shape, 2))
    entries.update(affine("tokens_to_token.project", dim, 9 * shape.token_dim))
    for b in range(shape.depth):
        block = f"blocks.{b}."
        entries.update(affine(block + "norm1", dim))
        entries[block + "attn.qkv.weight"] = [3 * dim, dim]
        entries.update(affine(block + "attn.proj", dim, dim))
        entries.update(affine(block + "norm2", dim))
        entries.update(affine(block + "mlp.fc1", shape.ratio * dim, dim))
        entries.update(affine(block + "mlp.fc2", dim, shape.ratio * dim))
    entries.update(affine("norm", dim))
    entries.update(affine("head", shape.classes, dim))
    return entries


def tensors(shape=SMALL, seed=1):
    """Returns {name: (shape, values)}, large enough for the classes to depend on the picture"""
    rng = random.Random(seed)

    def values(name, sizes):
        scale = name.endswith(".weight") and "norm" in name
        spread = 1.5 / sizes[1] ** 0.5 if len(sizes) == 2 and not name.endswith(".w") else 0.3
        return [(1 if scale else 0) + rng.gauss(0, spread) for _ in range(math.prod(sizes))]

    return {name: (sizes, values(name, sizes)) for name, sizes in shapes(shape).items()}


def write_weights(path, shape=SMALL, prefix=""):
    entries = {prefix + name: entry for name, entry in tensors(shape).items()}
    write_safetensors(path, entries, {"format": "pt"})
