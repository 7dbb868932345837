"""A small dense vision transformer with random weights, and pictures to train a student.

The weights are large enough for its classes to depend on the picture.
"""

import json
import os
import random

from colour_model import write_png, write_safetensors

IMAGE, PATCH, DIM, HEAD_DIM, HEADS, NEURONS, DEPTH = 32, 8, 32, 8, 4, 64, 3
LABELS = ["pike", "quail", "robin", "stork", "tench"]
IDS = [f"n0000000{i}" for i in range(len(LABELS))]
TOKENS = (IMAGE // PATCH) ** 2 + 1


def dense_gmacs(depth=DEPTH):
    width = HEADS * HEAD_DIM
    block = 4 * TOKENS * DIM * width + 2 * TOKENS * TOKENS * width + 2 * TOKENS * DIM * NEURONS
    return 1e-9 * ((TOKENS - 1) * 3 * PATCH * PATCH * DIM + depth * block + DIM * len(LABELS))


def tensors(seed, image=IMAGE, depth=DEPTH):
    tokens = (image // PATCH) ** 2 + 1
    rng = random.Random(seed)

    def matrix(*shape, scale=1.0):
        n = 1
        for size in shape:
            n *= size
        columns = n // shape[0]
        return list(shape), [rng.gauss(0, scale / columns**0.5) for _ in range(n)]

    def vector(n, value=0.0):
        return [n], [value + rng.gauss(0, 0.05) for _ in range(n)]

    entries = {
        "cls_token": ([1, 1, DIM], vector(DIM)[1]),
        "pos_embed": ([1, tokens, DIM], [rng.gauss(0, 0.3) for _ in range(tokens * DIM)]),
        "patch_embed.proj.weight": matrix(DIM, 3, PATCH, PATCH, scale=3),
        "patch_embed.proj.bias": vector(DIM),
        "norm.weight": vector(DIM, 1.0),
        "norm.bias": vector(DIM),
        "head.weight": matrix(len(LABELS), DIM, scale=3),
        "head.bias": vector(len(LABELS)),
    }
    for b in range(depth):
        for name, entry in {
            "norm1.weight": vector(DIM, 1.0),
            "norm1.bias": vector(DIM),
            "attn.qkv.weight": matrix(3 * DIM, DIM, scale=1.5),
            "attn.qkv.bias": vector(3 * DIM),
            "attn.proj.weight": matrix(DIM, DIM),
            "attn.proj.bias": vector(DIM),
            "norm2.weight": vector(DIM, 1.0),
            "norm2.bias": vector(DIM),
            "mlp.fc1.weight": matrix(NEURONS, DIM),
            "mlp.fc1.bias": vector(NEURONS),
            "mlp.fc2.weight": matrix(DIM, NEURONS),
            "mlp.fc2.bias": vector(DIM),
        }.items():
            entries[f"blocks.{b}.{name}"] = entry
    return entries


def write_teacher(path, seed=1, image=IMAGE, depth=DEPTH, pooling="class-token"):
    entries = tensors(seed, image, depth)
    if pooling == "mean":
        for part in ("weight", "bias"):
            entries["fc_norm." + part] = entries.pop("norm." + part)
    parameters = sum(len(values) for _, values in entries.values())
    description = {
        "version": 1,
        "name": "random_model",
        "family": "vit",
        "image_size": image,
        "patch_size": PATCH,
        "dim": DIM,
        "head_dim": HEAD_DIM,
        "depth": depth,
        "blocks": [{"heads": HEADS, "neurons": NEURONS}] * depth,
        "n_classes": len(LABELS),
        "distilled": False,
        "pooling": pooling,
        "layer_norm_eps": 1e-6,
        "precision": "float32",
        "preprocessing": {
            "resize": image,
            "interpolation": "bicubic",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
        },
        "dense": {"gmacs": dense_gmacs(depth), "parameters": parameters},
        "labels": LABELS,
        "label_ids": IDS,
    }
    write_safetensors(path, entries, {"vitgate": json.dumps(description)})


def write_picture(path, rng, side=40):
    """Writes a PNG with a few coloured boxes"""
    pixels = [[[rng.randrange(256) for _ in range(3)]] * side for _ in range(1)] * side
    pixels = [list(row) for row in pixels]
    for _ in range(6):
        colour = [rng.randrange(256) for _ in range(3)]
        left, top = rng.randrange(side - 8), rng.randrange(side - 8)
        for y in range(top, top + rng.randrange(4, 20)):
            for x in range(left, left + rng.randrange(4, 20)):
                if x < side and y < side:
                    pixels[y][x] = colour
    write_png(path, side, bytes(v for row in pixels for pixel in row for v in pixel))


def write_pictures(folder, n, seed=1):
    """Writes n pictures to folders named after the ids of the classes"""
    rng = random.Random(seed)
    for i in range(n):
        place = os.path.join(folder, IDS[i % len(IDS)])
        os.makedirs(place, exist_ok=True)
        write_picture(os.path.join(place, f"{i:03}.png"), rng)
