"""A small, readable vision transformer whose result is known for every picture of one colour.

The patch embedding computes the mean of red, green and blue. Attention weights all tokens equally
and brings that mean to the class token. The head has one class for each corner of the colour cube.
Needs only Python's standard library, since it writes the files itself.
"""

import json
import math
import struct
import zlib

DIM = 64
PATCH = 8
IMAGE = 32
NEURONS = 8
TOKENS = (IMAGE // PATCH) ** 2 + 1

# (name, red, green, blue); the class index is the index in this list. Two classes never win.
COLOURS = [
    ("black", 0, 0, 0),
    ("blue", 0, 0, 1),
    ("green", 0, 1, 0),
    ("cyan", 0, 1, 1),
    ("red", 1, 0, 0),
    ("magenta", 1, 0, 1),
    ("yellow", 1, 1, 0),
    ("white", 1, 1, 1),
]
LABELS = [colour[0] for colour in COLOURS] + ["nothing, none", "never"]
IDS = [f"n{i:08d}" for i in range(len(LABELS))]
N_CLASSES = len(LABELS)

# Counted by hand: a block's two norms, qkv, proj, fc1 and fc2, in this order.
BLOCK_PARAMETERS = (
    2 * 2 * DIM
    + (DIM + 1) * 3 * DIM
    + (DIM + 1) * DIM
    + (DIM + 1) * NEURONS
    + (NEURONS + 1) * DIM
)
PARAMETERS = (
    DIM
    + TOKENS * DIM
    + (3 * PATCH * PATCH + 1) * DIM
    + BLOCK_PARAMETERS
    + 2 * DIM
    + (DIM + 1) * N_CLASSES
)
OTHER_MACS = (TOKENS - 1) * 3 * PATCH * PATCH * DIM + DIM * N_CLASSES


def block_macs(queries):
    """MACs of a block: keys and values of all tokens, the rest for the given number of tokens"""
    attention = TOKENS * DIM * 2 * DIM + 2 * queries * TOKENS * DIM + queries * DIM * 2 * DIM
    return attention + 2 * queries * DIM * NEURONS


BLOCK_MACS = block_macs(1)  # the last block computes only the class token
MACS = OTHER_MACS + BLOCK_MACS
DENSE_MACS = OTHER_MACS + block_macs(TOKENS)


def zeros(n):
    return [0.0] * n


def identity_rows(rows, first):
    """Returns rows x DIM values, the identity from row first on"""
    values = zeros(rows * DIM)
    for i in range(DIM):
        values[(first + i) * DIM + i] = 1.0
    return values


def tensors():
    """Returns {name: (shape, values)}"""
    patch = zeros(DIM * 3 * PATCH * PATCH)
    for channel in range(3):
        for i in range(PATCH * PATCH):
            mean = 1.0 / (PATCH * PATCH)
            patch[channel * 3 * PATCH * PATCH + channel * PATCH * PATCH + i] = mean
            # The negative value keeps the mean over a token's features at zero.
            patch[(channel + 3) * 3 * PATCH * PATCH + channel * PATCH * PATCH + i] = -mean
    patch_bias = zeros(DIM)
    patch_bias[6], patch_bias[7] = 4.0, -4.0

    head = zeros(N_CLASSES * DIM)
    head_bias = zeros(N_CLASSES)
    for index, (_, *corner) in enumerate(COLOURS):
        for channel in range(3):
            head[index * DIM + channel] = 1.0 if corner[channel] else -1.0
    head_bias[8] = head_bias[9] = -100.0

    ones = [1.0] * DIM
    return {
        "cls_token": ([1, 1, DIM], zeros(DIM)),
        "pos_embed": ([1, TOKENS, DIM], zeros(TOKENS * DIM)),
        "patch_embed.proj.weight": ([DIM, 3, PATCH, PATCH], patch),
        "patch_embed.proj.bias": ([DIM], patch_bias),
        "blocks.0.norm1.weight": ([DIM], ones),
        "blocks.0.norm1.bias": ([DIM], zeros(DIM)),
        "blocks.0.attn.qkv.weight": ([3 * DIM, DIM], identity_rows(3 * DIM, 2 * DIM)),
        "blocks.0.attn.qkv.bias": ([3 * DIM], zeros(3 * DIM)),
        "blocks.0.attn.proj.weight": ([DIM, DIM], identity_rows(DIM, 0)),
        "blocks.0.attn.proj.bias": ([DIM], zeros(DIM)),
        "blocks.0.norm2.weight": ([DIM], ones),
        "blocks.0.norm2.bias": ([DIM], zeros(DIM)),
        "blocks.0.mlp.fc1.weight": ([NEURONS, DIM], zeros(NEURONS * DIM)),
        "blocks.0.mlp.fc1.bias": ([NEURONS], zeros(NEURONS)),
        "blocks.0.mlp.fc2.weight": ([DIM, NEURONS], zeros(DIM * NEURONS)),
        "blocks.0.mlp.fc2.bias": ([DIM], zeros(DIM)),
        "norm.weight": ([DIM], ones),
        "norm.bias": ([DIM], zeros(DIM)),
        "head.weight": ([N_CLASSES, DIM], head),
        "head.bias": ([N_CLASSES], head_bias),
    }


def pack_header(header):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_safetensors(path, entries, metadata=None):
    """entries: {name: (shape, values)}; all are written as float32"""
    header = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (shape, values) in entries.items():
        content = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    with open(path, "wb") as file:
        file.write(pack_header(header) + data)


def affine_shapes(name, *shape):
    """Returns {name: shape} of a layer's tensors"""
    return {name + ".weight": list(shape), name + ".bias": [shape[0]]}


def write_hollow(path, shapes):
    """shapes: {name: shape}; writes float16 zeros as holes, which take no space on the disk"""
    header, offset = {}, 0
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    with open(path, "wb") as file:
        file.write(pack_header(header))
        file.truncate(file.tell() + offset)


def read_safetensors(path):
    """Returns {name: (dtype, shape, bytes)} and the metadata"""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    data = content[8 + length :]
    entries = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        entries[name] = (entry["dtype"], entry["shape"], data[start:end])
    return entries, metadata


def write_model(path, **changes):
    """Writes the weights like timm; changes: name with '__' for '.' = (shape, values)"""
    entries = tensors()
    for name, entry in changes.items():
        name = name.replace("__", ".")
        if entry is None:
            del entries[name]
        else:
            entries[name] = entry
    write_safetensors(
        path,
        entries,
        {"format": "pt", "model": "colour_model", "license": "MIT", "note": "for tests"},
    )


CHANNELS = ["red", "green", "blue"]


def channel_tensors(channels=(0, 1, 2)):
    """Returns tensors whose head has one class for each of these channels. Its logit is above 0 if
    a picture of one colour contains that channel."""
    head = zeros(len(channels) * DIM)
    for row, channel in enumerate(channels):
        head[row * DIM + channel] = 1.0
    return {
        **tensors(),
        "head.weight": ([len(channels), DIM], head),
        "head.bias": ([len(channels)], zeros(len(channels))),
    }


def write_channels(path, channels=(0, 1, 2)):
    """Writes a model in which each channel has a probability of its own"""
    write_safetensors(path, channel_tensors(channels), {"format": "pt", "activation": "sigmoid"})


def write_png(path, width, pixels):
    """Writes a PNG; pixels: red, green and blue of each pixel, row by row"""
    rows = [b"\0" + pixels[start : start + 3 * width] for start in range(0, len(pixels), 3 * width)]

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    with open(path, "wb") as file:
        file.write(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"".join(rows)))
            + chunk(b"IEND", b"")
        )


def write_picture(path, corner, width=40, height=36):
    """Writes a PNG of one colour; corner: (red, green, blue), each 0 or 1"""
    write_png(path, width, bytes(235 * c + 10 for c in corner) * width * height)
