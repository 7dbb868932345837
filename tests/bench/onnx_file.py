"""Writes a model file as ONNX, for the peers: the graph that exporters write, in float32 or after
dynamic quantisation. In that, weights are int8, by channel; activations are quantised at run time,
once for all products that read them."""

import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../reference"))
import pil  # noqa: E402
import safetensors_io  # noqa: E402

OPSET = 17


class Graph:
    """Collects nodes and constants. Every method returns the name of its result."""

    def __init__(self):
        self.nodes, self.constants, self.quantised = [], {}, {}

    def constant(self, name, array):
        self.constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def node(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind.lower()}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def quantise(self, x):
        """Returns (uint8 tensor, scale, zero point)."""
        if x not in self.quantised:
            self.quantised[x] = self.node("DynamicQuantizeLinear", x, outputs=3)
        return self.quantised[x]

    def ints(self, *values):
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, "<i8"))

    def scalar(self, value):
        return self.constant(f"scalar_{value}", np.array(value, "<f4"))


def read_model(path):
    """Returns (weights as float32 by name, head_dim, depth, eps, image size)."""
    tensors, metadata = safetensors_io.read(path)
    weights = {name: array.astype("<f4") for name, array in tensors.items()}
    if "vitgate" in metadata:
        about = json.loads(metadata["vitgate"])
        return (weights, about["head_dim"], about["depth"], about["layer_norm_eps"],
                about["image_size"])
    depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    patches = weights["pos_embed"].shape[1] - 1 - ("dist_token" in weights)
    size = round(patches ** 0.5) * weights["patch_embed.proj.weight"].shape[-1]
    return weights, 64, depth, 1e-6, size


def quantise_weight(weight):
    """Converts [n_out, n_in] to int8 and a scale for each output."""
    scale = np.maximum(np.abs(weight).max(1), 1e-30) / 127
    return np.rint(weight / scale[:, None]).astype("i1"), scale.astype("<f4")


def take_pixels(w):
    """Changes the first layer to take values from 0 to 255 instead of normalised ones."""
    weight, mean, std = w["patch_embed.proj.weight"], pil.IMAGENET_MEAN, pil.IMAGENET_STD
    w["patch_embed.proj.bias"] -= np.einsum("ncij,c->n", weight, np.divide(mean, std)).astype("<f4")
    w["patch_embed.proj.weight"] = (weight / (255 * np.reshape(std, (3, 1, 1)))).astype("<f4")


def build(path, batch, precision="float32", pixels=False):
    """Returns an onnx.ModelProto with input "image" [batch, 3, S, S] and output "logits".
    pixels: the image has values from 0 to 255 instead of normalised ones."""
    w, head_dim, depth, eps, size = read_model(path)
    if pixels:
        take_pixels(w)
    g = Graph()
    dim, _, patch, _ = w["patch_embed.proj.weight"].shape
    tokens = w["pos_embed"].shape[1]

    def weight(name):
        return g.constant(name, w[name])

    def multiply(x, name):
        if precision == "float32":
            return g.node("MatMul", x, g.constant(name, w[name].T))
        weights, scales = quantise_weight(w[name])
        values, scale, zero = g.quantise(x)
        sums = g.node("MatMulInteger", values, g.constant(name, weights.T), zero)
        scale = g.node("Mul", scale, g.constant(name + ".scale", scales))
        return g.node("Mul", g.node("Cast", sums, to=TensorProto.FLOAT), scale)

    def linear(x, name):
        return g.node("Add", multiply(x, name + ".weight"), weight(name + ".bias"))

    def norm(x, name):
        return g.node("LayerNormalization", x, weight(name + ".weight"), weight(name + ".bias"),
                      axis=-1, epsilon=eps)

    def attention(x, name):
        heads = w[name + ".proj.weight"].shape[1] // head_dim
        qkv = g.node("Reshape", linear(x, name + ".qkv"),
                     g.ints(batch, tokens, 3, heads, head_dim))
        parts = g.node("Split", g.node("Transpose", qkv, perm=[2, 0, 3, 1, 4]), outputs=3, axis=0)
        q, k, v = (g.node("Squeeze", part, g.ints(0)) for part in parts)
        scores = g.node("MatMul", q, g.node("Transpose", k, perm=[0, 1, 3, 2]))
        scores = g.node("Mul", scores, g.scalar(head_dim ** -0.5))
        y = g.node("MatMul", g.node("Softmax", scores, axis=-1), v)
        y = g.node("Transpose", y, perm=[0, 2, 1, 3])
        y = g.node("Reshape", y, g.ints(batch, tokens, heads * head_dim))
        return linear(y, name + ".proj")

    def gelu(x):
        erf = g.node("Erf", g.node("Div", x, g.scalar(2 ** 0.5)))
        return g.node("Mul", g.node("Mul", x, g.node("Add", erf, g.scalar(1.0))), g.scalar(0.5))

    def head(x, token, name):
        row = g.node("Gather", x, g.constant(f"token_{token}", np.array(token, "<i8")), axis=1)
        return linear(row, name)

    x = g.node("Conv", "image", weight("patch_embed.proj.weight"),
               weight("patch_embed.proj.bias"), kernel_shape=[patch, patch],
               strides=[patch, patch])
    x = g.node("Transpose", g.node("Reshape", x, g.ints(batch, dim, -1)), perm=[0, 2, 1])
    special = [g.constant(name, np.tile(w[name], (batch, 1, 1)))
               for name in ("cls_token", "dist_token") if name in w]
    x = g.node("Add", g.node("Concat", *special, x, axis=1), weight("pos_embed"))
    for i in range(depth):
        block = f"blocks.{i}."
        if block + "attn.qkv.weight" in w:
            x = g.node("Add", x, attention(norm(x, block + "norm1"), block + "attn"))
        if block + "mlp.fc1.weight" in w:
            hidden = gelu(linear(norm(x, block + "norm2"), block + "mlp.fc1"))
            x = g.node("Add", x, linear(hidden, block + "mlp.fc2"))
    x = norm(x, "norm")
    logits = head(x, 0, "head")
    if "head_dist.weight" in w:
        logits = g.node("Mul", g.node("Add", logits, head(x, 1, "head_dist")), g.scalar(0.5))
    g.nodes.append(helper.make_node("Identity", [logits], ["logits"]))

    classes = w["head.weight"].shape[0]
    graph = helper.make_graph(
        g.nodes, "vitgate",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])],
        list(g.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                              producer_name="vitgate tests/bench")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
