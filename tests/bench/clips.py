"""Clips for the benchmark of video, as raw I420 frames in files: real ones, decoded once, and made
ones from photographs of train-more.tar."""

import io
import os
import random
import subprocess
import tarfile
from dataclasses import dataclass

import numpy as np
import photographs
from PIL import Image

SIZE = (640, 480)
MADE_FRAMES = 150
PATCH = 32     # pixels of a moving or inserted patch: about one of the network's, after the resize
REAL = os.path.join(photographs.DATA, "video")
PHOTOGRAPHS = os.path.join(photographs.DATA, "train-more.tar")


@dataclass
class Clip:
    name: str
    path: str
    width: int
    height: int
    frames: int


def read_photographs(count, seed=1):
    """Returns photographs drawn from train-more.tar, as PIL images in RGB."""
    photographs.need(PHOTOGRAPHS)
    with tarfile.open(PHOTOGRAPHS) as tar:
        lines = tar.extractfile("labels.tsv").read().decode().splitlines()[1:]
        names = [line.split("\t")[0] for line in lines]
        return [Image.open(io.BytesIO(tar.extractfile(name).read())).convert("RGB")
                for name in random.Random(seed).sample(names, count)]


def cover(image, size):
    """Returns float [height][width][3], the centre of the image scaled to cover @size."""
    shape = size[0] / size[1]
    width, height = min(image.width, image.height * shape), min(image.height, image.width / shape)
    x, y = (image.width - width) / 2, (image.height - height) / 2
    return np.asarray(image.resize(size, Image.BICUBIC, box=(x, y, x + width, y + height)), "f4")


def i420(frame):
    """Returns the bytes of an RGB frame from 0 to 255, as BT.601 of limited range. Sides are even."""
    r, g, b = (frame[..., i] for i in range(3))
    half = frame.reshape(frame.shape[0] // 2, 2, frame.shape[1] // 2, 2, 3).mean((1, 3))
    red, green, blue = (half[..., i] for i in range(3))
    planes = [16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255,
              128 + (-37.797 * red - 74.203 * green + 112 * blue) / 255,
              128 + (112 * red - 93.786 * green - 18.214 * blue) / 255]
    return b"".join(np.clip(np.rint(p), 0, 255).astype("u1").tobytes() for p in planes)


def picture(planes, width, height):
    """Returns a PIL image of the bytes of an I420 frame."""
    full, half = (height, width), (height // 2, width // 2)
    y, u, v = np.split(planes.astype("f4"), [width * height, width * height * 5 // 4])
    y = 1.164 * (y.reshape(full) - 16)
    u, v = ((c.reshape(half) - 128).repeat(2, 0).repeat(2, 1) for c in (u, v))
    rgb = np.stack([y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u], -1)
    return Image.fromarray(np.clip(np.rint(rgb), 0, 255).astype("u1"))


def write(frames, path):
    """Writes RGB frames. Returns how many."""
    n, last, data = 0, None, b""
    with open(path + ".part", "wb") as file:
        for frame in frames:
            if frame is not last:
                last, data = frame, i420(np.clip(frame, 0, 255))
            file.write(data)
            n += 1
    os.rename(path + ".part", path)
    return n


# ---- Made clips ----

def noise(rng, sigma):
    """Returns noise of a camera: in blocks of two by two pixels, so that the resize keeps it."""
    small = rng.normal(0, sigma, (SIZE[1] // 2, SIZE[0] // 2, 3)).astype("f4")
    return small.repeat(2, 0).repeat(2, 1)


def move_patch(still, patch):
    for i in range(MADE_FRAMES):
        frame = still.copy()
        x, y = 40 + 3 * i % (SIZE[0] - PATCH - 80), 200 + round(60 * np.sin(i / 15))
        frame[y:y + PATCH, x:x + PATCH] = patch
        yield frame


def pan(wide):
    for i in range(MADE_FRAMES):
        yield wide[:, 4 * i:4 * i + SIZE[0]]


def make(name, path):
    """Writes the made clip of a name. Returns how many frames it has."""
    photos, rng = read_photographs(2), np.random.default_rng(1)
    still = cover(photos[0], SIZE)
    times = range(MADE_FRAMES)
    frames = {
        "moving patch": lambda: move_patch(still, cover(photos[1], (PATCH, PATCH))),
        "pan": lambda: pan(np.concatenate([still, cover(photos[1], SIZE)], 1)),
        "frozen": lambda: (still for _ in times),
        "noise 2/255": lambda: (still + noise(rng, 2) for _ in times),
        "noise 4/255": lambda: (still + noise(rng, 4) for _ in times),
        "slow light": lambda: (still * 0.8 + 0.1 * i for i in range(2 * MADE_FRAMES)),
        "lightning": lambda: (still * 0.6 + 90 * (rng.random() < 0.08) for _ in times),
        "night noise": lambda: (still * 0.2 + noise(rng, 6) for _ in times),
    }[name]
    return write(frames(), path)


MADE = ["moving patch", "pan", "frozen", "noise 2/255", "noise 4/255"]
HARD = ["slow light", "lightning", "night noise", "H.264 at crf 33"]


def mostly_still(size, n, fps):
    """Yields the frames of a camera that sees a still scene with noise. During a quarter of the time
    something walks by."""
    photos, rng = read_photographs(2, 6), np.random.default_rng(6)
    still, walker = cover(photos[0], size), cover(photos[1], (size[0] // 10, size[1] // 3))
    height, width = walker.shape[:2]
    noises = [rng.normal(0, 2, (*still.shape[:2], 1)).astype("f4") for _ in range(8)]
    for i in range(n):
        frame, step = still + noises[i % 8], i % (16 * fps)
        if step < 4 * fps:
            x = step * (size[0] - width) // (4 * fps)
            frame[-height:, x:x + width] = walker
        yield frame


# ---- Real clips ----

def decode(source, path, frames):
    """Decodes the first frames of a video, or all if @frames is 0. Returns (width, height)."""
    limit = ["identity", f"eos-after={frames + 1}", "!"] if frames else []
    output = subprocess.run(
        ["gst-launch-1.0", "-v", "filesrc", f"location={source}", "!", "decodebin", "!",
         "videoconvert", "!", "video/x-raw,format=I420", "!", *limit, "filesink", "name=end",
         f"location={path}.part"], check=True, stdout=subprocess.PIPE, text=True).stdout
    caps = next(line for line in output.splitlines() if "/GstFileSink:end" in line)
    os.rename(path + ".part", path)
    return tuple(int(caps.split(f"{side}=(int)")[1].split(",")[0]) for side in ("width", "height"))


def encode(source, path, frames):
    """Encodes the first frames of a video again, with x264 at crf 33."""
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={source}", "!", "decodebin", "!",
                    "identity", f"eos-after={frames + 1}", "!", "videoconvert", "!", "x264enc",
                    "pass=qual", "quantizer=33", "!", "h264parse", "!", "matroskamux", "!",
                    "filesink", f"location={path}"], check=True)


def file_of(name, folder, frames):
    clean = "".join(c if c.isalnum() else "-" for c in name)
    return os.path.join(folder, f"{clean}-{frames}.i420")


def prepare(name, folder, frames):
    """Returns the clip of a name: a real one without ".mp4", or a made one. Its file is written
    unless it is there."""
    path, size = file_of(name, folder, frames), SIZE
    if name in MADE + HARD[:3]:
        if not os.path.exists(path):
            make(name, path)
    else:
        source = os.path.join(REAL, ("car-detection" if name == HARD[3] else name) + ".mp4")
        photographs.need(source)
        if name == HARD[3]:
            again = path + ".mkv"
            encode(source, again, frames or MADE_FRAMES)
            source = again
        size = decode(source, path, frames)
    each = size[0] * size[1] * 3 // 2
    return Clip(name, path, *size, os.path.getsize(path) // each)
