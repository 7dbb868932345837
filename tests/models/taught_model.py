"""Adds to a model file what `vitgate teach` adds, with numbers that tests choose."""

import json
import math
import os
import struct

import gated_model
from colour_model import (
    CHANNELS, COLOURS, DIM, IMAGE, NEURONS, PATCH, channel_tensors, pack_header, read_safetensors,
    write_safetensors,
)

VIEWS = 6
TEACH = {"views": VIEWS, "counts": [4, 2], "inner": {"anything": None}}


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def write_raw(path, entries, metadata):
    """entries: {name: (dtype, shape, bytes)}, as read_safetensors() returns them"""
    header, data = {"__metadata__": metadata}, b""
    order = sorted(entries, key=lambda name: {"I8": 1, "F16": 2}.get(entries[name][0], 4),
                   reverse=True)
    for name in order:
        dtype, shape, content = entries[name]
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    with open(path, "wb") as file:
        file.write(pack_header(header) + data)


def describe(path):
    return json.loads(read_safetensors(path)[1]["vitgate"])


def teach(source, path, means=None, median=4, limit=8, thresholds=None):
    """Writes the model at @source to @path with a score, stored features and perhaps thresholds.

    means: one list for each class, of as many values as the network is wide; None: zeros
    """
    entries, metadata = read_safetensors(source)
    description = json.loads(metadata["vitgate"])
    dim, n_classes = description["dim"], description["n_classes"]
    identity = [float(i % (dim + 1) == 0) for i in range(dim * dim)]
    rows = sum(means, []) if means else [0] * dim * n_classes
    entries["unknown.whitening"] = ("F32", [dim, dim], floats(*identity))
    entries["unknown.means"] = ("F32", [n_classes, dim], floats(*rows))
    entries["teach.features"] = ("I8", [VIEWS, dim], bytes(i % 100 for i in range(VIEWS * dim)))
    entries["teach.features_scale"] = ("F32", [VIEWS], floats(*[0.25] * VIEWS))
    description["unknown"] = {"median": median, "limit": limit}
    description["teach"] = TEACH
    if thresholds:
        description["thresholds"] = thresholds
    write_raw(path, entries, {**metadata, "vitgate": json.dumps(description)})


def colour_features(pixel, mean=0.5, std=0.5):
    """Returns the features of a picture of one colour: those of every token, after a LayerNorm"""
    channels = [(value / 255 - mean) / std for value in pixel]
    token = channels + [-value for value in channels] + [4.0, -4.0] + [0.0] * (DIM - 8)
    deviation = math.sqrt(sum(value * value for value in token) / DIM + 1e-6)
    return [value / deviation for value in token]


# Full and missing channels of a picture that is of a class.
FULL, MISSING = 250, 10


def write_colours(path):
    """Writes the gated model, taught with its pure colours."""
    corners = [colour_features([FULL if there else MISSING for there in corner])
               for _, *corner in COLOURS]
    base = path + ".base"
    gated_model.write_model(base)
    teach(base, path, corners + 2 * corners[:1], median=0.25, limit=1.0)
    os.remove(base)


def write_channels(path, thresholds, fit="squash"):
    """Writes a model in which red, green and blue have probabilities and thresholds of their own"""
    n_classes = len(CHANNELS)
    description = {
        "version": 1, "name": "channels", "family": "vit", "image_size": IMAGE,
        "patch_size": PATCH, "dim": DIM, "head_dim": DIM, "depth": 1,
        "blocks": [{"heads": 1, "neurons": NEURONS}], "n_classes": n_classes,
        "activation": "sigmoid", "distilled": False, "pooling": "class-token",
        "layer_norm_eps": 1e-6, "precision": "float32",
        "preprocessing": {"fit": fit, "resize": IMAGE, "interpolation": "bicubic",
                          "mean": [0.5] * 3, "std": [0.5] * 3},
        "dense": {"gmacs": 1e-3, "parameters": 10000}, "labels": CHANNELS,
    }
    base = path + ".base"
    write_safetensors(base, channel_tensors(), {"vitgate": json.dumps(description)})
    teach(base, path, [colour_features((FULL, MISSING, MISSING))] * n_classes, median=0.25,
          limit=1.0, thresholds=thresholds)
    os.remove(base)
