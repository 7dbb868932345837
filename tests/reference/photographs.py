"""The photographs of ../shared/data/val.tar, and how a check says that it cannot run."""

import io
import os
import sys
import tarfile

DATA = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                     "../../../shared/data"))
WEIGHTS = os.path.join(DATA, "deit_tiny_patch16_224.safetensors")


def skip(reason):
    """Ends the program as meson's skipped tests do."""
    print("SKIP:", reason)
    sys.exit(77)


try:
    from PIL import Image
except ImportError:
    skip("Pillow is not installed (python3-pil)")


def need(path):
    if not os.path.exists(path):
        skip(f"there is no {path}")


def read(count):
    """Yields (name, PIL image in RGB, class index) of `count` photographs spread over val.tar,
    0: all."""
    path = os.path.join(DATA, "val.tar")
    need(path)
    with tarfile.open(path) as tar:
        lines = tar.extractfile("labels.tsv").read().decode().splitlines()[1:]
        step = max(1, len(lines) // count) if count else 1
        for line in lines[::step][:count or None]:
            name, index, _ = line.split("\t")
            data = io.BytesIO(tar.extractfile(name).read())
            yield name, Image.open(data).convert("RGB"), int(index)
