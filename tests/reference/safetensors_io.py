"""Reads and writes safetensors files, with numpy only.

A file holds the header's length (8 bytes, little-endian), the header (JSON, padded with spaces to a
multiple of 8) and the tensors' bytes. engine/FORMAT.md describes it in full.
"""

import json
import struct

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
          "I8": "i1", "U8": "u1"}


def to_bfloat16(values):
    """Rounds float32 to the upper 16 bits: to nearest, ties to even. Does not handle NaN."""
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def from_bfloat16(bits):
    return (bits.astype("<u4") << 16).view("<f4")


def read(path):
    """Returns (tensors, metadata): numpy arrays by name (BF16 as float32), and strings by key."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = from_bfloat16(array) if entry["dtype"] == "BF16" else array
    return tensors, metadata


def write(path, tensors, metadata=None, store=None):
    """Writes numpy arrays by name, in their order. Float arrays are stored as `store` ("F16" or
    "BF16"), or in their own type if it is None."""
    header, chunks, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        if store == "BF16" and array.dtype.kind == "f":
            dtype, array = "BF16", to_bfloat16(array)
        elif store == "F16" and array.dtype.kind == "f":
            dtype, array = "F16", array.astype("<f2")
        else:
            dtype = {np.dtype(v): k for k, v in DTYPES.items() if k != "BF16"}[array.dtype]
        chunk = np.ascontiguousarray(array)
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [offset, offset + chunk.nbytes]}
        chunks.append(chunk)
        offset += chunk.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for chunk in chunks:
            file.write(chunk.data)
