#!/usr/bin/python3
"""Compares the engine's pre-processing with PIL's on the photographs of ../shared/data/val.tar.

usage: compare_pil.py PREPROCESS-TOOL [--photographs N] [--every N]
"""

import argparse
import subprocess
import sys

import numpy as np

import photographs
import pil
import ycbcr

RESIZE, CROP = 256, 224

# In steps of 1/255, as the project promises. A difference of one is a rounding.
RGB_TOLERANCE = {"mean": 0.6, "max": 4.0}
# The reference interpolates chroma linearly, converts, rounds and clips each pixel to 8-bit RGB,
# and resizes that with PIL. The engine may resize the planes and convert the result, which is
# equally correct. The two differ by two roundings (a mean of 0.4) and the interpolation of chroma,
# and the engine clips later, which shows where saturated colours meet. A wrong chroma site (half a
# pixel) raises the 99.9th percentile beyond these limits; a wrong matrix or range raises all three.
YCBCR_TOLERANCE = {"mean": 0.8, "p99.9": 6.0, "max": 16.0}

FORMATS = [(name, "bt601", "full") for name in ycbcr.RGB_ORDERS] + [
    ("GRAY8", "bt601", "full"), ("GRAY8", "bt601", "limited"),
    ("NV12", "bt601", "limited"), ("NV12", "bt709", "limited"), ("NV12", "bt2020", "limited"),
    ("NV12", "bt709", "full"), ("NV21", "bt601", "limited"), ("I420", "bt709", "limited"),
    ("I420", "bt601", "full"), ("YV12", "bt709", "limited"), ("YUY2", "bt601", "limited"),
    ("YUY2", "bt709", "full"), ("UYVY", "bt709", "limited")]


# Squashed and letterboxed images fill the input without a crop.
FITS = {"crop": RESIZE, "squash": CROP, "letterbox": CROP}


def engine(tool, pixels, size, pixel_format, matrix, video_range, fit):
    """Returns float64 [CROP, CROP, 3] in steps of 1/255."""
    run = subprocess.run(
        [tool, pixel_format, str(size[0]), str(size[1]), matrix, video_range,
         photographs.WEIGHTS, fit], input=pixels, stdout=subprocess.PIPE)
    if run.returncode:
        sys.exit(f"compare_pil: {tool} ended with status {run.returncode}")
    tensor = np.frombuffer(run.stdout, "<f4").reshape(3, CROP, CROP).transpose(1, 2, 0)
    return 255 * (tensor * np.array(pil.IMAGENET_STD) + np.array(pil.IMAGENET_MEAN))


def measure(tool, image, pixel_format, matrix, video_range, fit="crop"):
    pixels, rgb = ycbcr.encode(np.asarray(image), pixel_format, matrix, video_range)
    expected = pil.FITS[fit](pil.Image.fromarray(rgb), FITS[fit], CROP, "bicubic")
    found = engine(tool, pixels, image.size, pixel_format, matrix, video_range, fit)
    difference = np.abs(found - np.asarray(expected, float))
    return {"mean": difference.mean(), "p99.9": np.percentile(difference, 99.9),
            "max": difference.max()}


def report(what, figures, tolerance):
    """Prints the worst figures of several photographs. Returns whether they are within
    tolerance."""
    worst = {key: max(figure[key] for figure in figures) for key in figures[0]}
    good = all(worst[key] <= limit for key, limit in tolerance.items())
    print(f"{what:24} " + " ".join(f"{key} {value:6.3f}" for key, value in worst.items()),
          "ok" if good else f"FAIL: allowed {tolerance}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", help="the built tests/engine/preprocess-tool")
    parser.add_argument("--photographs", type=int, default=0,
                        help="number of photographs to read from val.tar; default: all")
    parser.add_argument("--every", type=int, default=1,
                        help="compare every Nth of them in RGB; default: each")
    arguments = parser.parse_args()
    photographs.need(arguments.tool)
    photographs.need(photographs.WEIGHTS)

    figures, some, others = [], [], []
    for i, (_, image, _) in enumerate(photographs.read(arguments.photographs)):
        if i % arguments.every == 0:
            figures.append(measure(arguments.tool, image, "RGB", "bt601", "full"))
        if i % 8 == 0:
            others.append(image)
        if image.size != (CROP, CROP) and len(some) < 4:
            # With odd sizes, chroma planes have an extra column and row at the end.
            width, height = image.size
            some.append(image.crop((0, 0, width - 1 + width % 2, height - 1 + height % 2)))
    print("largest differences over the photographs, in 1/255")
    good = report(f"RGB, {len(figures)} photographs", figures, RGB_TOLERANCE)
    for pixel_format, matrix, video_range in FORMATS:
        tolerance = RGB_TOLERANCE if pixel_format in ycbcr.RGB_ORDERS else YCBCR_TOLERANCE
        good &= report(
            f"{pixel_format} {matrix} {video_range}",
            [measure(arguments.tool, image, pixel_format, matrix, video_range)
             for image in some], tolerance)
    for fit in ("squash", "letterbox"):
        good &= report(f"RGB {fit}, {len(others)} photographs",
                       [measure(arguments.tool, image, "RGB", "bt601", "full", fit)
                        for image in others], RGB_TOLERANCE)
        good &= report(f"NV12 bt709 limited {fit}",
                       [measure(arguments.tool, image, "NV12", "bt709", "limited", fit)
                        for image in some], YCBCR_TOLERANCE)
    sys.exit(not good)


if __name__ == "__main__":
    main()
