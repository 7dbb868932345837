#!/usr/bin/python3
"""Writes the goldens of T2T-ViT: small random models with either stem, and PyTorch's results stage
by stage."""

import json
import math
import os
from collections import namedtuple

import numpy as np
import torch

import make_goldens
import pil
import safetensors_io
import t2t

Spec = namedtuple("Spec", "name seed kind image token_dim features dim head_dim blocks classes")

# blocks: (heads, neurons) of each block.
MODELS = [
    Spec("t2t-performer", 21, "performer", 48, 8, 4, 24, 8, [(3, 48)] * 2, 10),
    Spec("t2t-transformer", 22, "transformer", 32, 10, None, 28, 14, [(2, 40), (1, 36)], 7),
]


def sinusoids(tokens, dim):
    """Returns position embeddings [1, tokens, dim]: sines in even dimensions, cosines in odd
    ones."""
    rates = 10000.0 ** -(2 * (np.arange(dim) // 2) / dim)
    angles = np.arange(tokens)[:, None] * rates
    return np.where(np.arange(dim) % 2, np.cos(angles), np.sin(angles))[None].astype("<f4")


class Weights(dict):
    """Random tensors by name, scaled so that every part matters to the logits."""

    def __init__(self, seed):
        super().__init__()
        self.random = np.random.RandomState(seed)

    def normal(self, std, *shape):
        return (std * self.random.standard_normal(shape)).astype("<f4")

    def linear(self, name, n_out, n_in, gain, biased=True):
        self[name + ".weight"] = self.normal(gain / math.sqrt(n_in), n_out, n_in)
        if biased:
            self[name + ".bias"] = self.normal(0.2, n_out)

    def norm(self, name, dim):
        self[name + ".weight"] = 1 + self.normal(0.25, dim)
        self[name + ".bias"] = self.normal(0.2, dim)


def add_stage(w, spec, number, n_in):
    name, n = f"tokens_to_token.attention{number}.", spec.token_dim
    w.norm(name + "norm1", n_in)
    if spec.kind == "performer":
        frame = np.linalg.qr(w.random.standard_normal((n, n)))[0][:spec.features]
        w[name + "w"] = (frame * math.sqrt(spec.features)).astype("<f4")
        w.linear(name + "kqv", 3 * n, n_in, 1.0)
        w.linear(name + "proj", n, n, 1.2)
    else:
        # Queries and keys must be large because the scale of the scores is small.
        w.linear(name + "attn.qkv", 3 * n, n_in, 3.0, biased=False)
        w.linear(name + "attn.proj", n, n, 1.2)
    w.norm(name + "norm2", n)
    first, second = ("mlp.0", "mlp.2") if spec.kind == "performer" else ("mlp.fc1", "mlp.fc2")
    w.linear(name + first, n, n, 1.4)
    w.linear(name + second, n, n, 1.4)


def make_weights(spec):
    w, dim = Weights(spec.seed), spec.dim
    add_stage(w, spec, 1, 3 * 7 * 7)
    add_stage(w, spec, 2, spec.token_dim * 3 * 3)
    w.linear("tokens_to_token.project", dim, spec.token_dim * 3 * 3, 0.5)
    w["cls_token"] = w.normal(1, 1, 1, dim)
    w["pos_embed"] = sinusoids((spec.image // 16) ** 2 + 1, dim)
    for i, (heads, neurons) in enumerate(spec.blocks):
        block, width = f"blocks.{i}.", heads * spec.head_dim
        w.norm(block + "norm1", dim)
        w.linear(block + "attn.qkv", 3 * width, dim, 1.4, biased=False)
        w.linear(block + "attn.proj", dim, width, 1.2)
        w.norm(block + "norm2", dim)
        w.linear(block + "mlp.fc1", neurons, dim, 1.4)
        w.linear(block + "mlp.fc2", dim, neurons, 1.4)
    w.norm("norm", dim)
    w.linear("head", spec.classes, dim, 1.6)
    return w


def stage_macs(spec, tokens, n_in):
    n = spec.token_dim
    if spec.kind == "performer":
        # The features of keys and queries, and their products with values and with ones.
        attention = 2 * n * spec.features + 2 * spec.features * n + spec.features
    else:
        attention = 2 * tokens * n
    return tokens * (n_in * 3 * n + attention + 3 * n * n)


def count_gmacs(spec):
    tokens, dim, n = (spec.image // 16) ** 2 + 1, spec.dim, spec.token_dim
    macs = (stage_macs(spec, (spec.image // 4) ** 2, 147)
            + stage_macs(spec, (spec.image // 8) ** 2, 9 * n)
            + (tokens - 1) * 9 * n * dim + dim * spec.classes)
    for heads, neurons in spec.blocks:
        width = heads * spec.head_dim
        macs += tokens * width * (4 * dim + 2 * tokens) + tokens * 2 * dim * neurons
    return macs / 1e9


def describe(spec, weights):
    stem = {"kind": spec.kind, "token_dim": spec.token_dim}
    if spec.features:
        stem["features"] = spec.features
    return {
        "version": 1, "name": "golden-" + spec.name, "family": "t2t", "stem": stem,
        "image_size": spec.image, "patch_size": 16, "dim": spec.dim, "head_dim": spec.head_dim,
        "depth": len(spec.blocks), "distilled": False, "qkv_bias": False,
        "pooling": "class-token", "layer_norm_eps": t2t.EPS, "n_classes": spec.classes,
        "blocks": [{"heads": heads, "neurons": neurons} for heads, neurons in spec.blocks],
        "precision": "float32",
        "preprocessing": {
            "resize": spec.image + 4, "interpolation": "bicubic",
            "mean": pil.IMAGENET_MEAN, "std": pil.IMAGENET_STD},
        "dense": {"gmacs": count_gmacs(spec),
                  "parameters": sum(array.size for array in weights.values())},
        "labels": [f"class {i}" for i in range(spec.classes)],
        "provenance": {"made_by": "tests/reference/make_t2t_goldens.py", "seed": spec.seed},
    }


def make_model(spec):
    weights = make_weights(spec)
    safetensors_io.write(os.path.join(make_goldens.FOLDER, f"model-{spec.name}.safetensors"),
                         weights, {"vitgate": json.dumps(describe(spec, weights))})
    inputs = make_goldens.make_inputs(spec)
    logits, stages, outputs = t2t.forward(
        {name: torch.from_numpy(array.astype("f8")) for name, array in weights.items()},
        torch.from_numpy(inputs.astype("f8")), spec.head_dim, len(spec.blocks))
    golden = {"input": inputs, "logits": logits.numpy().astype("<f4")}
    for name, tokens in (("stage", stages), ("block", outputs)):
        for i, output in enumerate(tokens):
            golden[f"{name}.{i}"] = output[0].numpy().astype("<f4")
    safetensors_io.write(os.path.join(make_goldens.FOLDER, f"golden-{spec.name}.safetensors"),
                         golden)
    print(f"{spec.name:16} logits {golden['logits'].min():.2f} to {golden['logits'].max():.2f}, "
          f"between images {golden['logits'].std(0).mean():.2f}, stages "
          + ", ".join(f"{golden[f'stage.{i}'].std():.2f}" for i in range(3)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for model in MODELS:
        make_model(model)
