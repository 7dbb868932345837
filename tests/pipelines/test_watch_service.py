"""The systemd unit of vitgate-watch: it is valid and strict, and what it forbids is not needed.

Environment: see watch_case.py; VITGATE_UNIT, the unit.
"""

import ctypes
import os
import re
import shutil
import subprocess
import unittest

from cameras import Server, make_clip
from watch_case import WATCH, Watch, WatchTest

UNIT = os.environ["VITGATE_UNIT"]
ANALYZE = shutil.which("systemd-analyze")
EPERM = 1
ALLOW, FORBID = 0x7fff0000, 0x00050000 | EPERM  # of libseccomp
PR_SET_MDWE, PR_SET_NO_NEW_PRIVS = 65, 38


def analyze(*arguments):
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)


def read_unit():
    """Returns the values of each key, and the text."""
    values = {}
    with open(UNIT, encoding="utf-8") as file:
        text = file.read()
    for key, value in re.findall(r"(?m)^(\w+)=(.*)$", text):
        values.setdefault(key, []).append(value)
    return values, text


def calls_of(group):
    """Returns the system calls of a group of systemd's, such as @privileged."""
    calls = set()
    for line in analyze("syscall-filter", group).stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            calls |= calls_of(name)
        elif name and not name.startswith("#"):
            calls.add(name)
    return calls


def allowed_calls():
    allowed = calls_of("@default")
    for value in read_unit()[0]["SystemCallFilter"]:
        for group in value.lstrip("~").split():
            if value.startswith("~"):
                allowed -= calls_of(group)
            else:
                allowed |= calls_of(group)
    return allowed


class Filter:
    """Forbids system calls, and memory that is writable and executable, as systemd does. To be
    called between fork and exec."""

    def __init__(self, allowed):
        self.libc = ctypes.CDLL(None)
        self.seccomp = ctypes.CDLL("libseccomp.so.2")
        self.seccomp.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.seccomp.seccomp_init(ctypes.c_uint32(FORBID)))
        for name in allowed:
            number = self.seccomp.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:
                self.seccomp.seccomp_rule_add(self.context, ctypes.c_uint32(ALLOW), number, 0)

    def __call__(self):
        self.libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # fails before Linux 6.3
        self.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if self.seccomp.seccomp_load(self.context):
            raise OSError("seccomp_load")


@unittest.skipUnless(ANALYZE, "systemd-analyze is not installed")
class Unit(WatchTest):
    def test_it_is_valid(self):
        _, text = read_unit()
        programs = re.findall(r"(?m)^Exec\w+=(\S+/vitgate-watch)", text)
        path = self.write("vitgate-watch.service", text.replace(programs[0], WATCH))
        result = analyze("verify", path)
        lines = [line for line in result.stderr.splitlines() if path in line or "watch" in line]
        self.assertEqual((result.returncode, lines), (0, []))

    def test_its_exposure_is_low(self):
        result = analyze("security", "--offline=true", "--no-pager", UNIT)
        found = re.search(r"Overall exposure level.*: ([\d.]+)", result.stdout)
        if not found:
            self.skipTest(f"systemd-analyze cannot tell: {result.stderr.strip()}")
        self.assertLessEqual(float(found[1]), 2.0)

    def test_cameras_and_clips_work_with_its_filters(self):
        try:
            forbid = Filter(allowed_calls())
        except OSError as error:
            self.skipTest(f"no libseccomp: {error}")
        make_clip(self.path("clip.mkv"), ball=10)
        with Server() as server:
            path = self.configure({"camera": {"url": server.url},
                                   "clip": {"url": "file://" + self.path("clip.mkv")}})
            with Watch(path, preexec_fn=forbid) as watch:
                watch.more_frames("camera", 10)
                watch.camera_where("clip", lambda camera: camera["state"] == "ended")
        for line in watch.messages.lines:
            self.assertRegex(line, ": connected$")
        self.assertEqual(len(self.frames("clip")), 10)

    def test_the_filters_forbid(self):
        """What the test above rests on."""
        try:
            forbid = Filter(allowed_calls() - {"mkdir"})
        except OSError as error:
            self.skipTest(f"no libseccomp: {error}")
        result = subprocess.run(["mkdir", self.path("new")], preexec_fn=forbid, text=True,
                                stderr=subprocess.PIPE, check=False)
        self.assertIn("Operation not permitted", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
