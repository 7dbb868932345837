#!/usr/bin/python3
"""Writes goldens/seeded.safetensors: the logits of the networks of seeded.py, computed by PyTorch
in float64, [images, classes] by variant."""

import os

import numpy as np
import torch

import make_goldens
import safetensors_io
import seeded
import t2t
import vit


def forward(variant):
    shape = seeded.VARIANTS[variant]
    w = {name: torch.from_numpy(array.astype("f8"))
         for name, array in seeded.make_weights(shape).items()}
    images = torch.from_numpy(seeded.make_images(variant).astype("f8"))
    if isinstance(shape, seeded.ViT):
        return vit.forward(w, images, 64, shape.depth)[0]
    return t2t.forward(w, images, 64, shape.depth)[0]


def main():
    goldens = {}
    for variant in seeded.VARIANTS:
        logits = forward(variant).numpy()
        goldens[variant] = logits.astype("<f4")
        print(f"{variant:28} logits spread by {logits.std():.2f}, between images by "
              f"{np.abs(logits[0] - logits[1]).mean():.2f}", flush=True)
    safetensors_io.write(os.path.join(make_goldens.FOLDER, "seeded.safetensors"), goldens)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
