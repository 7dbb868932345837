"""Shared by tests of vitgate teach: pictures of colours, and a small model."""

import json
import os
import random
import zlib

import colour_model
import dialects
import random_model
from command_case import CommandTest

COLOURS = {"closed": (200, 40, 40), "half": (40, 60, 210), "open": (40, 190, 60),
           "empty": (190, 190, 30)}


def write_picture(path, colour, rng, side=40):
    """Writes a PNG of about that colour, with a box of another"""
    base = [min(255, max(0, c + rng.randrange(-25, 26))) for c in colour]
    box = [rng.randrange(256) for _ in range(3)]
    left, top = rng.randrange(side // 2), rng.randrange(side // 2)
    rows = [box if left <= x < left + side // 4 and top <= y < top + side // 4 else base
            for y in range(side) for x in range(side)]
    colour_model.write_png(path, side, bytes(v for pixel in rows for v in pixel))


def describe(path):
    entries, metadata = colour_model.read_safetensors(path)
    return entries, json.loads(metadata["vitgate"])


class TeachCase(CommandTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("base.safetensors")
        self.out = self.path("taught.safetensors")
        self.data = self.path("data")
        random_model.write_teacher(self.model)

    def write_class(self, label, n, folder="data", seed=None, colour=None, names="{:02}.png"):
        """Writes n pictures of a class; returns their paths"""
        rng = random.Random(seed if seed is not None else zlib.crc32(label.encode()))
        os.makedirs(self.path(folder, label), exist_ok=True)
        paths = [self.path(folder, label, names.format(i)) for i in range(n)]
        for path in paths:
            write_picture(path, colour or COLOURS[label], rng)
        return paths

    def write_distilled(self):
        weights, model = self.path("weights.safetensors"), self.path("distilled.safetensors")
        colour_model.write_safetensors(weights, dialects.timm(distilled=True))
        self.succeed("import", weights, *dialects.HEADS_OPTION, "-o", model)
        return model

    def write_data(self, n=6, labels=("closed", "open", "half"), **options):
        return {label: self.write_class(label, n, **options) for label in labels}

    def teach(self, *arguments, notes=0, data=None, model=None, **options):
        text = self.succeed("teach", "--model", model or self.model, "--data", data or self.data,
                            "-o", self.out, "--json", "--threads", "1", *arguments, notes=notes,
                            **options)
        return json.loads(text)

    def refuse(self, part, *arguments, **options):
        arguments = ("--data", self.data, *arguments) if "--data" not in arguments else arguments
        self.fail_with(part, "teach", "--model", self.model, "-o", self.out, "--threads", "1",
                       *arguments, **options)
        self.assertFalse(os.path.exists(self.out))

    def classify(self, path, model=None):
        text = self.succeed("classify", "--json", "--top-k", "9", "--threshold", "0", "--model",
                            model or self.out, path)
        return {e["label"]: e["score"] for e in json.loads(text)["images"][0]["classes"]}

    def best(self, path, model=None):
        scores = self.classify(path, model)
        return max(scores, key=scores.get)
