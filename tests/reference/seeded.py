"""Networks of published dimensions, whose weights are too large to store. They are drawn from their
names when they are needed, and are the same on every machine.

Value i of a tensor is hash(seed + i) / 2^23 - 1, times the tensor's spread. The seed is the 64-bit
FNV-1a hash of the tensor's name, times 2^32. hash() is the upper 24 bits of SplitMix64's output.
Values are uniform in [-1, 1) and exact in float32.
"""

import os
import sys

import numpy as np

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import baselines
import t2t_model

N_IMAGES = 2
ViT = baselines.Shape

VARIANTS = {
    **{name: shape for name, (shape, _, _) in baselines.PUBLISHED.items()},
    **t2t_model.ALL,
    "vit_small_patch32_224": ViT(384, patch=32),
    "vit_small_patch32_384": ViT(384, patch=32, image=384),
    "vit_small_patch14_224": ViT(384, patch=14),
    "vit_small_patch8_224": ViT(384, patch=8),
    "deit3_small_patch16_224": ViT(384, scaled=True),
    "vit_small_patch16_224_pooled": ViT(384, pooled=True),
}
del VARIANTS["deit_base_distilled"]  # blocks of base, heads of small: not worth 350 MB


def draw(name, shape, spread):
    """Returns float32 values, uniform from -spread to spread."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2 ** 64
    x = np.arange(np.prod(shape), dtype="u8")
    x += np.uint64(seed << 32 & 2 ** 64 - 1)
    x *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x ^= x >> np.uint64(shift)
        x *= np.uint64(factor)
    x ^= x >> np.uint64(31)
    x >>= np.uint64(40)
    values = x.astype("<f4")
    values -= 2 ** 23
    values *= np.float32(spread / 2 ** 23)
    return values.reshape(shape)


# Standard deviations: of matrices times the root of their columns, if not 1.2; and of other
# tensors. They make scores vary by about 2, every module matter beside the residual, and logits
# spread by more than 1.
GAINS = {"patch_embed.proj": 1.0, "attn.qkv": 1.4, "mlp.fc1": 1.4, "head": 1.6, "head_dist": 1.6,
         "kqv": 0.35}
STEM_GAINS = {"attn.qkv": 3.0, "project": 0.5}
OTHERS = {"cls_token": 1.0, "dist_token": 1.0, "pos_embed": 0.5, "gamma": 0.7, "w": 0.7, "bias": 0.2}


def find_deviation(name, shape):
    layer, _, part = name.rpartition(".")
    if part == "weight" and len(shape) > 1:
        gains = {**GAINS, **STEM_GAINS} if name.startswith("tokens_to_token.") else GAINS
        gain = next((gain for end, gain in gains.items() if layer.endswith(end)), 1.2)
        return gain / np.prod(shape[1:]) ** 0.5
    return OTHERS.get(part, 0.25)


def make_weights(shape):
    """Returns {name: array} of every tensor."""
    shapes = (baselines if isinstance(shape, ViT) else t2t_model).shapes(shape)
    weights = {}
    for name, sizes in shapes.items():
        weights[name] = draw(name, sizes, 3 ** 0.5 * find_deviation(name, sizes))
        if name.endswith("weight") and "norm" in name:
            weights[name] += 1
    return weights


def make_images(variant):
    """Returns [N_IMAGES, 3, S, S], normalised: noise, and noise on a gradient."""
    size = VARIANTS[variant].image
    images = draw("images", [N_IMAGES, 3, size, size], 3 ** 0.5)
    slope = np.linspace(-1.5, 1.5, size, dtype="<f4")
    images[1] = images[1] * np.float32(0.25) + np.stack(
        [np.broadcast_to(slope, (size, size)), np.broadcast_to(slope[:, None], (size, size)),
         np.zeros((size, size), "<f4")])
    return images
