"""The reference: T2T-ViT (Yuan et al. 2021, "Tokens-to-Token ViT") in plain PyTorch, with the names
of its published checkpoints.

Instead of ViT's patch embedding it has a stem: two soft splits with attention, and a last one with
a projection. ViT's blocks follow, without a bias on queries, keys and values. The kind of attention
in the stem is recognised by its tensors.
"""

import torch
from torch.nn.functional import gelu, layer_norm, linear, unfold

import vit

EPS = 1e-5
SPLITS = [(7, 4, 2), (3, 2, 1), (3, 2, 1)]  # kernel, stride, padding


def norm(w, name, x):
    return layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], EPS)


def affine(w, name, x):
    return linear(x, w[name + ".weight"], w.get(name + ".bias"))


def performer(w, name, x):
    """x [N, T, dim] -> [N, T, token_dim]: attention with linear cost by random features
    (Choromanski et al. 2021)."""
    k, q, v = affine(w, name + "kqv", norm(w, name + "norm1", x)).chunk(3, -1)
    directions = w[name + "w"]

    def features(x):
        return torch.exp(x @ directions.T - (x * x).sum(-1, keepdim=True) / 2
                         ) / len(directions) ** 0.5

    kp, qp = features(k), features(q)
    total = (qp * kp.sum(1, keepdim=True)).sum(-1, keepdim=True)
    y = qp @ (kp.transpose(1, 2) @ v) / (total + 1e-8)
    x = v + affine(w, name + "proj", y)
    hidden = gelu(affine(w, name + "mlp.0", norm(w, name + "norm2", x)))
    return x + affine(w, name + "mlp.2", hidden)


def transformer(w, name, x):
    """x [N, T, dim] -> [N, T, token_dim]: one head, with scores scaled by the input's dim."""
    q, k, v = affine(w, name + "attn.qkv", norm(w, name + "norm1", x)).chunk(3, -1)
    scores = (q @ k.transpose(1, 2)) * x.shape[-1] ** -0.5
    x = v + affine(w, name + "attn.proj", scores.softmax(-1) @ v)
    hidden = gelu(affine(w, name + "mlp.fc1", norm(w, name + "norm2", x)))
    return x + affine(w, name + "mlp.fc2", hidden)


def stem(w, images):
    """images [N, 3, S, S] -> [tokens of both stages and of the projection]."""
    stages, x = [], images
    for number, (kernel, stride, padding) in enumerate(SPLITS, 1):
        x = unfold(x, kernel, padding=padding, stride=stride).transpose(1, 2)
        name = f"tokens_to_token.attention{number}."
        if number == len(SPLITS):
            x = affine(w, "tokens_to_token.project", x)
        else:
            x = (performer if name + "w" in w else transformer)(w, name, x)
        stages.append(x)
        side = int(x.shape[1] ** 0.5)
        x = x.transpose(1, 2).reshape(len(x), -1, side, side)
    return stages


def forward(w, images, head_dim, depth):
    """Returns (logits [N, n_classes], [3] stages [N, T, ...], [depth] outputs of the blocks)."""
    stages = stem(w, images)
    logits, outputs = vit.forward_patches(w, stages[-1], head_dim, depth, EPS)
    return logits, stages, outputs
