"""Shared by the tests of vitgate-watch: the program with its status, lines and messages, and clips.

Environment: see cameras.py; VITGATE_WATCH is the program.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from cameras import LIMIT, MODEL, make_clip

WATCH = os.environ["VITGATE_WATCH"]
# Short waits for tests.
QUICK = {"model": MODEL, "retry-least": 0.05, "retry-most": 0.3, "latency": 0.05}


class Reader:
    """Reads all lines of a pipe, to wait for one."""

    def __init__(self, pipe):
        self.pipe, self.lines, self.changed = pipe, [], threading.Condition()
        self.over = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.pipe:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def wait_for(self, wanted, since=0):
        """Waits for a line that is wanted(), starting at number since, and returns it."""
        with self.changed:
            def find():
                nonlocal since
                for since in range(since, len(self.lines)):
                    if wanted(self.lines[since]):
                        return self.lines[since]
                since = len(self.lines)
                return self.over and "over"

            found = self.changed.wait_for(find, LIMIT)
            if not found or found == "over":
                raise AssertionError("not found in: " + "\n".join(self.lines[-20:]))
            return found


class Watch:
    """vitgate-watch, until the end of a with-block, which stops it with SIGTERM."""

    def __init__(self, path, command=(), preexec_fn=None, **environment):
        self.process = subprocess.Popen(
            [*command, WATCH, "--json", "--interval", "0.05", path], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=preexec_fn,
            env={**os.environ, **environment})
        self.status, self.messages = Reader(self.process.stdout), Reader(self.process.stderr)

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.wait()
        if kind is None:
            assert status == 0, (status, self.messages.lines[-20:])

    def wait(self):
        """Waits until it ends. Returns its exit status."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for reader in self.status, self.messages:
            reader.thread.join(LIMIT)
            reader.pipe.close()
        return status

    def kill(self):
        self.process.kill()
        self.wait()

    def reload(self):
        """Reloads the key file. Returns the message about it."""
        since = len(self.messages.lines)
        self.process.send_signal(signal.SIGHUP)
        return self.messages.wait_for(
            lambda line: "reloaded" in line or "keeping the old" in line, since)

    def message(self, pattern, since=0):
        return self.messages.wait_for(re.compile(pattern).search, since)

    def status_where(self, wanted):
        """Waits for the next status that is wanted(), and returns it."""
        line = self.status.wait_for(lambda line: wanted(json.loads(line)),
                                    len(self.status.lines))
        return json.loads(line)

    def camera_where(self, name, wanted):
        def of(status):
            return next((c for c in status["cameras"] if c["name"] == name), None)

        return of(self.status_where(lambda status: of(status) and wanted(of(status))))

    def more_frames(self, name, count=3):
        """Waits until a camera has count more frames."""
        now = self.camera_where(name, lambda camera: True)["frames"]
        return self.camera_where(name, lambda camera: camera["frames"] >= now + count)


class WatchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vitgate-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = self.path("log.jsonl")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def configure(self, cameras, mqtt=None, log=(), **defaults):
        """Writes watch.conf, returns its path. cameras: keys by name; log: more keys, or None."""
        groups = {"watch": {"sync-interval": 0.2}, "defaults": {**QUICK, **defaults}}
        if log is not None:
            groups["log"] = {"file": self.log, "frames": "all", **dict(log)}
        if mqtt:
            groups["mqtt"] = mqtt
        for name, keys in cameras.items():
            groups[f"camera {name}"] = keys
        text = ""
        for group, keys in groups.items():
            text += f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
        return self.write("watch.conf", text)

    def clip(self, frames):
        """Returns the URL of a clip, which is made once: a camera may be playing it."""
        path = self.path(f"clip-{frames}.mkv")
        if not os.path.exists(path):
            make_clip(path, ball=frames)
        return "file://" + path

    def endless(self, frames=100, **keys):
        """Returns the keys of a camera that never ends: a clip in a loop."""
        return {"url": self.clip(frames), "real-time": "true", "repeat": "true", **keys}

    def read_log(self, path=None):
        """Returns all lines, and checks that each is complete."""
        with open(path or self.log, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.endswith("\n") or not text)
        return [json.loads(line) for line in text.splitlines()]

    def events(self, name=None):
        return [line["event"] for line in self.read_log()
                if "event" in line and name in (None, line["stream_id"])]

    def frames(self, name=None):
        return [line for line in self.read_log()
                if "frame" in line and name in (None, line["stream_id"])]
