"""camera, two-cameras-one-model and read-metadata.py. Environment: see cameras.py."""

import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

from cameras import DEFAULT_CODEC, LIMIT, MODEL, PIPELINES, Server, make_clip, play_file, \
    run_program
from http_camera import HttpCamera, make_frames

WATCH = "--model", MODEL, "--sink", "fakesink num-buffers=20"


class Camera(unittest.TestCase):
    def check_error(self, reason, camera, *options, **environment):
        run = run_program("camera", *(options or WATCH), camera, **environment)
        self.assertGreater(run.returncode, 0)
        self.assertRegex(run.stderr, f"^camera: {reason}.*\n$")

    def test_it_plays(self):
        with Server() as server:
            run = run_program("camera", *WATCH, server.url)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_what_the_model_sees_can_be_chosen(self):
        sink = "identity eos-after=5 ! vitgatejson ! filesink location=/dev/stdout"
        with Server() as server:
            for options, whole in ((), True), (("--fit", "crop"), False):
                run = run_program("camera", "--model", MODEL, *options, "--sink", sink, server.url)
                frame = json.loads(run.stdout.splitlines()[0])
                seen = frame["results"][0]
                self.assertEqual((seen["width"], seen["height"]) ==
                                 (frame["width"], frame["height"]), whole, run.stderr)
        run = run_program("camera", "--fit", "zoom", "/dev/null")
        self.assertEqual(run.returncode, 2)
        self.assertIn("argument --fit: invalid choice: 'zoom' (choose from ", run.stderr)

    def test_user_and_password(self):
        with Server(VITGATE_CAMERA_USER="eve", VITGATE_CAMERA_PASSWORD="secret") as server:
            by_url = server.url.replace("//", "//eve:secret@")
            self.assertEqual(run_program("camera", *WATCH, by_url).returncode, 0)
            known = {"VITGATE_CAMERA_USER": "eve", "VITGATE_CAMERA_PASSWORD": "secret"}
            self.assertEqual(run_program("camera", *WATCH, server.url, **known).returncode, 0)
            # No message shows a password.
            shown = re.escape(server.url.replace("//", "//***@"))
            self.check_error(f"{shown}: the camera refuses",
                             server.url.replace("//", "//eve:wrong@"))

    def test_no_camera(self):
        with Server() as server:
            url = server.url
            self.check_error(f"{url}x: Not found", url + "x")
        self.check_error(f"{url}: cannot connect", url)
        self.check_error("/dev/video99: ", "/dev/video99")
        self.check_error("/dev/null: ", "/dev/null")
        self.check_error("http://127.0.0.1:1/: cannot connect", "http://127.0.0.1:1/")
        for place in "http://", "rtsp://", "street.mp4", "/etc":
            self.check_error(f"{place}: there is no such file. Expected", place)

    def test_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            clip = f"{folder}/a clip.mkv"
            make_clip(clip, black=10)
            url = f"file://{folder}/a%20clip.mkv"
            for place in clip, url:
                run = run_program("camera", "--model", MODEL, "--sink", "fakesink", place)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(run.stderr, f"camera: {place}: the stream has ended\n")
            play_file("audiotestsrc num-buffers=5 ! vorbisenc ! matroskamux ! filesink name=file",
                      clip)
            self.check_error("/.*: the file has no video, only audio", clip)

    def test_a_camera_over_http(self):
        with HttpCamera(make_frames("snow", 160, 120), password="s@cret") as camera:
            self.assertEqual(run_program("camera", *WATCH, camera.url.replace(
                "//", "//eve:s%40cret@")).returncode, 0)
            known = {"VITGATE_CAMERA_USER": "eve", "VITGATE_CAMERA_PASSWORD": "s@cret"}
            self.assertEqual(run_program("camera", *WATCH, camera.url, **known).returncode, 0)
            shown = re.escape(camera.url.replace("//", "//***@"))
            self.check_error(f"{shown}: the camera refuses",
                             camera.url.replace("//", "//eve:wrong@"))

    def test_a_camera_without_video(self):
        with Server() as server:
            server.send("no-video")
            self.check_error(f"{server.url}: the camera sends no video, only audio", server.url)

    def test_a_camera_that_stops_sending(self):
        with Server() as server, subprocess.Popen(
                [f"{PIPELINES}/camera", "--model", MODEL, "--sink", "filesink location=/dev/stdout "
                 "buffer-mode=unbuffered", server.url], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env={**os.environ, "VITGATE_CAMERA_SILENCE": "1"}) as camera:
            self.assertTrue(camera.stdout.read(1000))
            server.send("stall")
            camera.stdout.read()
            self.assertIn(b"/camera: no frame for 1 s", camera.stderr.read())
            self.assertEqual(camera.wait(LIMIT), 1)
        with Server() as server:
            server.send("stall")
            self.check_error(f"{server.url}: .*(no frame within 1 s|Could not)", server.url,
                             VITGATE_CAMERA_SILENCE="0.5")

    def test_a_camera_that_sends_only_over_udp(self):
        with Server("--udp-only") as server:
            self.check_error(f"{server.url}: the camera does not send over TCP .use rtspu://",
                             server.url)
            run = run_program("camera", *WATCH, server.url.replace("rtsp:", "rtspu:"))
            self.assertEqual(run.returncode, 0, run.stderr)

    def test_an_unknown_codec_is_named(self):
        names = {"h264": "H.264", "mjpeg": "JPEG"}
        ranks = ",".join(f"{name}:NONE" for name in (
            "avdec_h264", "openh264dec", "jpegdec", "avdec_mjpeg", "vah264dec", "v4l2slh264dec"))
        with Server() as server:
            self.check_error(f"{server.url}: GStreamer has no .*{names[DEFAULT_CODEC]}.* decoder",
                             server.url, GST_PLUGIN_FEATURE_RANK=ranks)

    def test_no_display(self):
        for name in "DISPLAY", "WAYLAND_DISPLAY":
            os.environ.pop(name, None)
        self.check_error("there is no display", "rtsp://localhost/", "--model", MODEL)

    def test_a_missing_model_is_named(self):
        with Server() as server:
            self.check_error("vitgate: .*/none", server.url, "--model", "/none", "--sink",
                             "fakesink")

    def test_the_end_of_the_stream_is_reported(self):
        with Server() as server, subprocess.Popen(
                [f"{PIPELINES}/camera", "--model", MODEL, "--sink", "filesink location=/dev/stdout "
                 "buffer-mode=unbuffered", server.url], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE) as camera:
            self.assertTrue(camera.stdout.read(1000))
            server.send("drop")
            camera.stdout.read()
            self.assertIn(b"the stream has ended", camera.stderr.read())
            self.assertEqual(camera.wait(LIMIT), 0)


class TwoCameras(unittest.TestCase):
    def start(self, *cameras):
        return subprocess.Popen(
            [f"{PIPELINES}/two-cameras-one-model", "--model", MODEL, *cameras],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_labels_of_both_are_printed(self):
        with tempfile.TemporaryDirectory() as folder:
            make_clip(f"{folder}/black.mkv", black=10)
            make_clip(f"{folder}/white.mkv", white=10)
            with Server("--clip", f"{folder}/black.mkv") as black, \
                    Server("--clip", f"{folder}/white.mkv") as white, \
                    self.start(black.url, white.url) as program:
                labels = {}
                for line in program.stdout:
                    found = re.fullmatch(r"camera (\d)  +\d+%  (.*)\n", line)
                    if found:
                        labels[found[1]] = found[2]
                    if len(labels) == 2:
                        break
                program.send_signal(signal.SIGTERM)
                self.assertEqual(program.wait(LIMIT), 0)
        self.assertNotEqual(labels["1"], labels["2"])

    def test_the_model_is_loaded_once(self):
        """Needs a model of some MB, and no sanitizer, whose memory would count as well."""
        model = f"{PIPELINES}/../models/shipped/deit-tiny-domain20.safetensors"
        # meson's MALLOC_PERTURB_ writes to memory that is only reserved.
        run = run_program("two-cameras-one-model", "--model", model, "rtsp://127.0.0.1:1/",
                          "rtsp://127.0.0.1:1/", MALLOC_PERTURB_="0")
        self.assertEqual(run.stderr.count("cannot connect"), 2)
        megabytes = re.findall(r"^camera \d: (-?[\d.]+) MB", run.stdout, re.MULTILINE)
        self.assertEqual(len(megabytes), 2)
        if "LD_PRELOAD" in os.environ:
            self.skipTest("the sanitizer's memory counts as well")
        first, second = map(float, megabytes)
        self.assertGreater(first, 2.5)
        self.assertLess(second, first / 2)

    def test_the_other_camera_continues(self):
        with Server() as server, self.start("rtsp://127.0.0.1:1/", server.url) as program:
            self.assertIn("cannot connect", program.stderr.readline())
            for line in program.stdout:
                if line.startswith("camera 2  "):
                    break
            program.send_signal(signal.SIGINT)
            self.assertEqual(program.wait(LIMIT), 1)


class ReadMetadata(unittest.TestCase):
    def test_a_line_for_each_frame(self):
        with tempfile.TemporaryDirectory() as folder:
            make_clip(f"{folder}/clip.mkv", black=5, white=5)
            run = run_program("read-metadata.py", f"{folder}/clip.mkv", MODEL)
        lines = run.stdout.splitlines()
        self.assertEqual(len(lines), 10)
        self.assertRegex(lines[5], r"^ +0\.200 s +\d+%  class \d+  \(age 0, compute 0\.\d+\)$")

    def test_no_clip(self):
        run = run_program("read-metadata.py", "/none")
        self.assertEqual(run.returncode, 1)
        self.assertIn("/none", run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
