"""Every line of models/teaching.md, with a clip of two colours for the camera. Environment: see
cameras.py; VITGATE_WATCH and VITGATE_COLLECT are the programs, VITGATE_COMMAND the command vitgate."""

import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

from cameras import HERE, LIMIT, PIPELINES, make_clip

sys.path.insert(0, os.path.join(HERE, "../models"))
import colour_model  # noqa: E402

URL = "rtsp://192.168.1.20/stream1"
COLOURS = {"open": (255, 0, 0), "closed": (0, 0, 255)}
PROGRAMS = {"vitgate": os.environ["VITGATE_COMMAND"], "vitgate-watch": os.environ["VITGATE_WATCH"],
            "pipelines/gate-state": f"{PIPELINES}/gate-state"}
STEPS = 6


def read_page():
    """Returns the commands of each step, and the key file."""
    with open(f"{PIPELINES}/../models/teaching.md", encoding="utf-8") as file:
        text = file.read()
    steps = {int(part[0]): [line.replace("\\\n", " ").split()
                            for line in re.findall(r"(?m)^    (?! )(?:.+\\\n)*.+", part)]
             for part in re.split(r"(?m)^## (?=\d)", text)[1:]}
    return steps, re.search(r"```ini\n(.*?)```", text, re.DOTALL)[1]


class Teaching(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.clip = folder.name, f"{folder.name}/yard.mkv"
        make_clip(self.clip, red=60, blue=60)
        colour_model.write_model(f"{self.folder}/deit-tiny-imagenet1k.safetensors")
        self.steps, self.keys = read_page()
        self.replaced = {URL: self.clip}

    def run_words(self, words):
        words = [self.replaced.get(word, word) for word in words]
        words[0] = PROGRAMS.get(words[0], words[0])
        path = f"{os.path.dirname(os.environ['VITGATE_COLLECT'])}:{os.environ['PATH']}"
        run = subprocess.run(words, cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT,
                             env={**os.environ, "VITGATE_MODEL_DIR": self.folder, "PATH": path})
        self.assertEqual(run.returncode, 0, f"{shlex.join(words)}: {run.stdout}{run.stderr}")
        return run.stdout

    def run_step(self, number):
        return [self.run_words(words) for words in self.steps[number]]

    def pictures(self, *place):
        place = os.path.join(self.folder, *place)
        return [name for name in os.listdir(place) if name.endswith(".jpg")]

    def add_pictures(self):
        """Pictures of both states, such as a person would have collected in some days."""
        draw = random.Random(1)
        for state, colour in COLOURS.items():
            for i in range(6):
                pixel = tuple(min(255, max(0, value + draw.randint(-20, 20))) for value in colour)
                colour_model.write_png(f"{self.folder}/gate/{state}/{i}.png", 40, bytes(pixel) * 40 * 40)

    def test_every_line_of_the_page(self):
        self.assertEqual(list(self.steps), list(range(1, STEPS + 1)))
        self.run_step(1)
        self.assertEqual(len(self.pictures("pictures")), 2)

        # The picture that the page names stands for any.
        moved = next(word for word in self.steps[2][1] if word.endswith(".jpg"))
        self.replaced[moved] = f"pictures/{min(self.pictures('pictures'))}"
        self.run_step(2)
        self.assertEqual(len(self.pictures("gate", "open")), 1)
        self.add_pictures()

        self.assertIn("Top-1 100.0 %", self.run_step(3)[0])

        self.replaced.update({"rtspsrc": "filesrc", f"location={URL}": f"location={self.clip}",
                              "autovideosink": "fakesink"})
        states = self.run_step(4)[1]
        self.assertRegex(states, r"(?s)  open .*open -> closed ")

        with open(f"{self.folder}/watch.conf", "w", encoding="utf-8") as file:
            self.assertIn(URL, self.keys)
            file.write(self.keys.replace(URL, f"file://{self.clip}"))
        self.run_step(5)
        with open(f"{self.folder}/log.jsonl", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        self.assertEqual([(e["look"], e["from"], e["to"]) for e in events if e["event"] == "state"],
                         [("gate", None, "open"), ("gate", "open", "closed")])

        collect, teach = self.steps[6]
        self.run_words(collect)
        sorted_ones = {state: len(self.pictures("more", state)) for state in COLOURS}
        self.assertEqual(sorted_ones, {"open": 1, "closed": 1})
        self.assertIn("Top-1 100.0 %", self.run_words(teach))


if __name__ == "__main__":
    unittest.main(verbosity=2)
