"""record-on-label with a camera whose label appears and vanishes. Environment: see cameras.py."""

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from cameras import (LIMIT, MODEL, PIPELINES, Gst, Server, make_clip, need_codec, play_file,
                     run_program)

BLACK, WHITE = 40, 10  # frames
BEFORE = 0.5  # seconds
KEYFRAMES = 1  # seconds from one to the next
FRAME = 0.04


def label_of(clip, frame):
    lines = run_program("read-metadata.py", clip, MODEL).stdout.splitlines()
    return re.search(r"%  (.*)  \(age", lines[frame])[1]


def read_clip(path):
    """Returns (seconds, whether it is white) of each frame."""
    frames = []

    def on_frame(sink, buffer, pad):
        found, memory = buffer.map(Gst.MapFlags.READ)
        frames.append((buffer.pts / Gst.SECOND, memory.data[0] > 128))
        buffer.unmap(memory)

    play_file("filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=GRAY8 "
              "! fakesink name=sink", path, on_frame)
    return frames


class Frames(unittest.TestCase):
    def test_a_frame_without_a_timestamp_has_the_time_of_its_arrival(self):
        loader = SourceFileLoader("record_on_label", f"{PIPELINES}/record-on-label")
        program = module_from_spec(spec_from_loader("record_on_label", loader))
        sys.path.insert(0, PIPELINES)
        loader.exec_module(program)
        segment = Gst.Segment()
        segment.init(Gst.Format.TIME)
        segment.start = 5 * Gst.SECOND
        caps = Gst.Caps.from_string("image/jpeg")
        for pts, expected in (Gst.CLOCK_TIME_NONE, 7), (6 * Gst.SECOND, 1):
            buffer = Gst.Buffer.new_wrapped(b"frame")
            buffer.pts = pts
            frame = program.Frame(Gst.Sample.new(buffer, caps, segment, None), 7 * Gst.SECOND)
            self.assertEqual(frame.time, expected * Gst.SECOND)
            self.assertEqual(frame.buffer.pts, (5 + expected) * Gst.SECOND)
            self.assertEqual(frame.buffer.get_size(), 5)


class RecordOnLabel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.clip = f"{cls.folder.name}/clip.mkv"
        make_clip(cls.clip, black=BLACK, white=WHITE)
        cls.label = label_of(cls.clip, BLACK)
        assert cls.label != label_of(cls.clip, 0)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start(self, folder, server, **options):
        return subprocess.Popen(
            [f"{PIPELINES}/record-on-label", "--model", MODEL, "--before", str(BEFORE), "--after",
             "0.5", "--folder", folder, server.url, self.label.upper()],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def expect(self, program, word):
        """Returns the path of the clip in the next line, which must start with word."""
        line = program.stdout.readline()
        self.assertRegex(line, rf"^{word} /.*/\d{{4}}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d{{3}}\.mkv  "
                         rf".*{self.label}$")
        return line.split(" ")[1]

    def check_clip(self, path):
        """Checks that the clip is black for the seconds before, then white, then black for the
        seconds after."""
        frames = read_clip(path)
        white = [i for i, frame in enumerate(frames) if frame[1]]
        self.assertEqual(frames[0][0], 0)
        before = frames[white[0]][0]
        self.assertGreaterEqual(before, BEFORE - FRAME)
        self.assertLessEqual(before, BEFORE + KEYFRAMES + 2 * FRAME)
        after = frames[-1][0] - frames[white[-1]][0]
        self.assertGreaterEqual(after, 0.5 - FRAME)

    def check_codec(self, codec):
        need_codec(codec)
        with tempfile.TemporaryDirectory() as folder, \
                Server("--codec", codec, "--clip", self.clip) as server, \
                self.start(folder, server) as program:
            # The first clip may start in the middle of white frames.
            for word in "recording", "recorded", "recording":
                self.expect(program, word)
            path = self.expect(program, "recorded")
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(LIMIT), 0)
            self.check_clip(path)

    def test_h264(self):
        self.check_codec("h264")

    def test_h265(self):
        self.check_codec("h265")

    def test_mjpeg(self):
        self.check_codec("mjpeg")

    def test_a_clip_is_complete_when_the_camera_dies(self):
        with tempfile.TemporaryDirectory() as folder, Server("--clip", self.clip) as server, \
                self.start(folder, server) as program:
            self.expect(program, "recording")
            server.send("die")
            path = self.expect(program, "recorded")
            self.assertIn("the stream has ended", program.stderr.readline())
            self.assertEqual(program.wait(LIMIT), 0)
            self.assertTrue(read_clip(path))

    def test_another_size_starts_another_clip(self):
        white = f"{self.folder.name}/white.mkv"
        make_clip(white, white=10)
        with tempfile.TemporaryDirectory() as folder, Server("--clip", white) as server, \
                self.start(folder, server) as program:
            self.expect(program, "recording")
            server.send("size 320x240")
            self.assertTrue(read_clip(self.expect(program, "recorded")))
            self.expect(program, "recording")
            program.send_signal(signal.SIGTERM)
            path = self.expect(program, "recorded")
            self.assertEqual(program.wait(LIMIT), 0)
            self.assertTrue(read_clip(path))

    def test_a_full_disk_is_reported_and_survived(self):
        """A limit for files simulates a full disk. The clip so far is kept."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

        # A few JPEG frames exceed the limit.
        with tempfile.TemporaryDirectory() as folder, \
                Server("--codec", "mjpeg", "--clip", self.clip) as server, \
                self.start(folder, server, preexec_fn=limit) as program:
            for _ in range(2):
                self.assertRegex(program.stderr.readline(), r"^record-on-label: .*\.mkv: .*writ")
            for name in os.listdir(folder):
                self.assertGreater(os.path.getsize(os.path.join(folder, name)), 1000)
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(LIMIT), 0)

    def test_impossible_options(self):
        for option, value in ("--before", "soon"), ("--threshold", "2"), ("--folder", "/none"):
            run = run_program("record-on-label", option, value, "rtsp://localhost/", "*")
            self.assertEqual(run.returncode, 2)
            self.assertIn(value, run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
