"""The network of colour_model with more blocks, gates with known decisions, and a dial.

Only the attention of block 0 does something; the other modules only add compute. A gate sees one
of the picture's colours and opens if that colour is present. All pictures have the same magnitude,
so the majority decides if images decide together.

A module may have a TokenGate instead. It is open for the patches of its colour; its substitute is
zero.
"""

import json
from typing import NamedTuple

from colour_model import (
    DIM, IDS, IMAGE, LABELS, N_CLASSES, PATCH, TOKENS, identity_rows, tensors, write_safetensors,
    zeros,
)

HEAD_DIM = 16
DENSE_HEADS = DIM // HEAD_DIM
DENSE_NEURONS = 8
GATE_HIDDEN = 16
GATE_MACS = GATE_HIDDEN * (2 * DIM + 1)
RED, GREEN, BLUE = 0, 1, 2



class TokenGate(NamedTuple):
    colour: int
    rank: int  # of the substitute


# (heads, neurons, colour or TokenGate of the attention, colour or TokenGate of the MLP)
BLOCKS = [(4, 8, None, RED), (2, 0, GREEN, None), (0, 6, None, BLUE), (1, 8, None, None)]
DENSE_BLOCKS = [(DENSE_HEADS, DENSE_NEURONS, None, None)] * 4
# Substitutes of all three forms. Block 2 is the last with attention: its gate has no effect.
TOKEN_BLOCKS = [(4, 8, None, TokenGate(RED, 0)), (2, 6, TokenGate(RED, 2), TokenGate(RED, DIM)),
                (1, 8, TokenGate(RED, 1), None)]
# The lowest point closes every gate and merges in block 0, the highest opens every gate.
CALIBRATION = [
    {"compute": 0.2, "agreement": 0.5, "gate_bias": -100, "merge_thresholds": [0.5, 1, 1, 1]},
    {"compute": 0.6, "agreement": 0.75, "gate_bias": 0, "merge_thresholds": [1, 1, 1, 1]},
    {"compute": 0.9, "agreement": 1, "gate_bias": 100, "merge_thresholds": [1, 1, 1, 1]},
]
# All keys are equal: every patch at an even index merges into the first at an odd index.
MERGED_TOKENS = TOKENS - (TOKENS - 1) // 2


def gate_tensors(prefix, colour):
    """A gate whose logit is the normalised colour: GELU(x) - GELU(-x) = x"""
    fc1, fc2 = zeros(GATE_HIDDEN * 2 * DIM), zeros(GATE_HIDDEN)
    fc1[DIM + colour], fc1[2 * DIM + DIM + colour] = 1.0, -1.0
    fc2[0], fc2[1] = 1.0, -1.0
    return {
        f"{prefix}.norm.weight": ([2 * DIM], [1.0] * 2 * DIM),
        f"{prefix}.norm.bias": ([2 * DIM], zeros(2 * DIM)),
        f"{prefix}.fc1.weight": ([GATE_HIDDEN, 2 * DIM], fc1),
        f"{prefix}.fc1.bias": ([GATE_HIDDEN], zeros(GATE_HIDDEN)),
        f"{prefix}.fc2.weight": ([1, GATE_HIDDEN], fc2),
        f"{prefix}.fc2.bias": ([1], [0.0]),
    }


def token_gate_tensors(prefix, module, gate):
    """A gate whose logit is the token's normalised colour"""
    weight = zeros(DIM)
    weight[gate.colour] = 1.0
    substitute = f"{prefix}.{module}_substitute"
    entries = {
        f"{prefix}.{module}_token_gate.weight": ([1, DIM], weight),
        f"{prefix}.{module}_token_gate.bias": ([1], [0.0]),
        f"{substitute}.bias": ([DIM], zeros(DIM)),
    }
    if 2 * gate.rank >= DIM:
        entries[f"{substitute}.weight"] = ([DIM, DIM], zeros(DIM * DIM))
    elif gate.rank:
        entries[f"{substitute}.down.weight"] = ([gate.rank, DIM], zeros(gate.rank * DIM))
        entries[f"{substitute}.up.weight"] = ([DIM, gate.rank], zeros(gate.rank * DIM))
    return entries


def block_tensors(index, heads, neurons, attention_gate, mlp_gate):
    prefix, width = f"blocks.{index}", heads * HEAD_DIM
    entries = {}

    def add(name, *shape, values=None):
        n = 1
        for size in shape:
            n *= size
        entries[f"{prefix}.{name}"] = (list(shape), values or zeros(n))

    if heads:
        works = index == 0 and width == DIM
        add("norm1.weight", DIM, values=[1.0] * DIM)
        add("norm1.bias", DIM)
        add("attn.qkv.weight", 3 * width, DIM,
            values=identity_rows(3 * DIM, 2 * DIM) if works else None)
        # Queries of zero make attention weight all tokens equally, whatever the keys are.
        add("attn.qkv.bias", 3 * width, values=zeros(width) + [1.0] * width + zeros(width))
        add("attn.proj.weight", DIM, width, values=identity_rows(DIM, 0) if works else None)
        add("attn.proj.bias", DIM)
    if neurons:
        add("norm2.weight", DIM, values=[1.0] * DIM)
        add("norm2.bias", DIM)
        add("mlp.fc1.weight", neurons, DIM)
        add("mlp.fc1.bias", neurons)
        add("mlp.fc2.weight", DIM, neurons)
        add("mlp.fc2.bias", DIM)
    for module, gate in (("attn", attention_gate), ("mlp", mlp_gate)):
        if isinstance(gate, TokenGate):
            entries.update(token_gate_tensors(prefix, module, gate))
        elif gate is not None:
            entries.update(gate_tensors(f"{prefix}.{module}_gate", gate))
    return entries


def describe_block(heads, neurons, attention_gate, mlp_gate):
    block = {"heads": heads, "neurons": neurons}
    for module, gate in (("attention", attention_gate), ("mlp", mlp_gate)):
        if isinstance(gate, TokenGate):
            block[f"{module}_token_gate"] = {"rank": gate.rank}
        elif gate is not None:
            block[f"{module}_gate"] = True
    return block


def write_model(path, blocks=None, **changes):
    """changes: of the description; a field that is None is omitted"""
    blocks = BLOCKS if blocks is None else blocks
    description = {
        "version": 1,
        "name": "gated_model",
        "family": "vit",
        "image_size": IMAGE,
        "patch_size": PATCH,
        "dim": DIM,
        "head_dim": HEAD_DIM,
        "depth": len(blocks),
        "blocks": [describe_block(*block) for block in blocks],
        "n_classes": N_CLASSES,
        "distilled": False,
        "pooling": "class-token",
        "layer_norm_eps": 1e-6,
        "precision": "float32",
        "preprocessing": {
            "resize": IMAGE,
            "interpolation": "bicubic",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
        "dense": {"gmacs": dense_macs(len(blocks)) * 1e-9, "parameters": 100000},
        "calibration": CALIBRATION,
        "default_compute": 0.6,
        "labels": LABELS,
        "label_ids": IDS,
    }
    description.update(changes)
    description = {name: value for name, value in description.items() if value is not None}
    entries = {n: e for n, e in tensors().items() if not n.startswith("blocks.")}
    for index, block in enumerate(blocks):
        entries.update(block_tensors(index, *block))
    write_safetensors(path, entries, {"vitgate": json.dumps(description)})


def dense_macs(depth):
    """GMACs of the dense teacher as published: all tokens in every block"""
    width = DENSE_HEADS * HEAD_DIM
    block = 4 * TOKENS * DIM * width + 2 * TOKENS * TOKENS * width + 2 * TOKENS * DIM * DENSE_NEURONS
    return (TOKENS - 1) * 3 * PATCH * PATCH * DIM + depth * block + DIM * N_CLASSES
