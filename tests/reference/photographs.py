"""Reads the photographs of ../shared/data/val.tar, and skips a check that cannot run."""

import io
import os
import sys
import tarfile

DATA = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                     "../../../shared/data"))
WEIGHTS = os.path.join(DATA, "deit_tiny_patch16_224.safetensors")


def skip(reason):
    """Exits with the status of a test that meson counts as skipped."""
    print("SKIP:", reason)
    sys.exit(77)


try:
    from PIL import Image
except ImportError:
    skip("Pillow is not installed (python3-pil)")


def need(path):
    if not os.path.exists(path):
        skip(f"{path} does not exist")


def read(count):
    """Yields (name, PIL image in RGB, class index) of `count` photographs spread over val.tar, or
    of all if it is 0."""
    path = os.path.join(DATA, "val.tar")
    need(path)
    with tarfile.open(path) as tar:
        lines = tar.extractfile("labels.tsv").read().decode().splitlines()[1:]
        step = max(1, len(lines) // count) if count else 1
        for line in lines[::step][:count or None]:
            name, index, _ = line.split("\t")
            data = io.BytesIO(tar.extractfile(name).read())
            yield name, Image.open(data).convert("RGB"), int(index)
