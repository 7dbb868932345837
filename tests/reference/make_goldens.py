#!/usr/bin/python3
"""Writes goldens/: small random models with PyTorch's results, and images with PIL's results.

Deterministic: numpy's RandomState never changes, and results are computed in float64 and rounded at
the end, so that they do not depend on the machine's kernels.
"""

import json
import math
import os
from collections import namedtuple

import numpy as np
import torch
from PIL import Image

import pil
import safetensors_io
import vit

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens")
N_IMAGES = 3

Spec = namedtuple("Spec", "name seed image patch dim head_dim blocks classes "
                          "distilled eps store described labels interpolation dense_blocks qkv_bias "
                          "layer_scale class_position mean_pooling",
                  defaults=(False, 1e-6, None, True, True, "bicubic", None, True,
                            False, True, False))

# blocks: (heads, neurons) of each block; 0: no such module.
MODELS = [
    Spec("small", 1, 32, 8, 48, 16, [(3, 64)] * 3, 10),
    Spec("odd", 2, 36, 12, 40, 8, [(5, 68)] * 2, 7, eps=1e-12, labels=False,
         interpolation="bilinear"),
    Spec("distilled", 3, 30, 6, 48, 24, [(2, 80)] * 2, 13, distilled=True),
    Spec("cut", 4, 35, 7, 48, 16, [(3, 80), (0, 48), (2, 0), (1, 16), (0, 0)], 11,
         dense_blocks=[(3, 192)] * 5),
    Spec("f16", 5, 24, 8, 32, 16, [(2, 64)] * 2, 5, store="F16"),
    Spec("bf16", 6, 24, 8, 32, 16, [(2, 64)] * 2, 5, store="BF16"),
    Spec("timm", 7, 24, 8, 64, 64, [(1, 48)] * 2, 9, described=False),
    Spec("unbiased", 8, 24, 8, 40, 20, [(2, 64)] * 2, 6, eps=1e-5, qkv_bias=False),
    Spec("deit3", 9, 16, 4, 64, 64, [(1, 32)] * 2, 6, store="F16", described=False,
         layer_scale=True, class_position=False),
    Spec("mean", 10, 16, 4, 64, 64, [(1, 32)] * 2, 6, store="F16", described=False,
         layer_scale=True, mean_pooling=True),
]


def make_weights(spec):
    """Draws weights, scaled so that scores vary by about 2, modules matter beside the residual, and
    logits spread by more than 1."""
    random = np.random.RandomState(spec.seed)

    def normal(std, *shape):
        return (std * random.standard_normal(shape)).astype("<f4")

    def linear(w, name, n_out, n_in, gain):
        w[name + ".weight"] = normal(gain / math.sqrt(n_in), n_out, n_in)
        w[name + ".bias"] = normal(0.2, n_out)

    def norm(w, name):
        w[name + ".weight"] = 1 + normal(0.25, spec.dim)
        w[name + ".bias"] = normal(0.2, spec.dim)

    w = {"cls_token": normal(1, 1, 1, spec.dim)}
    if spec.distilled:
        w["dist_token"] = normal(1, 1, 1, spec.dim)
    tokens = (spec.image // spec.patch) ** 2 + spec.class_position + spec.distilled
    w["pos_embed"] = normal(0.5, 1, tokens, spec.dim)
    linear(w, "patch_embed.proj", spec.dim, 3 * spec.patch ** 2, 1.0)
    w["patch_embed.proj.weight"] = w["patch_embed.proj.weight"].reshape(
        spec.dim, 3, spec.patch, spec.patch)
    for i, (heads, neurons) in enumerate(spec.blocks):
        width = heads * spec.head_dim
        if heads:
            norm(w, f"blocks.{i}.norm1")
            linear(w, f"blocks.{i}.attn.qkv", 3 * width, spec.dim, 1.4)
            if not spec.qkv_bias:
                del w[f"blocks.{i}.attn.qkv.bias"]
            linear(w, f"blocks.{i}.attn.proj", spec.dim, width, 1.2)
        if neurons:
            norm(w, f"blocks.{i}.norm2")
            linear(w, f"blocks.{i}.mlp.fc1", neurons, spec.dim, 1.4)
            linear(w, f"blocks.{i}.mlp.fc2", spec.dim, neurons, 1.4)
    if spec.layer_scale:
        for i in range(len(spec.blocks)):
            for scale in ("ls1", "ls2"):
                w[f"blocks.{i}.{scale}.gamma"] = normal(0.7, spec.dim)
    norm(w, "fc_norm" if spec.mean_pooling else "norm")
    linear(w, "head", spec.classes, spec.dim, 1.6)
    if spec.distilled:
        linear(w, "head_dist", spec.classes, spec.dim, 1.6)
    return w


def count(spec, blocks):
    """Returns (gmacs, parameters) of the network with these blocks."""
    patches = (spec.image // spec.patch) ** 2
    special = 1 + spec.distilled
    tokens, dim, pixels = patches + special, spec.dim, 3 * spec.patch ** 2
    macs = patches * pixels * dim + special * dim * spec.classes
    parameters = (dim * (special + tokens) + (pixels + 1) * dim + 2 * dim
                  + special * (dim + 1) * spec.classes)
    for heads, neurons in blocks:
        width = heads * spec.head_dim
        macs += tokens * width * (4 * dim + 2 * tokens) + tokens * 2 * dim * neurons
        if heads:
            parameters += 2 * dim + 3 * width * (dim + spec.qkv_bias) + dim * (width + 1)
        if neurons:
            parameters += 2 * dim + neurons * (dim + 1) + dim * (neurons + 1)
    return macs / 1e9, parameters


def describe(spec):
    gmacs, parameters = count(spec, spec.dense_blocks or spec.blocks)
    description = {
        "version": 1, "name": "golden-" + spec.name, "family": "vit",
        "image_size": spec.image, "patch_size": spec.patch, "dim": spec.dim,
        "head_dim": spec.head_dim, "depth": len(spec.blocks), "distilled": spec.distilled,
        "pooling": "mean" if spec.mean_pooling else "class-token", "layer_norm_eps": spec.eps,
        "n_classes": spec.classes,
        "blocks": [{"heads": heads, "neurons": neurons} for heads, neurons in spec.blocks],
        "precision": {None: "float32", "F16": "float16", "BF16": "bfloat16"}[spec.store],
        "preprocessing": {
            "resize": spec.image + 4, "interpolation": spec.interpolation,
            "mean": pil.IMAGENET_MEAN, "std": pil.IMAGENET_STD},
        "dense": {"gmacs": gmacs, "parameters": parameters},
        "provenance": {"made_by": "tests/reference/make_goldens.py", "seed": spec.seed},
    }
    if not spec.qkv_bias:
        description["qkv_bias"] = False
    if spec.labels:
        description["labels"] = [f"class {i}" for i in range(spec.classes)]
        description["label_ids"] = [f"n{i:08d}" for i in range(spec.classes)]
    return description


def make_inputs(spec):
    """Draws noise, a gradient with noise, and a chequerboard: [N_IMAGES, 3, S, S], normalised."""
    random = np.random.RandomState(100 + spec.seed)
    size = spec.image
    y, x = np.mgrid[:size, :size] / size
    noise = random.standard_normal((N_IMAGES, 3, size, size))
    noise[1] = 0.3 * noise[1] + np.stack([2 * x - 1, 1 - 2 * y, x + y - 1])
    noise[2] = 0.3 * noise[2] + np.where(((8 * x).astype(int) + (8 * y).astype(int)) % 2, 1.5, -1)
    return noise.astype("<f4")


def make_model(spec):
    path = os.path.join(FOLDER, f"model-{spec.name}.safetensors")
    weights = make_weights(spec)
    metadata = {"vitgate": json.dumps(describe(spec))} if spec.described else {"format": "pt"}
    safetensors_io.write(path, weights, metadata, spec.store)
    stored, _ = safetensors_io.read(path)
    assert not spec.described or sum(a.size for a in stored.values()) == count(
        spec, spec.blocks)[1]

    inputs = make_inputs(spec)
    logits, outputs = vit.forward(
        {name: torch.from_numpy(array.astype("f8")) for name, array in stored.items()},
        torch.from_numpy(inputs.astype("f8")), spec.head_dim, len(spec.blocks), spec.eps)
    golden = {"input": inputs, "logits": logits.numpy().astype("<f4")}
    for i, output in enumerate(outputs):
        # Only for the first image, to find the block where a forward pass goes wrong.
        golden[f"block.{i}"] = output[0].numpy().astype("<f4")
    safetensors_io.write(os.path.join(FOLDER, f"golden-{spec.name}.safetensors"), golden)
    print(f"{spec.name:10} {count(spec, spec.blocks)[1]:6} parameters, logits "
          f"{golden['logits'].min():.2f} to {golden['logits'].max():.2f}, between images "
          f"{golden['logits'].std(0).mean():.2f}")


# (width, height)
IMAGE_SIZES = [(61, 47), (33, 97), (32, 32), (160, 107), (1, 1), (5, 300), (150, 2), (36, 36),
               (37, 64), (64, 37)]
# (resize, crop): the odd differences test the rounding of the crop's offset.
TARGETS = [(36, 32), (37, 32), (35, 32), (32, 32)]


def make_image(width, height, seed):
    """Draws a gradient, hard edges at odd places, and noise: uint8 [height, width, 3]."""
    random = np.random.RandomState(200 + seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], -1)
    image[(x * 7 // width + y * 5 // height) % 3 == 0] += (90, -110, 70)
    image[(3 * x + 2 * y) % 29 < 2] = (250, 5, 245)
    image += 25 * random.standard_normal(image.shape)
    return np.clip(np.rint(image), 0, 255).astype("u1")


def make_preprocessing():
    """Writes source.WxH [H, W, 3] and crop.WxH.INTERPOLATION.RESIZE.CROP [CROP, CROP, 3], uint8."""
    tensors = {}
    for seed, (width, height) in enumerate(IMAGE_SIZES):
        source = make_image(width, height, seed)
        tensors[f"source.{width}x{height}"] = source
        targets = TARGETS if (width, height) in ((61, 47), (33, 97)) else TARGETS[:1]
        for resize, crop in targets:
            for interpolation in pil.FILTERS:
                tensors[f"crop.{width}x{height}.{interpolation}.{resize}.{crop}"] = np.asarray(
                    pil.resize_and_crop(Image.fromarray(source), resize, crop, interpolation))
    safetensors_io.write(os.path.join(FOLDER, "golden-preprocessing.safetensors"), tensors)


# Sides of the square of patches, before and after.
SIDES = [(4, 7), (7, 4), (6, 6), (14, 24), (14, 5), (3, 12)]


def make_positions():
    """Writes source.SIDE [SIDE * SIDE, dim], and resized.SIDE.NEW as by timm's
    resample_abs_pos_embed."""
    random = np.random.RandomState(300)
    tensors, dim = {}, 6
    for side, new in SIDES:
        name = f"source.{side}"
        if name not in tensors:
            tensors[name] = random.standard_normal((side * side, dim)).astype("<f4")
        grid = torch.from_numpy(tensors[name].astype("f8")).reshape(1, side, side, dim)
        grid = torch.nn.functional.interpolate(
            grid.permute(0, 3, 1, 2), (new, new), mode="bicubic", antialias=True,
            align_corners=False)
        tensors[f"resized.{side}.{new}"] = np.ascontiguousarray(
            grid[0].permute(1, 2, 0).reshape(new * new, dim).numpy(), "<f4")
    safetensors_io.write(os.path.join(FOLDER, "golden-positions.safetensors"), tensors)


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    torch.set_num_threads(1)
    for model in MODELS:
        make_model(model)
    make_preprocessing()
    make_positions()
