"""The reference: a vision transformer (ViT, DeiT) in plain PyTorch, with timm's tensor names.

Dimensions come from the weights of each block: heads and neurons may have been cut, and a module
without tensors is skipped together with its norm.
"""

import torch
from torch.nn.functional import conv2d, gelu, layer_norm, linear


def attention(x, w, prefix, head_dim):
    """x [N, T, dim] -> [N, T, dim]. The rows of qkv are q of all heads, then k, then v."""
    n, t, _ = x.shape
    qkv = linear(x, w[prefix + "qkv.weight"], w.get(prefix + "qkv.bias"))
    q, k, v = qkv.reshape(n, t, 3, -1, head_dim).permute(2, 0, 3, 1, 4)
    scores = (q @ k.transpose(-2, -1)) * head_dim ** -0.5
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, -1)
    return linear(y, w[prefix + "proj.weight"], w[prefix + "proj.bias"])


def mlp(x, w, prefix):
    hidden = gelu(linear(x, w[prefix + "fc1.weight"], w[prefix + "fc1.bias"]))
    return linear(hidden, w[prefix + "fc2.weight"], w[prefix + "fc2.bias"])


def forward(w, images, head_dim, depth, eps=1e-6):
    """w: tensors by name; images [N, 3, S, S], normalised.

    Returns (logits [N, n_classes], [depth] outputs of the blocks [N, T, dim])."""
    patch = w["patch_embed.proj.weight"].shape[-1]
    x = conv2d(images, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=patch)
    return forward_patches(w, x.flatten(2).transpose(1, 2), head_dim, depth, eps)


def forward_patches(w, x, head_dim, depth, eps):
    """Continues forward() from the patches' tokens x [N, patches, dim]."""

    def norm(x, name):
        return layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)

    special = [w[name].expand(len(x), 1, -1) for name in ("cls_token", "dist_token") if name in w]
    if w["pos_embed"].shape[1] == x.shape[1]:  # the class token has no position
        x = torch.cat(special + [x + w["pos_embed"]], 1)
    else:
        x = torch.cat(special + [x], 1) + w["pos_embed"]
    outputs = []
    for i in range(depth):
        block = f"blocks.{i}."
        if block + "attn.qkv.weight" in w:
            y = attention(norm(x, block + "norm1"), w, block + "attn.", head_dim)
            x = x + y * w.get(block + "ls1.gamma", 1)
        if block + "mlp.fc1.weight" in w:
            x = x + mlp(norm(x, block + "norm2"), w, block + "mlp.") * w.get(block + "ls2.gamma", 1)
        outputs.append(x)
    if "fc_norm.weight" in w:
        return linear(norm(x[:, len(special):].mean(1), "fc_norm"), w["head.weight"],
                      w["head.bias"]), outputs
    x = norm(x, "norm")
    logits = linear(x[:, 0], w["head.weight"], w["head.bias"])
    if "head_dist.weight" in w:
        logits = (logits + linear(x[:, 1], w["head_dist.weight"], w["head_dist.bias"])) / 2
    return logits, outputs
