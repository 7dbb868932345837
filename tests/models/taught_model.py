"""Adds to a model file what `vitgate teach` adds, with numbers that tests choose."""

import json
import struct

from colour_model import pack_header, read_safetensors

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
