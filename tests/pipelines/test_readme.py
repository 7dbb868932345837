"""The pipelines of README.md, with other sources and sinks. Environment: see cameras.py."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from cameras import LIMIT, MODEL, PIPELINES, Server, make_clip

DEFAULT_MODEL = "deit-tiny-imagenet1k.safetensors"


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.clip = f"{self.folder}/clip.mkv"
        make_clip(self.clip, black=5)
        shutil.copy(MODEL, f"{self.folder}/{DEFAULT_MODEL}")
        with open(f"{PIPELINES}/../README.md", encoding="utf-8") as file:
            text = file.read()
        pipelines = text[text.index("\n## Pipelines"):text.index("\n## Shipped models")]
        self.lines = [line.replace("\\\n", " ").strip()
                      for line in re.findall(r"(?m)(?:^    .+\n)+", pipelines)
                      if "gst-launch" in line]
        self.snippet = re.search(r"```python\n(.*?)```", pipelines, re.DOTALL)[1]

    def start(self, *command):
        return subprocess.Popen(command, env={**os.environ, "VITGATE_MODEL_DIR": self.folder},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start_line(self, part, **replaced):
        """Starts the line with that part, with words replaced."""
        line, = (line for line in self.lines if part in line)
        for old, new in replaced.items():
            self.assertIn(old, line)
            line = line.replace(old, new)
        return self.start(*shlex.split(line))

    def start_snippet(self, **replaced):
        snippet = self.snippet
        for old, new in replaced.items():
            self.assertIn(old, snippet)
            snippet = snippet.replace(old, new)
        options = "-W", "error", "-W", "ignore::ImportWarning"
        return self.start(sys.executable, *options, "-c", snippet)

    def test_the_labels_of_a_clip_are_readable(self):
        output, errors = self.start_line("street.mp4", **{"street.mp4": self.clip}) \
            .communicate(timeout=LIMIT)
        self.assertEqual(errors, "")
        lines = output.splitlines()
        self.assertEqual(len(lines), 5)
        for line in lines:
            self.assertRegex(line, r"^0:00:00\.\d{3} +\d+ %  [a-z ]+\d*$")

    def test_a_webcam_is_shown(self):
        program = self.start_line("v4l2src", v4l2src="videotestsrc num-buffers=5",
                                  autovideosink="fakesink")
        _, errors = program.communicate(timeout=LIMIT)
        self.assertEqual(program.returncode, 0, errors)

    def test_lines_are_written_at_once_and_survive_sigterm(self):
        file = f"{self.folder}/camera.jsonl"
        os.mkfifo(file)
        with Server() as server:
            program = self.start_line("camera.jsonl", **{
                "rtsp://camera/stream": server.url, "camera.jsonl": file})
            with open(file, "rb", buffering=0) as lines:
                first = lines.read(1 << 16)
                program.terminate()
                self.assertLess(len(first), 1 << 14)  # a buffer would be full
                for line in (first + lines.read()).splitlines():
                    self.assertIn("results", json.loads(line))
            program.communicate(timeout=LIMIT)

    def test_the_snippet_prints_each_frame_and_ends(self):
        program = self.start_snippet(**{
            "rtspsrc location=rtsp://camera/stream": f"filesrc location={self.clip}"})
        output, errors = program.communicate(timeout=LIMIT)
        self.assertEqual(program.returncode, 0, errors)
        self.assertEqual(len(output.splitlines()), 5)
        self.assertEqual(errors, "")

    def test_the_snippet_ends_if_the_camera_does(self):
        with Server() as server:
            program = self.start_snippet(**{"rtsp://camera/stream": server.url, "10000": "4000"})
            self.assertTrue(program.stdout.readline())
            server.send("stall")
            errors = program.communicate(timeout=LIMIT)[1]
            self.assertEqual((program.returncode, errors), (1, "Watchdog triggered\n"))
        program = self.start_snippet(**{"rtsp://camera/stream": server.url})
        errors = program.communicate(timeout=LIMIT)[1]
        self.assertEqual(program.returncode, 1)
        self.assertEqual(len(errors.splitlines()), 1, errors)


if __name__ == "__main__":
    unittest.main(verbosity=2)
