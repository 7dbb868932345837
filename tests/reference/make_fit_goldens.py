#!/usr/bin/python3
"""Writes goldens/golden-fits.safetensors: PIL's results for images that are squashed or letterboxed.

Needs only PIL and numpy. The sources are those of golden-preprocessing.safetensors.
"""

import os

import numpy as np
from PIL import Image

import pil
import safetensors_io

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens")

# (resize, crop). The odd differences test the rounding of the crop's offset.
TARGETS = [(32, 32), (36, 32), (37, 32), (35, 32)]

# Sources for all targets; the others only for the first one.
THOROUGH = ("61x47", "33x97")


def main():
    goldens, _ = safetensors_io.read(os.path.join(FOLDER, "golden-preprocessing.safetensors"))
    tensors = {}
    for name, source in goldens.items():
        kind, size = name.split(".")[:2]
        if kind != "source":
            continue
        tensors[name] = source
        image = Image.fromarray(source)
        for resize, crop in TARGETS if size in THOROUGH else TARGETS[:1]:
            for interpolation in pil.FILTERS:
                for fit in ("squash", "letterbox"):
                    tensors[f"{fit}.{size}.{interpolation}.{resize}.{crop}"] = np.asarray(
                        pil.FITS[fit](image, resize, crop, interpolation))
    safetensors_io.write(os.path.join(FOLDER, "golden-fits.safetensors"), tensors)


if __name__ == "__main__":
    main()
