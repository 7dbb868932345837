#!/usr/bin/python3
"""The engine against PyTorch at the dimensions of published networks, in every precision that the
CPU has: weights and images of seeded.py, logits of goldens/seeded.safetensors. Skipped without
python3-numpy.

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
    print("SKIP: there is no python3-numpy")
    sys.exit(77)

import safetensors_io
import seeded

GOLDENS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens/seeded.safetensors")
# Largest difference of a logit over the logits' standard deviation.
TOLERANCES = {"float32": 1e-3, "bf16": 0.05, "int8": 0.15}
NO_BF16 = "this CPU has no instructions for bf16"


def run_engine(runner, model, images, precision):
    """Returns the logits, or None where the CPU has no products of that precision"""
    run = subprocess.run([runner, model, images, "2", str(seeded.N_IMAGES), precision],
                         input="logits\n", capture_output=True, text=True, check=False)
    if precision == "bf16" and NO_BF16 in run.stderr:
        return None
    if run.returncode:
        sys.exit(run.stderr)
    logits = json.loads(run.stdout.splitlines()[-1])["logits"]
    return np.array(logits).reshape(seeded.N_IMAGES, -1)


def compare(runner, variant, expected, folder):
    """Returns the largest difference of each precision, over the logits' spread"""
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
        sys.exit(f"more than {TOLERANCES}")


if __name__ == "__main__":
    main()
