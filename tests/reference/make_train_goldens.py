#!/usr/bin/python3
"""Writes goldens/train-*: losses and gradients of small networks in training, computed by PyTorch.

Deterministic like make_goldens.py: numpy's RandomState, and float64 rounded at the end.

A file is a model (weights by name, metadata "vitgate"). For N images it also holds:
  images [N, 3, S, S], labels [N] (-1: none), teacher.logits [N, classes], teacher.tokens
  [N, tokens, dim], noise [modules, N] (logistic, by group; a block's attention, then its MLP).
For each of R runs, which differ in the images that decide together, it holds:
  group [R, N], open [R, modules, N] (decisions), remaining [R, blocks, N] (tokens after each
  block's attention), logits [R, N, classes], losses [R, 5] (as find_losses() returns them),
  gradient.NAME [R, ...] of every weight; with token gates, tokens [R, modules, N, tokens]
  (decisions; 1 where there is no gate).
The metadata "training" holds the weights of the loss and the merge thresholds.
"""

import json
import os
from collections import namedtuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy, gelu, kl_div, layer_norm, linear, log_softmax

import make_goldens
import safetensors_io
import vit

N_IMAGES = 5
GATE_HIDDEN, GATE_BOUND = 16, 6.0

# Minimum distance of decisions from their turning points, so that bfloat16 does not change them.
LOGIT_MARGIN, COSINE_MARGIN = 0.15, 0.02

LOSS = {"distillation": 0.7, "temperature": 2.0, "tokens": 0.3, "labels": 0.5, "smoothing": 0.1,
        "compute": 3.0, "target": 0.3}
GATE_TEMPERATURE = 0.8
LABELS = np.array([-1, 1, -1, 3, 0], "i1")

# group: the group of each image; the images of a group decide together.
Run = namedtuple("Run", "name group")
EACH_ALONE = Run("alone", [0, 1, 2, 3, 4])
IN_GROUPS = Run("groups", [0, 1, 1, 0, 2])

# ranks: of the substitutes of token gates, by block and module; None: no gate.
Case = namedtuple("Case", "spec gates merging runs ranks", defaults=({},))

CASES = [
    Case(make_goldens.Spec("plain", 21, 9, 3, 14, 6, [(3, 48), (1, 72), (0, 16), (2, 0)], 7,
                           labels=False), False, False, [EACH_ALONE]),
    Case(make_goldens.Spec("gated", 22, 12, 4, 10, 6, [(2, 16), (1, 32), (3, 0), (0, 16)], 7,
                           eps=1e-5, labels=False), True, False, [EACH_ALONE, IN_GROUPS]),
    Case(make_goldens.Spec("merged", 23, 12, 3, 12, 8, [(2, 32), (1, 16), (2, 48)], 6,
                           distilled=True, labels=False), True, True, [EACH_ALONE]),
    Case(make_goldens.Spec("averaged", 28, 12, 3, 12, 6, [(2, 16), (1, 32), (2, 16)], 5,
                           mean_pooling=True, labels=False), True, True, [EACH_ALONE]),
    Case(make_goldens.Spec("tokens", 31, 12, 6, 10, 6, [(2, 16), (1, 32), (3, 16), (2, 0)], 7,
                           labels=False), False, False, [EACH_ALONE, IN_GROUPS],
         {(1, "attn"): 0, (1, "mlp"): 3, (2, "attn"): 10, (2, "mlp"): 4}),
]


# ---- The network -------------------------------------------------------------------------------

def gate_logits(w, name, features, eps):
    """features [N, 2 dim] -> [N]"""
    x = layer_norm(features, features.shape[1:], w[name + "norm.weight"], w[name + "norm.bias"],
                   eps)
    hidden = gelu(linear(x, w[name + "fc1.weight"], w[name + "fc1.bias"]))
    raw = linear(hidden, w[name + "fc2.weight"], w[name + "fc2.bias"])[:, 0]
    return GATE_BOUND * torch.tanh(raw / GATE_BOUND)


def decide(logits, group, noise):
    """Straight-through Gumbel-sigmoid: 0 or 1 forward, the sigmoid's gradient back.

    noise: [N], by group. Returns (decisions [N], distance from the nearest turning point)."""
    together = (group[:, None] == group[None, :]).to(logits.dtype)
    mean = together @ logits / together.sum(1)
    noisy = mean + noise[group]
    soft = torch.sigmoid(noisy / GATE_TEMPERATURE)
    return (noisy > 0).to(soft.dtype) + (soft - soft.detach()), noisy.abs().min().item()


def decide_tokens(logits, group, n_prefix):
    """The same for tokens, without noise. logits: [N, T]; a group takes the mean at each place.

    Returns (decisions [N, T], distance from the nearest turning point)."""
    together = (group[:, None] == group[None, :]).to(logits.dtype)
    mean = together @ logits / together.sum(1, keepdim=True)
    soft = torch.sigmoid(mean)
    hard = (mean > 0).to(soft.dtype) + (soft - soft.detach())
    decisions = torch.cat([torch.ones_like(hard[:, :n_prefix]), hard[:, n_prefix:]], 1)
    return decisions, mean[:, n_prefix:].abs().min().item()


def attention(x, size, w, prefix, head_dim, n_queries):
    """x [T, dim], size [T] -> ([n_queries, dim] for the first tokens,
    keys [T, head_dim] summed over the heads)"""
    qkv = linear(x, w[prefix + "qkv.weight"], w[prefix + "qkv.bias"])
    q, k, v = qkv.reshape(len(x), 3, -1, head_dim).permute(1, 2, 0, 3)
    scores = (q[:, :n_queries] @ k.transpose(-2, -1)) * head_dim ** -0.5 + size.log()
    y = (scores.softmax(-1) @ v).transpose(0, 1).reshape(n_queries, -1)
    return linear(y, w[prefix + "proj.weight"], w[prefix + "proj.bias"]), k.detach().sum(0)


def best_partners(keys, n_prefix):
    """Finds, for each patch token at an even place, the odd one with the highest cosine.

    Returns (places of both [2, even], cosine [even], its lead over the second best [even])."""
    unit = keys[n_prefix:] / keys[n_prefix:].norm(dim=1, keepdim=True)
    cosine, best = (unit[0::2] @ unit[1::2].T).sort(1, descending=True)
    even = n_prefix + 2 * torch.arange(len(best))
    lead = cosine[:, 0] - cosine[:, 1] if best.shape[1] > 1 else torch.ones(len(best))
    return torch.stack([even, n_prefix + 1 + 2 * best[:, 0]]), cosine[:, 0], lead


def choose_threshold(partners):
    """Chooses the middle of the widest gap among the middle cosines of all images, so that some
    tokens merge and some do not. Returns (threshold, distance from the nearest turning point)."""
    cosines = torch.cat([cosine for _, cosine, _ in partners]).sort().values
    gaps, outer = cosines[1:] - cosines[:-1], len(cosines) // 4
    at = outer + gaps[outer:len(gaps) - outer].argmax()
    threshold = float(np.float32((cosines[at] + cosines[at + 1]) / 2))
    leads = torch.cat([lead[cosine > threshold] for _, cosine, lead in partners])
    return threshold, min((gaps[at] / 2).item(), leads.min().item())


def merge(y, size, places, merges):
    """Averages tokens by size. Returns (tokens, sizes, into: the new place of each token)."""
    target = torch.arange(len(y))
    even, odd = places[:, merges]
    target[even] = odd
    _, into = torch.unique(target, return_inverse=True)
    weights = torch.zeros(int(into.max()) + 1, len(y), dtype=y.dtype)
    weights[into, torch.arange(len(y))] = size
    sums = weights.sum(1)
    return weights / sums[:, None] @ y, sums, into


def count_fixed(spec, n_gates):
    """Returns the multiply-adds of patch embedding, heads and gates."""
    special = 1 + spec.distilled
    return ((spec.image // spec.patch) ** 2 * 3 * spec.patch ** 2 * spec.dim
            + special * spec.dim * spec.classes + n_gates * GATE_HIDDEN * (2 * spec.dim + 1))


class Forward:
    """Runs one batch through the network, and records the decisions and their margins.

    The tail is the last block with attention. Only the class (and distillation) token continues
    from there, unless the head sees the mean of all patches."""

    def __init__(self, case, run, w, images, noise):
        self.case, self.spec, self.w, self.noise = case, case.spec, w, noise
        self.group = torch.tensor(run.group)
        self.n_prefix = 1 + self.spec.distilled
        self.tail = (len(self.spec.blocks) if self.spec.mean_pooling else
                     max(b for b, (heads, _) in enumerate(self.spec.blocks) if heads))
        self.n_patches = (self.spec.image // self.spec.patch) ** 2
        self.thresholds, self.margins = [], {"logit": [], "cosine": []}
        self.open, self.remaining = [], []  # by module [N], by block [N]
        self.tokens = []  # by module [N, T]
        self.macs = torch.zeros(N_IMAGES, dtype=torch.float64) + count_fixed(
            self.spec, sum(name.endswith("fc2.bias") and "_gate" in name for name in w))
        self.embed(images)
        for block in range(len(self.spec.blocks)):
            self.run_block(block)
        if self.spec.mean_pooling:
            self.entry = self.x
        self.classify()

    def norm(self, x, name):
        return layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"],
                          self.spec.eps)

    def embed(self, images):
        w, dim = self.w, self.spec.dim
        x = torch.nn.functional.conv2d(images, w["patch_embed.proj.weight"],
                                       w["patch_embed.proj.bias"], stride=self.spec.patch)
        x = x.flatten(2).transpose(1, 2)
        special = [w[name].expand(N_IMAGES, 1, dim) for name in ("cls_token", "dist_token")
                   if name in w]
        self.x = list(torch.cat(special + [x], 1) + w["pos_embed"])
        self.size = [torch.ones(len(x), dtype=x.dtype) for x in self.x]
        self.into = [torch.arange(len(x)) for x in self.x]  # current place of each original token

    def mix(self, block, module, norm, outputs, saving):
        """Mixes a module's outputs, a list of [T, dim], with substitutes as its token gate decides.

        saving: multiply-adds that a token saves, apart from its substitute."""
        name, w = f"blocks.{block}.{module}", self.w
        rank = self.case.ranks.get((block, module))
        if rank is None:
            self.tokens.append(torch.ones(N_IMAGES, self.n_patches + self.n_prefix))
            return outputs
        h = self.norm(torch.stack(self.x), norm)
        decisions, margin = decide_tokens(
            linear(h, w[name + "_token_gate.weight"], w[name + "_token_gate.bias"])[..., 0],
            self.group, self.n_prefix)
        self.tokens.append(decisions.detach())
        self.margins["logit"].append(margin)
        dim, width = self.spec.dim, 2 * rank
        if 2 * rank >= dim:
            substitute, width = linear(h, w[name + "_substitute.weight"]), dim
        elif rank:
            substitute = linear(linear(h, w[name + "_substitute.down.weight"]),
                                w[name + "_substitute.up.weight"])
        else:
            substitute = torch.zeros_like(h)
        substitute = substitute + w[name + "_substitute.bias"]
        self.macs = (self.macs + dim * self.n_patches
                     - (1 - decisions).sum(1) * (saving - dim * width))
        open_ = decisions[..., None]
        return list(open_ * torch.stack(outputs) + (1 - open_) * substitute)

    def open_module(self, module, gate, macs):
        """Returns the decisions [N]. macs: multiply-adds of one image, by its number of tokens."""
        decisions = torch.ones(N_IMAGES, dtype=torch.float64)
        if gate + "fc1.weight" in self.w:
            features = torch.stack([torch.cat([self.x[i][0], self.mean_of_patches(i)])
                                    for i in range(N_IMAGES)])
            decisions, margin = decide(gate_logits(self.w, gate, features, self.spec.eps),
                                       self.group, self.noise[module])
            self.margins["logit"].append(margin)
        self.open.append(decisions.detach())
        spent = torch.tensor([float(macs(len(x))) for x in self.x], dtype=torch.float64)
        self.macs = self.macs + decisions * spent
        return decisions

    def run_block(self, block):
        (heads, neurons), dim = self.spec.blocks[block], self.spec.dim
        name, width = f"blocks.{block}.", heads * self.spec.head_dim
        if block == self.tail:
            self.entry = list(self.x)

        def count_queries(t):
            return self.n_prefix if block == self.tail else t

        def count_attention(t):
            patches = t - self.n_prefix if self.case.merging and block < self.tail else 0
            matching = (patches - patches // 2) * (patches // 2) * self.spec.head_dim
            return 2 * width * (t * dim + count_queries(t) * (dim + t)) + matching

        opened = self.open_module(2 * block, name + "attn_gate.", count_attention)
        keys, outputs = [], []
        for i, x in enumerate(self.x if heads else []):
            y, key = attention(self.norm(x, name + "norm1"), self.size[i], self.w, name + "attn.",
                               self.spec.head_dim, count_queries(len(x)))
            outputs.append(y)
            keys.append(key)
        outputs = self.mix(block, "attn", name + "norm1", outputs,
                           2 * width * (dim + self.n_patches + self.n_prefix))
        for i, x in enumerate(self.x):
            n = count_queries(len(x))
            self.x[i] = x[:n] + opened[i] * outputs[i] if heads else x[:n]
            self.size[i] = self.size[i][:n]
        self.merge_tokens(block, keys, [i for i in range(N_IMAGES) if heads and opened[i] > 0])
        opened = self.open_module(2 * block + 1, name + "mlp_gate.",
                                  lambda t: 2 * t * dim * neurons)
        outputs = [vit.mlp(self.norm(x, name + "norm2"), self.w, name + "mlp.")
                   for x in self.x] if neurons else []
        outputs = self.mix(block, "mlp", name + "norm2", outputs, 2 * dim * neurons)
        if neurons:
            self.x = [x + opened[i] * outputs[i] for i, x in enumerate(self.x)]

    def merge_tokens(self, block, keys, images):
        """Merges tokens. images: those whose attention ran."""
        threshold = 2.0
        if self.case.merging and block < self.tail and images:
            partners = [best_partners(keys[i], self.n_prefix) for i in images]
            threshold, margin = choose_threshold(partners)
            self.margins["cosine"].append(margin)
            for i, (places, cosine, _) in zip(images, partners):
                self.x[i], self.size[i], into = merge(self.x[i], self.size[i], places,
                                                      cosine > threshold)
                self.into[i] = into[self.into[i]]
        self.thresholds.append(threshold)
        self.remaining.append([len(x) for x in self.x])

    def mean_of_patches(self, i):
        return self.size[i][self.n_prefix:] @ self.x[i][self.n_prefix:] / self.n_patches

    def classify(self):
        w = self.w
        if self.spec.mean_pooling:
            means = torch.stack([self.mean_of_patches(i) for i in range(N_IMAGES)])
            self.logits = linear(self.norm(means, "fc_norm"), w["head.weight"], w["head.bias"])
            return
        tokens = self.norm(torch.stack(self.x), "norm")
        self.logits = linear(tokens[:, 0], w["head.weight"], w["head.bias"])
        if self.spec.distilled:
            second = linear(tokens[:, 1], w["head_dist.weight"], w["head_dist.bias"])
            self.logits = (self.logits + second) / 2

    def is_clear(self):
        """Returns whether rounding cannot change any decision, and each decision occurs."""
        opened = torch.stack(self.open)
        return (min(self.margins["logit"], default=1) > LOGIT_MARGIN
                and min(self.margins["cosine"], default=1) > COSINE_MARGIN
                and (not self.case.gates or 0.2 < 1 - opened.mean() < 0.6)
                and (not self.case.ranks or 0.1 < 1 - torch.stack(self.tokens).mean() < 0.4))


def find_losses(forward, teacher_logits, teacher_tokens, dense_macs):
    """Returns the parts of the loss (means over the batch), and "total", which training
    minimises."""
    t = LOSS["temperature"]
    parts = {"distillation": t ** 2 * kl_div(log_softmax(forward.logits / t, 1),
                                             log_softmax(teacher_logits / t, 1),
                                             reduction="batchmean", log_target=True)}
    differences = []
    for tokens, into, teacher in zip(forward.entry, forward.into, teacher_tokens):
        stands_for = (into[None, :] == torch.arange(len(tokens))[:, None]).to(tokens.dtype)
        mean = stands_for @ teacher / stands_for.sum(1, keepdim=True)
        differences.append(((tokens - mean) ** 2).sum() / (mean ** 2).sum())
    parts["tokens"] = torch.stack(differences).mean()
    labels = torch.from_numpy(LABELS.astype("i8"))
    parts["labels"] = cross_entropy(forward.logits[labels >= 0], labels[labels >= 0],
                                    label_smoothing=LOSS["smoothing"],
                                    reduction="sum") / N_IMAGES
    parts["ratio"] = forward.macs.mean() / dense_macs
    parts["total"] = (sum(LOSS[name] * parts[name] for name in ("distillation", "tokens", "labels"))
                      + LOSS["compute"] * (parts["ratio"] - LOSS["target"]) ** 2)
    return parts


# ---- Files -------------------------------------------------------------------------------------

def add_gates(case, weights):
    random = np.random.RandomState(300 + case.spec.seed)
    width = 2 * case.spec.dim

    def normal(std, *shape):
        return (std * random.standard_normal(shape)).astype("<f4")

    for block, units in enumerate(case.spec.blocks):
        for module, present in zip(("attn", "mlp"), units):
            if block and present:
                name = f"blocks.{block}.{module}_gate."
                weights[name + "norm.weight"] = 1 + normal(0.25, width)
                weights[name + "norm.bias"] = normal(0.2, width)
                weights[name + "fc1.weight"] = normal(1.4 * width ** -0.5, GATE_HIDDEN, width)
                weights[name + "fc1.bias"] = normal(0.2, GATE_HIDDEN)
                weights[name + "fc2.weight"] = normal(2 * GATE_HIDDEN ** -0.5, 1, GATE_HIDDEN)
                weights[name + "fc2.bias"] = 1 + normal(0.2, 1)


def add_token_gates(case, weights):
    random, dim = np.random.RandomState(500 + case.spec.seed), case.spec.dim

    def normal(std, *shape):
        return (std * random.standard_normal(shape)).astype("<f4")

    for (block, module), rank in case.ranks.items():
        name = f"blocks.{block}.{module}_"
        weights[name + "token_gate.weight"] = normal(3 * dim ** -0.5, 1, dim)
        weights[name + "token_gate.bias"] = normal(0.3, 1)
        if 2 * rank >= dim:
            weights[name + "substitute.weight"] = normal(dim ** -0.5, dim, dim)
        elif rank:
            weights[name + "substitute.down.weight"] = normal(dim ** -0.5, rank, dim)
            weights[name + "substitute.up.weight"] = normal(rank ** -0.5, dim, rank)
        weights[name + "substitute.bias"] = normal(0.3, dim)


def describe(case):
    description = make_goldens.describe(case.spec)
    description["provenance"]["made_by"] = "tests/reference/make_train_goldens.py"
    for block, units in list(enumerate(case.spec.blocks))[1:] if case.gates else []:
        for module, present in zip(("attention", "mlp"), units):
            if present:
                description["blocks"][block][module + "_gate"] = True
    for (block, module), rank in case.ranks.items():
        name = {"attn": "attention", "mlp": "mlp"}[module] + "_token_gate"
        description["blocks"][block][name] = {"rank": rank}
    return description


def draw(case, seed):
    """Returns images, the teacher's logits and tokens, and the gates' noise, float32."""
    spec, random = case.spec, np.random.RandomState(400 + seed)
    patches = (spec.image // spec.patch) ** 2
    images = random.standard_normal((N_IMAGES, 3, spec.image, spec.image))
    if case.merging:
        # Each patch at an odd place resembles its left neighbour to some degree.
        for left in range(0, spec.image - spec.patch, 2 * spec.patch):
            middle, right = left + spec.patch, left + 2 * spec.patch
            images[..., middle:right] = images[..., left:middle] + 0.3 * images[..., middle:right]
    teacher_logits = 2 * random.standard_normal((N_IMAGES, spec.classes))
    teacher_tokens = random.standard_normal((N_IMAGES, patches + 1 + spec.distilled, spec.dim))
    noise = random.logistic(size=(2 * len(spec.blocks), N_IMAGES))
    return [array.astype("<f4") for array in (images, teacher_logits, teacher_tokens, noise)]


def as_double(array, gradient=False):
    return torch.from_numpy(array.astype("f8")).requires_grad_(gradient)


def find_clear_draw(case, weights):
    """Returns the first draw in which every decision of every run is clear, and the runs."""
    for seed in range(10000):
        data = draw(case, seed)
        images, *_, noise = map(as_double, data)
        forwards = []
        for run in case.runs:
            w = {name: as_double(array, True) for name, array in weights.items()}
            forwards.append(Forward(case, run, w, images, noise))
            if not forwards[-1].is_clear():
                break
        else:
            return seed, data, forwards
    raise SystemExit(f"{case.spec.name}: no draw has only clear decisions")


def make_case(case):
    weights = make_goldens.make_weights(case.spec)
    if case.gates:
        add_gates(case, weights)
    add_token_gates(case, weights)
    seed, data, forwards = find_clear_draw(case, weights)
    description = describe(case)
    tensors = {**weights, "labels": LABELS}
    tensors.update(zip(("images", "teacher.logits", "teacher.tokens", "noise"), data))
    losses = [find_losses(forward, *map(as_double, data[1:3]), description["dense"]["gmacs"] * 1e9)
              for forward in forwards]

    def put(name, dtype, values):
        tensors[name] = np.stack([np.asarray(value) for value in values]).astype(dtype)

    for run, forward, parts in zip(case.runs, forwards, losses):
        parts["total"].backward()
        print(f"{case.spec.name:8} {run.name:7} draw {seed}: "
              f"{', '.join(f'{name} {value.item():.3f}' for name, value in parts.items())}; "
              f"open {torch.stack(forward.open).mean():.2f}, tokens {forward.remaining}")
    put("group", "u1", [run.group for run in case.runs])
    put("logits", "<f4", [forward.logits.detach() for forward in forwards])
    put("open", "u1", [torch.stack(forward.open) for forward in forwards])
    put("remaining", "u1", [forward.remaining for forward in forwards])
    if case.ranks:
        put("tokens", "u1", [torch.stack(forward.tokens) for forward in forwards])
    put("losses", "<f4", [[part.item() for part in parts.values()] for parts in losses])
    for name in weights:
        put("gradient." + name, "<f4", [forward.w[name].grad for forward in forwards])
    settings = {**LOSS, "gate_temperature": GATE_TEMPERATURE,
                "merge_thresholds": forwards[0].thresholds}
    # A tensor's offset must be a multiple of its elements' size, so bytes come last.
    tensors = dict(sorted(tensors.items(), key=lambda item: item[1].itemsize, reverse=True))
    safetensors_io.write(
        os.path.join(make_goldens.FOLDER, f"train-{case.spec.name}.safetensors"), tensors,
        {"vitgate": json.dumps(description), "training": json.dumps(settings)})


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in CASES:
        make_case(case)
