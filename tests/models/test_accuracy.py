"""Measures DeiT-Tiny's accuracy on real photographs with the command.

$VITGATE is the command, $VITGATE_TEST_DATA the folder with the weights and val.tar.
"""

import json
import os
import subprocess
import sys
import tempfile

# Top-1 in per cent of a plain PyTorch forward pass. 0.4 is two photographs of 500, which may change
# with different rounding in the pre-processing.
EXPECTED = {
    ("objects1000", "top1"): 81.2,
    ("ilsvrc20", "top1"): 70.0,
    ("ilsvrc20", "top1_among_present"): 94.6,
}
TOLERANCE = 0.4
EPSILON = 1e-6
SKIPPED = 77


def main():
    command = os.environ.get("VITGATE", "vitgate")
    folder = os.environ.get("VITGATE_TEST_DATA", "")
    weights = os.path.join(folder, "deit_tiny_patch16_224.safetensors")
    labels = os.path.join(folder, "imagenet_synsets.txt")
    data = os.path.join(folder, "val.tar")
    for path in (weights, labels, data):
        if not folder or not os.path.exists(path):
            print(f"skipped: {path} does not exist (folder: $VITGATE_TEST_DATA)")
            return SKIPPED

    with tempfile.TemporaryDirectory() as temporary:
        model = os.path.join(temporary, "deit-tiny.safetensors")
        subprocess.run(
            [command, "import", "--labels", labels, weights, "-o", model], check=True
        )
        output = subprocess.run(
            [command, "eval", "--json", "--threads", "2", "--batch-size", "8",
             "--data", data, model],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
    found = json.loads(output)
    failures = 0
    if (found["images"], found["skipped"]) != (1000, 0):
        print(f"{found['images']} images, {found['skipped']} skipped; expected 1000 and 0")
        failures += 1
    for (name, measure), expected in EXPECTED.items():
        value = found["folders"][name][measure]
        right = abs(value - expected) <= TOLERANCE + EPSILON
        failures += not right
        print(f"{name} {measure}: {value:.1f}, expected {expected} ± {TOLERANCE}"
              f"{'' if right else ': WRONG'}")
    return 1 if failures else 0


sys.exit(main())
