#!/usr/bin/python3
"""Checks the files that `vitgate export --onnx` writes with ONNX's own checker, evaluates them node
by node with numpy, and compares the result with the golden logits. Skipped without python3-onnx.

usage: compare_onnx.py VITGATE
"""

import math
import os
import subprocess
import sys
import tempfile

import numpy as np

import safetensors_io

try:
    import onnx
    from onnx import numpy_helper
except ImportError:
    print("SKIP: python3-onnx is not installed")
    sys.exit(77)

GOLDENS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens")
MODELS = ["small", "distilled", "cut", "f16", "timm", "unbiased", "deit3", "mean",
          "t2t-performer", "t2t-transformer"]
TOLERANCE = 1e-4  # of logits, which both sum in float32

erf = np.vectorize(math.erf, otypes=["f4"])


def convolve(x, weight, bias, stride, pad, groups):
    """Convolves with a square kernel, with the same stride and padding on all sides."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    windows = windows[:, :, ::stride, ::stride]
    n, channels, rows, columns = windows.shape[:4]
    windows = windows.reshape(n, groups, channels // groups, rows, columns, *weight.shape[2:])
    weight = weight.reshape(groups, -1, *weight.shape[1:])
    out = np.einsum("ngcyxij,gdcij->ngdyx", windows, weight)
    return out.reshape(n, -1, rows, columns) + bias[:, None, None]


def normalise(x, scale, shift, epsilon):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon)) * scale + shift


def soften(x):
    exps = np.exp(x - x.max(-1, keepdims=True))
    return exps / exps.sum(-1, keepdims=True)


def reshape(x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


def cut_out(x, first, last, axis):
    return np.take(x, range(first[0], min(last[0], x.shape[axis[0]])), axis[0])


OPERATORS = {
    "Add": lambda a, x, y: x + y,
    "Sub": lambda a, x, y: x - y,
    "Mul": lambda a, x, y: x * y,
    "Div": lambda a, x, y: x / y,
    "Exp": lambda a, x: np.exp(x),
    "MatMul": lambda a, x, y: x @ y,
    "Erf": lambda a, x: erf(x),
    "Identity": lambda a, x: x,
    "Softmax": lambda a, x: soften(x),
    "Transpose": lambda a, x: x.transpose(a["perm"]),
    "Reshape": lambda a, x, shape: reshape(x, shape),
    "Gather": lambda a, x, i: np.take(x, i, a["axis"]),
    "Concat": lambda a, *x: np.concatenate(x, a["axis"]),
    "Conv": lambda a, x, w, b=np.zeros(1, "f4"): convolve(x, w, b, a["strides"][0], a["pads"][0],
                                                          a["group"]),
    "LayerNormalization": lambda a, x, w, b: normalise(x, w, b, a["epsilon"]),
    "Slice": lambda a, x, first, last, axis: cut_out(x, first, last, axis),
    "ReduceMean": lambda a, x: x.mean(tuple(a["axes"]), keepdims=bool(a["keepdims"])),
    "ReduceSum": lambda a, x, axes: x.sum(tuple(axes), keepdims=True),
    "ReduceSumSquare": lambda a, x: (x * x).sum(tuple(a["axes"]), keepdims=bool(a["keepdims"])),
}


def evaluate(graph, image):
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values["image"] = image
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](
            attributes, *(values[name] for name in node.input))
    return values["logits"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            out = os.path.join(folder, name + ".onnx")
            model = os.path.join(GOLDENS, f"model-{name}.safetensors")
            subprocess.run([sys.argv[1], "export", "--onnx", model, "-o", out], check=True,
                           stdout=subprocess.DEVNULL)
            exported = onnx.load(out)
            onnx.checker.check_model(exported, full_check=True)
            golden, _ = safetensors_io.read(os.path.join(GOLDENS, f"golden-{name}.safetensors"))
            found = evaluate(exported.graph, golden["input"])
            worst = np.abs(found - golden["logits"]).max()
            print(f"{name:10} differs from the golden logits by at most {worst:.2g}")
            if not worst <= TOLERANCE:
                sys.exit(f"compare_onnx: {name}: expected at most {TOLERANCE}")


if __name__ == "__main__":
    main()
