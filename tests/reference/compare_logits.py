#!/usr/bin/python3
"""Compares the engine's logits with PyTorch's on photographs of ../shared/data, with its weights.

usage: compare_logits.py ENGINE-RUNNER [--photographs N]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import photographs
import pil
import safetensors_io

try:
    import torch

    import vit
except ImportError:
    photographs.skip("PyTorch is not installed (python3-torch)")

TOLERANCE = 1e-3  # float32 against float64


def engine(runner, images):
    """Runs tests/bench/engine-runner: images [N, 3, S, S] -> logits [N, classes]."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input.f32")
        images.tofile(path)
        run = subprocess.run([runner, photographs.WEIGHTS, path, "1", str(len(images))],
                             input="logits\n", stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"compare_logits: {runner} ended with status {run.returncode}")
    return np.array(json.loads(run.stdout.splitlines()[-1])["logits"]).reshape(len(images), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runner", help="the built tests/bench/engine-runner")
    parser.add_argument("--photographs", type=int, default=8,
                        help="number of photographs from val.tar; default: %(default)s")
    arguments = parser.parse_args()
    photographs.need(arguments.runner)
    photographs.need(photographs.WEIGHTS)

    images, classes = [], []
    for _, image, index in photographs.read(arguments.photographs):
        pixels = np.asarray(pil.resize_and_crop(image, 256, 224, "bicubic")) / 255
        images.append(((pixels - pil.IMAGENET_MEAN) / pil.IMAGENET_STD).transpose(2, 0, 1))
        classes.append(index)
    images = np.stack(images).astype("<f4")
    weights = {name: torch.from_numpy(array.astype("f8"))
               for name, array in safetensors_io.read(photographs.WEIGHTS)[0].items()}
    torch.set_num_threads(1)
    expected = vit.forward(weights, torch.from_numpy(images.astype("f8")), 64, 12)[0].numpy()
    found = engine(arguments.runner, images)
    worst = np.abs(found - expected).max()
    print(f"{len(images)} photographs, {(expected.argmax(1) == classes).sum()} classified correctly; "
          f"logits from {expected.min():.1f} to {expected.max():.1f}, largest difference "
          f"{worst:.2g}, allowed {TOLERANCE}")
    sys.exit(not worst <= TOLERANCE)


if __name__ == "__main__":
    main()
