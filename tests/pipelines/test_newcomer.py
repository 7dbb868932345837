"""What a newcomer does first: programs of a checkout that is not installed, and the window.

Environment: see cameras.py.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

from cameras import LIMIT, MODEL, PIPELINES, Gst, make_clip, plain_environment

PLUGIN = os.environ["GST_PLUGIN_PATH_1_0"].split(":")[0]
DEFAULT_MODEL = "deit-tiny-imagenet1k.safetensors"
PROGRAMS = {
    "camera": ["--sink", "fakesink num-buffers=2"], "print-labels": [], "read-metadata.py": [],
    "regions": [], "record-on-label": ["--folder", "/tmp"], "two-cameras-one-model": [],
    "gate-state": [],
}


class Checkout(unittest.TestCase):
    """A copy of pipelines/ with an empty build folder beside it, and without vitgate's plugin."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.clip = f"{self.root}/clip.mkv"
        make_clip(self.clip, black=5)
        shutil.copytree(PIPELINES, f"{self.root}/pipelines",
                        ignore=shutil.ignore_patterns("__pycache__", "watch"))
        os.makedirs(f"{self.root}/models/shipped")
        shutil.copy(MODEL, f"{self.root}/models/shipped/{DEFAULT_MODEL}")

    def run_program(self, name, *arguments, **environment):
        registry = plain_environment()["GST_REGISTRY_1_0"]  # without vitgate
        environment = {**os.environ, "GST_REGISTRY_1_0": registry, **environment}
        for variable in "GST_PLUGIN_PATH", "GST_PLUGIN_PATH_1_0", "VITGATE_MODEL_DIR":
            environment.pop(variable, None)
        return subprocess.run([f"{self.root}/pipelines/{name}", *arguments], env=environment,
                              cwd="/", capture_output=True, text=True, timeout=LIMIT)

    def test_the_next_command_is_said(self):
        build = f"{self.root}/build"
        for name, arguments in PROGRAMS.items():
            more = ["*"] if name == "record-on-label" else []
            run = self.run_program(name, *arguments, self.clip, *more)
            self.assertGreater(run.returncode, 0)
            self.assertEqual(
                run.stderr, f"{name}: vitgate is neither installed nor built. Run: meson setup "
                f"{build} {self.root} && meson compile -C {build}\n")
            self.assertEqual(self.run_program(name, "--help").returncode,
                             name == "read-metadata.py")
        os.makedirs(build)
        open(f"{build}/build.ninja", "w").close()
        self.assertTrue(self.run_program("camera", "--sink", "fakesink", self.clip).stderr
                        .endswith(f"Run: meson compile -C {build}\n"))

    def test_the_build_beside_is_used(self):
        os.makedirs(f"{self.root}/build")
        os.symlink(PLUGIN, f"{self.root}/build/gst-plugin")
        for name in "camera", "print-labels", "read-metadata.py":
            run = self.run_program(name, *PROGRAMS[name], self.clip)
            self.assertEqual(run.returncode, 0, run.stderr)


class Screen:
    """An X server without a screen, until the end of a with-block."""

    def __enter__(self):
        self.server = subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       env=plain_environment())
        number = self.server.stdout.readline().strip()
        if not number:
            self.__exit__()
            raise unittest.SkipTest("Xvfb does not start")
        self.display = ":" + number
        return self

    def __exit__(self, *exception):
        self.server.terminate()
        self.server.wait(LIMIT)
        self.server.stdout.close()

    def windows(self):
        return subprocess.run(["xwininfo", "-root", "-tree", "-display", self.display],
                              capture_output=True, text=True, timeout=LIMIT,
                              env=plain_environment()).stdout


class Window(unittest.TestCase):
    def test_it_is_named_after_the_camera(self):
        for program in "Xvfb", "xwininfo":
            if not shutil.which(program):
                self.skipTest(f"this machine has no {program}")
        if not Gst.ElementFactory.find("ximagesink"):
            self.skipTest("this machine has no ximagesink")
        with tempfile.TemporaryDirectory() as folder, Screen() as screen:
            clip = f'{folder}/a "clip".mkv'
            make_clip(clip, black=10 * 25)
            environment = {**os.environ, "DISPLAY": screen.display}
            environment.pop("WAYLAND_DISPLAY", None)
            camera = subprocess.Popen([f"{PIPELINES}/camera", "--model", MODEL, clip],
                                      env=environment, stderr=subprocess.PIPE, text=True)
            windows = ""
            while camera.poll() is None and " : vitgate" not in windows:
                windows = screen.windows()
            camera.terminate()
            errors = camera.communicate(timeout=LIMIT)[1]
        self.assertIn(f'"{clip} : vitgate"', windows.replace("\\", ""), errors)

    def test_a_missing_sink_is_named_with_its_package(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "DISPLAY": ":99", "GST_REGISTRY_1_0": f"{folder}/registry",
                           "GST_PLUGIN_SYSTEM_PATH_1_0": folder}
            environment.pop("WAYLAND_DISPLAY", None)
            run = subprocess.run([f"{PIPELINES}/camera", "rtsp://127.0.0.1:1/"], env=environment,
                                 capture_output=True, text=True, timeout=LIMIT)
        self.assertRegex(run.stderr, "^camera: .*apt-get install gstreamer1.0-x\n$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
