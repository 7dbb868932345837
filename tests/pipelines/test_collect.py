"""vitgate collect with clips and a camera. Environment: see cameras.py; VITGATE_COLLECT is the
program, VITGATE_COMMAND the command vitgate."""

import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

from cameras import HERE, LIMIT, Gst, Server, make_clip, play_file

sys.path.insert(0, os.path.join(HERE, "../models"))
import colour_model  # noqa: E402
import dialects  # noqa: E402
import taught_model  # noqa: E402

PROGRAM = os.environ["VITGATE_COLLECT"]
COMMAND = os.environ["VITGATE_COMMAND"]
COLOURS = {"black": 30, "white": 30, "red": 20, "blue": 20}  # frames of the clip


def pictures(folder):
    return sorted(os.path.relpath(os.path.join(place, name), folder)
                  for place, _, names in os.walk(folder) for name in names
                  if name.endswith(".jpg"))


def read_picture(path):
    """Returns (width, height, the first pixel's red, green and blue, the last one's)."""
    found = []

    def on_frame(sink, buffer, pad):
        caps = pad.get_current_caps().get_structure(0)
        width, height = caps.get_int("width")[1], caps.get_int("height")[1]
        data = buffer.extract_dup(0, buffer.get_size())
        last = (height - 1) * ((3 * width + 3) // 4 * 4) + 3 * (width - 1)
        found.append((width, height, tuple(data[:3]), tuple(data[last:last + 3])))

    play_file("filesrc name=file ! jpegdec ! videoconvert ! video/x-raw,format=RGB ! "
              "fakesink name=sink", path, on_frame)
    return found[0]


class Collect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.files.cleanup)
        cls.clip = f"{cls.files.name}/yard.mkv"
        cls.model = f"{cls.files.name}/colours.safetensors"
        make_clip(cls.clip, **COLOURS)
        colour_model.write_model(cls.model)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = f"{folder.name}/pictures"

    def run_program(self, *arguments, source=None, program=(PROGRAM,), **options):
        options.setdefault("env", {**os.environ, "VITGATE_MODEL_DIR": self.files.name})
        return subprocess.run(
            [*program, source or self.clip, "-o", self.folder, "--model", self.model, *arguments],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT, **options)

    def import_model(self, name, *arguments):
        """Returns the path of the model with another description."""
        path = f"{self.files.name}/{name}.safetensors"
        subprocess.run([COMMAND, "import", self.model, "-o", path, *dialects.HEADS_OPTION,
                        *arguments], check=True, capture_output=True, timeout=LIMIT)
        return path

    def collect(self, *arguments, **options):
        run = self.run_program(*arguments, **options)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def check_error(self, expected, *arguments, **options):
        run = self.run_program(*arguments, **options)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertRegex(run.stderr, f"^vitgate collect: .*{expected}")
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)

    def test_what_looks_the_same_is_kept_once(self):
        output = self.collect("--every", "200ms")
        self.assertEqual(pictures(self.folder),
                         [f"yard_00-00-0{time}.jpg" for time in ("0.000", "1.200", "2.400",
                                                                 "3.200")])
        self.assertEqual(output, f"Kept 4 of 20 pictures in {self.folder} (100 frames; 4 pictures "
                                 "known).\n")
        colours = [read_picture(f"{self.folder}/{name}")[2] for name in pictures(self.folder)]
        for found, (red, green, blue) in zip(colours, ((0, 0, 0), (255, 255, 255), (255, 0, 0),
                                                       (0, 0, 255))):
            for a, b in zip(found, (red, green, blue)):
                self.assertAlmostEqual(a, b, delta=24)

    def test_another_run_keeps_only_what_is_new(self):
        self.collect("--every", "200ms", "--max", "2")
        self.assertEqual(len(pictures(self.folder)), 2)
        os.remove(f"{self.folder}/{pictures(self.folder)[0]}")
        self.collect("--every", "200ms")
        self.assertEqual(len(pictures(self.folder)), 3, "what was deleted is back, or new ones lack")

    def test_a_cut_off_file_of_features_is_read(self):
        self.collect("--every", "200ms", "--max", "3")
        with open(f"{self.folder}/.vitgate-collect", "r+b") as file:
            file.truncate(os.path.getsize(file.name) - 10)
        self.collect("--every", "200ms")
        self.assertEqual(len(pictures(self.folder)), 5)  # one is not known any more
        self.assertIn("Kept 0 of", self.collect("--every", "200ms"))

    def test_features_of_another_model_are_dropped(self):
        self.collect("--every", "200ms")
        other = self.import_model("other", "--name", "other")
        self.collect("--every", "200ms", "--model", other)
        self.assertEqual(len(pictures(self.folder)), 8)
        self.assertIn("yard_00-00-00.000-2.jpg", pictures(self.folder))

    def test_the_scene_decides(self):
        output = self.collect("--changes")
        self.assertEqual(len(pictures(self.folder)), 4)
        self.assertIn("Kept 4 of 4 pictures", output)

    def test_only_the_region_is_looked_at_and_stored(self):
        clip = f"{self.files.name}/bars.mkv"
        make_clip(clip, smpte75=10)
        self.collect("--region", "0,0,100%,50%", source=clip)
        (name,) = pictures(self.folder)
        width, height, first, last = read_picture(f"{self.folder}/{name}")
        self.assertEqual((width, height), (160, 60))
        self.assertLess(max(first) - min(first), 24)  # gray
        self.assertGreater(last[2] - last[0], 100)  # blue
        shutil.rmtree(self.folder)
        self.collect("--region", "21,11,31,23", source=clip)
        (name,) = pictures(self.folder)
        self.assertEqual(read_picture(f"{self.folder}/{name}")[:2], (31, 23))

    def collect_half(self, muxer, change=lambda path: None):
        """Collects the upper half of a clip of bars, gray at the left and blue at the right, with
        pixels twice as wide as high. Returns what read_picture() does."""
        clip = f"{self.files.name}/half"
        play_file("videotestsrc num-buffers=5 pattern=smpte75 ! video/x-raw,width=160,height=120,"
                  f"framerate=25/1,pixel-aspect-ratio=2/1 ! {muxer} ! filesink name=file", clip)
        change(clip)
        self.collect("--region", "0,0,100%,50%", source=clip)
        (name,) = pictures(self.folder)
        return read_picture(f"{self.folder}/{name}")

    def test_pictures_have_square_pixels(self):
        # Not as JPEG: GStreamer 1.26's jpegparse loses the shape of pixels.
        width, height, first, last = self.collect_half("matroskamux")
        self.assertEqual((width, height), (320, 60))
        self.assertLess(max(first) - min(first), 24)
        self.assertGreater(last[2] - last[0], 100)

    def test_pictures_of_a_lying_clip_are_upright(self):
        def rotate(path):
            with open(path, "r+b") as file:
                file.seek(file.read().index(b"tkhd") + 44)  # the matrix of the track header
                file.write(struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 120 << 16, 0, 1 << 30))

        width, height, first, last = self.collect_half("jpegenc ! qtmux", rotate)
        self.assertLess(width, height)
        self.assertLess(max(first) - min(first), 24)  # the gray bar is at the top
        self.assertGreater(last[2] - last[0], 100)  # the blue one at the bottom

    def test_pictures_are_sorted_by_their_label(self):
        names = f"{self.files.name}/names.txt"
        with open(names, "w", encoding="utf-8") as file:
            file.write("../../black/\n..\ng\nc\n.red\nm\ny\nwhite \\\nn\nnever\n")
        labels = self.import_model("sort", "--labels", names)
        for arguments in (("--sort", labels), ("--sort", labels, "--model", self.model)):
            shutil.rmtree(self.folder, ignore_errors=True)
            run = subprocess.run([PROGRAM, self.clip, "-o", self.folder, "--every", "200ms",
                                  *arguments], capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertEqual(sorted(os.listdir(self.folder)),
                             [".vitgate-collect", "_.", "_._.._black_", "_red", "white _"])
        shutil.rmtree(self.folder)
        self.collect("--sort", labels, "--threshold", "1", "--every", "200ms")
        self.assertEqual(len(pictures(self.folder)), 4)
        self.assertEqual(sorted(os.listdir(self.folder)), [".vitgate-collect", "doubtful"])

    def test_labels_are_those_of_pictures_seen_as_the_model_was_taught(self):
        clip = f"{self.files.name}/bars.mkv"
        make_clip(clip, smpte75=5)  # gray, yellow, cyan, green, magenta, red, blue
        names = f"{self.files.name}/colours.txt"
        with open(names, "w", encoding="utf-8") as file:
            file.write("\n".join(colour_model.LABELS))
        named = self.import_model("named", "--labels", names)
        entries, metadata = colour_model.read_safetensors(named)
        for fit, label in (("crop", "green"), ("squash", "doubtful")):
            description = json.loads(metadata["vitgate"])
            description["preprocessing"].update(fit=fit, resize=description["image_size"])
            model = f"{self.files.name}/{fit}.safetensors"
            taught_model.write_raw(model, entries, {"vitgate": json.dumps(description)})
            for arguments in (("--sort", model), ("--sort", model, "--model", self.model)):
                shutil.rmtree(self.folder, ignore_errors=True)
                run = subprocess.run([PROGRAM, clip, "-o", self.folder, "--region", "0,0,160,30",
                                      *arguments],
                                     capture_output=True, text=True, timeout=LIMIT)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                (name,) = pictures(self.folder)
                self.assertEqual(os.path.dirname(name), label, arguments)
                self.assertEqual(read_picture(f"{self.folder}/{name}")[:2], (160, 30))

    def test_a_camera_is_watched_until_there_are_enough(self):
        with Server("--user", "eve", "--password", "secret") as server:
            file = f"{self.files.name}/credentials"
            with open(file, "w", encoding="utf-8") as text:
                os.chmod(file, 0o600)
                text.write("eve:secret\n")
            self.collect("--max", "1", "--credentials-file", file, source=server.url)
            (name,) = pictures(self.folder)
            self.assertRegex(name, r"^2\d\d\d-\d\d-\d\dT\d\d-\d\d-\d\d\.\d\d\d\.jpg$")
            run = self.run_program("--max", "1", source=server.url.replace("//", "//eve:wrong@"))
            self.assertEqual(run.returncode, 1)
            self.assertNotIn("wrong", run.stderr)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)

    def test_ctrl_c_ends_it(self):
        with Server() as server:
            with subprocess.Popen([PROGRAM, server.url, "-o", self.folder, "--model", self.model,
                                   "--every", "100ms"], stdout=subprocess.PIPE, text=True) as run:
                while not pictures(self.folder):
                    self.assertIsNone(run.poll())
                run.send_signal(signal.SIGINT)
                output = run.communicate(timeout=LIMIT)[0]
        self.assertEqual(run.returncode, 0)
        self.assertIn("Kept ", output)

    def test_a_full_disk_leaves_no_half_picture(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))

        self.check_error(r"cannot write .*\.jpg: .*", preexec_fn=limit)
        self.assertEqual(os.listdir(self.folder), [".vitgate-collect"])

    def test_bad_input_gives_one_line(self):
        gone = f"{self.files.name}/gone.mkv"
        text = f"{self.files.name}/text.txt"
        with open(text, "w", encoding="utf-8") as file:
            file.write("no clip\n" * 100)
        self.check_error(f"no such file: {re.escape(gone)}", source=gone)
        self.check_error("text.txt: ", source=text)
        self.check_error("is a folder", source=self.files.name)
        self.check_error("nothing.safetensors: no such file", "--model",
                         f"{self.files.name}/nothing.safetensors")
        self.check_error('"1,2,3" has 3 numbers', "--region", "1,2,3")
        self.check_error("reaches beyond the frame of 160x120", "--region", "150,0,20,20")
        self.check_error('--every is "2x"', "--every", "2x")
        self.check_error("exclude each other", "--every", "2s", "--changes")
        self.check_error("--similar is 1.5", "--similar", "1.5")
        self.check_error(r"rtsp://\*\*\*@localhost:1/x: cannot connect to localhost, port 1",
                         source="rtsp://eve:secret@localhost:1/x")
        self.check_error("cannot write to /dev/null/x", "-o", "/dev/null/x")

    def test_the_command_runs_the_program(self):
        path = {**os.environ, "PATH": os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]}
        output = self.collect("--max", "1", program=(COMMAND, "collect"), env=path)
        self.assertIn("Kept 1 of 1", output)
        run = subprocess.run([COMMAND, "help", "collect"], env=path, capture_output=True, text=True)
        self.assertIn("vitgate collect [OPTION…] SOURCE -o DIR", run.stdout)
        run = subprocess.run([COMMAND, "collect"], env={"PATH": "/nowhere"}, capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("needs the program vitgate-collect", run.stderr)


if __name__ == "__main__":
    if not Gst.ElementFactory.find("uridecodebin"):
        sys.exit(77)
    unittest.main(verbosity=2)
