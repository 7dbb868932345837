#!/usr/bin/python3
"""Compares the engine with PyTorch at the dimensions of published networks, in every precision that
the CPU has. Weights and images come from seeded.py, logits from goldens/seeded.safetensors. Skipped
without python3-numpy.

usage: compare_seeded.py ENGINE-RUNNER vit|t2t [VARIANT ...]
"""

import json
import os
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
except ImportError:
    print("SKIP: python3-numpy is not installed")
    sys.exit(77)

import safetensors_io
import seeded

GOLDENS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens/seeded.safetensors")
# Maximum difference of a logit, divided by the logits' standard deviation.
TOLERANCES = {"float32": 1e-3, "bf16": 0.05, "int8": 0.15}
NO_BF16 = "this CPU has no instructions for bf16"


def run_engine(runner, model, images, precision):
    """Returns the logits, or None if the CPU has no products of that precision."""
    run = subprocess.run([runner, model, images, "2", str(seeded.N_IMAGES), precision],
                         input="logits\n", capture_output=True, text=True, check=False)
    if precision == "bf16" and NO_BF16 in run.stderr:
        return None
    if run.returncode:
        sys.exit(run.stderr)
    logits = json.loads(run.stdout.splitlines()[-1])["logits"]
    return np.array(logits).reshape(seeded.N_IMAGES, -1)


def compare(runner, variant, expected, folder):
    """Returns the largest difference in each precision, divided by the logits' spread."""
    model, images = os.path.join(folder, "model.safetensors"), os.path.join(folder, "images.f32")
    safetensors_io.write(model, seeded.make_weights(seeded.VARIANTS[variant]), {"format": "pt"})
    seeded.make_images(variant).tofile(images)
    worst = {}
    for precision in TOLERANCES:
        logits = run_engine(runner, model, images, precision)
        if logits is not None:
            worst[precision] = np.abs(logits - expected).max() / expected.std()
    return worst


def main():
    runner, family, *variants = sys.argv[1:]
    goldens, _ = safetensors_io.read(GOLDENS)
    failed = False
    for variant in variants or seeded.VARIANTS:
        if isinstance(seeded.VARIANTS[variant], seeded.ViT) != (family == "vit"):
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            worst = compare(runner, variant, goldens[variant], folder)
        print(f"{variant:28} {time.monotonic() - start:4.1f} s; of the logits' spread:",
              ", ".join(f"{precision} {worst[precision]:.2g}" for precision in worst), flush=True)
        failed |= not all(worst[p] <= TOLERANCES[p] for p in worst)
    if failed:
        sys.exit(f"compare_seeded: expected at most {TOLERANCES}")


if __name__ == "__main__":
    main()
