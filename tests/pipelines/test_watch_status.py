"""vitgate-watch --status: asks a running vitgate-watch. Environment: see watch_case.py."""

import json
import os
import signal
import socket
import stat
import subprocess
import unittest

from cameras import LIMIT
from watch_case import WATCH, Watch, WatchTest


class Status(WatchTest):
    def ask(self, path, *options):
        """Returns exit status, standard output and standard error."""
        result = subprocess.run([WATCH, "--status", *options, path], capture_output=True, text=True,
                                timeout=LIMIT, check=False)
        return result.returncode, result.stdout, result.stderr

    def ask_json(self, path):
        code, text, errors = self.ask(path, "--json")
        self.assertEqual((code, errors, text.count("\n")), (0, "", 1))
        return json.loads(text)

    def assert_not_running(self, path, message):
        code, text, errors = self.ask(path)
        self.assertEqual((code, text, len(errors.splitlines())), (1, "", 1))
        self.assertRegex(errors, f"^vitgate-watch: not running{message}")

    def test_a_running_one_answers(self):
        path = self.configure({"clip": self.endless(), "bad door": {"url": "file:///none"}})
        self.assert_not_running(path, r" \(.*/log.status does not exist\)$")
        with Watch(path) as watch:
            watch.more_frames("clip")
            watch.camera_where("bad door", lambda camera: camera["attempts"] > 1)
            code, text, errors = self.ask(path)
            status = self.ask_json(path)
        self.assertEqual((code, errors), (0, ""))
        self.assertRegex(text, rf"^vitgate-watch \d\S+, process {watch.process.pid}, since \d")
        self.assertRegex(text, r"(?m)^  clip      playing, \d+\.\d frames/s, \d+ % compute, "
                               r"class \d \d+ %; "
                               r"frames: \d+, skipped: 0")
        self.assertRegex(text, r"(?m)^  bad door  (waiting|connecting) since \d.* "
                               r"\(failed attempts: \d+\); frames: 0, skipped: 0\n +.*No such file")
        self.assertRegex(text, r"(?m)^events: \d+ lines written$")
        self.assertEqual(status["pid"], watch.process.pid)
        self.assertEqual([camera["name"] for camera in status["cameras"]], ["clip", "bad door"])
        self.assertGreater(status["cameras"][0]["frames"], 0)
        self.assertEqual(status["events"]["lines"], 2)
        self.assertEqual(json.loads(watch.status.lines[0])["since"], status["since"])
        self.assert_not_running(path, " ")

    def test_only_its_user_may_ask(self):
        with Watch(self.configure({"clip": self.endless()})) as watch:
            watch.more_frames("clip", 1)
            mode = os.stat(self.path("log.status")).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertFalse(os.path.exists(self.path("log.status")))

    def test_one_that_was_killed(self):
        path = self.configure({"clip": self.endless()})
        watch = Watch(path)
        watch.more_frames("clip", 1)
        watch.kill()
        self.assert_not_running(path, "; it was killed or has crashed")
        with Watch(path) as watch:
            watch.more_frames("clip", 1)
            self.assertEqual(self.ask_json(path)["pid"], watch.process.pid)

    def test_several(self):
        cameras = {"clip": self.endless()}
        one = self.configure(cameras)
        os.rename(one, self.path("one.conf"))
        self.log = self.path("other.jsonl")
        other = self.configure(cameras)
        with Watch(self.path("one.conf")) as first, Watch(other) as second:
            first.more_frames("clip", 1)
            second.more_frames("clip", 1)
            self.assertEqual(self.ask_json(self.path("one.conf"))["pid"], first.process.pid)
            self.assertEqual(self.ask_json(other)["pid"], second.process.pid)

    def test_two_with_the_same_file(self):
        """The first one answers."""
        path = self.configure({"clip": self.endless()})
        with Watch(path) as first:
            first.more_frames("clip", 1)
            with Watch(path) as second:
                second.message("--status is not available: .*: another vitgate-watch uses it")
            self.assertEqual(self.ask_json(path)["pid"], first.process.pid)

    def test_another_file_is_not_replaced(self):
        path = self.configure({"clip": self.endless()})
        self.write("log.status", "precious")
        with Watch(path) as watch:
            watch.message("--status is not available: .*log.status: exists and is not a socket")
            watch.more_frames("clip", 1)
        with open(self.path("log.status"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_clients_that_do_not_read(self):
        path = self.configure({"clip": self.endless()})
        with Watch(path) as watch:
            watch.more_frames("clip", 1)
            clients = [socket.socket(socket.AF_UNIX) for _ in range(5)]
            for client in clients:
                client.connect(self.path("log.status"))
            self.assertEqual(self.ask_json(path)["pid"], watch.process.pid)
            for client in clients:
                client.close()
            self.assertEqual(self.ask_json(path)["pid"], watch.process.pid)

    def test_the_key_file_may_be_wrong_by_now(self):
        cameras = {"clip": self.endless()}
        path = self.configure(cameras)
        with Watch(path) as watch:
            watch.more_frames("clip", 1)
            cameras["clip"]["threshold"] = 7
            cameras["clip"]["credentials-file"] = "/none"
            self.configure(cameras)
            self.assertEqual(self.ask_json(path)["pid"], watch.process.pid)

    def test_reload_changes_the_socket(self):
        cameras = {"clip": self.endless()}
        path = self.configure(cameras)
        with Watch(path) as watch:
            watch.more_frames("clip", 1)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.write("watch.conf", text.replace("[watch]\n", "[watch]\nstatus-socket=run/x\n"))
            self.assertRegex(watch.reload(), "reloaded")
            self.assertEqual(self.ask_json(path)["pid"], watch.process.pid)
        self.assertEqual(os.listdir(self.path("run")), [])

    def test_control_characters_do_not_reach_the_terminal(self):
        labels = self.write("labels", "class\x1b[2J\n" * 10)
        path = self.configure({"clip": self.endless(**{"model-labels": labels})})
        with Watch(path) as watch:
            watch.more_frames("clip", 1)
            text = self.ask(path)[1]
        self.assertRegex(text, r"class.\[2J")
        self.assertNotIn("\x1b", text)

    def test_without_a_place_for_the_socket(self):
        path = self.write("watch.conf", "[camera a]\nurl=rtsp://a/\n")
        self.assertRegex(self.ask(path)[2], r"has no log and no spool; set \[watch\] status-socket")
        self.assertRegex(self.ask(self.path("none"))[2], "none.*No such file")
        self.assertRegex(self.ask(self.write("secret", "eve:secret\n"))[2],
                         r"^vitgate-watch: .*secret: is not a key file \(see --check\)$")

    def test_one_that_hangs(self):
        """It does not answer, and whoever asks does not hang with it."""
        path = self.configure({"clip": self.endless()})
        with Watch(path) as watch:
            watch.more_frames("clip", 1)
            watch.process.send_signal(signal.SIGSTOP)
            try:
                code, _, errors = self.ask(path)
            finally:
                watch.process.send_signal(signal.SIGCONT)
        self.assertEqual(code, 1)
        self.assertRegex(errors, "no answer within 5 s")


if __name__ == "__main__":
    unittest.main(verbosity=2)
