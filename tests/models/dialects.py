"""The weights of random_model.py under the tensor names of other projects."""

import random
import struct

import random_model
from random_model import DIM, HEADS

HEADS_OPTION = ("--heads", str(HEADS))


def timm(seed=1, distilled=False, **options):
    """Returns {name: (shape, values)}"""
    entries = random_model.tensors(seed, **options)
    if not distilled:
        return entries
    rng = random.Random(seed)
    (_, tokens, _), positions = entries["pos_embed"]
    positions = positions[:DIM] + [rng.gauss(0, 0.3) for _ in range(DIM)] + positions[DIM:]
    entries["pos_embed"] = ([1, tokens + 1, DIM], positions)
    entries["dist_token"] = ([1, 1, DIM], [rng.gauss(0, 0.3) for _ in range(DIM)])
    for part in ("weight", "bias"):
        shape, values = entries[f"head.{part}"]
        entries[f"head_dist.{part}"] = (shape, [rng.gauss(0, 0.5) for _ in values])
    return entries


def two_heads(one):
    """Returns weights of a distilled network with two heads that give the logits of its first"""
    two = dict(one)
    for part in ("weight", "bias"):
        shape, values = one[f"head.{part}"]
        two[f"head.{part}"] = (shape, [2 * value for value in values])
        two[f"head_dist.{part}"] = (shape, [0.0] * len(values))
    return two


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def prefixed(entries, prefix):
    return {prefix + name: entry for name, entry in entries.items()}


PARTS = {
    "norm1": "layernorm_before",
    "attn.proj": "attention.output.dense",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
OTHERS = {
    "cls_token": "embeddings.cls_token",
    "dist_token": "embeddings.distillation_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
    "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
    "norm.weight": "layernorm.weight",
    "norm.bias": "layernorm.bias",
}


def hugging_face(entries, network="vit"):
    """Names of ViTForImageClassification; with network="deit" of DeiTForImageClassification,
WithTeacher if the network has two heads"""
    teacher = "head_dist.weight" in entries
    renamed = {}
    for name, (shape, values) in entries.items():
        if name.startswith("head_dist."):
            renamed[name.replace("head_dist", "distillation_classifier")] = (shape, values)
        elif name.startswith("head."):
            renamed[name.replace("head", "cls_classifier" if teacher else "classifier")] = (
                shape,
                values,
            )
        elif not name.startswith("blocks."):
            renamed[f"{network}.{OTHERS[name]}"] = (shape, values)
        else:
            _, block, part = name.split(".", 2)
            part, kind = part.rsplit(".", 1)
            place = f"{network}.encoder.layer.{block}."
            if part != "attn.qkv":
                renamed[f"{place}{PARTS[part]}.{kind}"] = (shape, values)
                continue
            third = [shape[0] // 3] + shape[1:]
            for i, which in enumerate(("query", "key", "value")):
                n = len(values) // 3
                renamed[f"{place}attention.attention.{which}.{kind}"] = (
                    third,
                    values[i * n : (i + 1) * n],
                )
    return renamed
