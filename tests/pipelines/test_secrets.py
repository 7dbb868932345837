"""No program prints or stores a password, whatever is wrong with a URL, and text from outside
reaches a terminal without control characters. Environment: see watch_case.py."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import unittest

from cameras import LIMIT, MODEL, PIPELINES, Server, run_program
from watch_case import WATCH, Watch, WatchTest

sys.path.insert(0, PIPELINES)
import terminal  # noqa: E402

SECRET = "hunter2"
# URLs of all forms in which cameras take a password, and mistakes in them.
BAD_URLS = [f"rtsp://eve:{SECRET}@127.0.0.1:1/x", f"rtsp://eve:{SECRET} @127.0.0.1:1/",
            f"rtsp://eve:{SECRET}/@127.0.0.1:1/", f"rtsp://eve:{SECRET}@127.0.0.1:port/",
            f"rtsp:/eve:{SECRET}@127.0.0.1/", f"rtsp:///eve:{SECRET}@127.0.0.1/",
            f"eve:{SECRET}@127.0.0.1/", f"foo://eve:{SECRET}@127.0.0.1/",
            f"rtsp://127.0.0.1:99999/?user=eve&password={SECRET}", f"rtsp:?password={SECRET}"]
UNREACHABLE = [f"rtsp://127.0.0.1:1/x?user=eve&password={SECRET}",
               f"rtsp://127.0.0.1:1/user=eve&password={SECRET}&channel=1",
               f"rtspt://eve:{SECRET}@127.0.0.1:1/"]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers /STATUS/… with that status, and its Location with the request's secret."""

    def do_GET(self):
        self.send_response(int(self.path.split("/")[1]), f"no {SECRET.upper()}")
        self.send_header("Location", f"http://127.0.0.1:1/?password={SECRET}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Hidden(WatchTest):
    def all_output(self, result):
        """Returns everything that a run wrote: its output, and all files but the key file."""
        text = result.stdout + result.stderr
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if name not in ("watch.conf", "secret"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        text += file.read()
        return text

    def test_a_key_file_with_mistakes(self):
        texts = [f"[camera a]\nurl={url}\n" for url in BAD_URLS]
        texts += [f"[camera a]\nurl=rtsp://a/\n{line}\n" for line in (
            f"credentials-env=eve:{SECRET}", f"credentials-file=eve:{SECRET}", f"eve:{SECRET}",
            f"rtsp://eve:{SECRET}@a/", f"rtsp://eve:{SECRET}@a/?x=y")]
        texts += [f"[camera rtsp://eve:{SECRET}@a/]\nurl=rtsp://a/\n",
                  "[camera a]\nurl=rtsp://a/\n[mqtt]\nspool=spool\n"
                  f"host=mqtt://eve:{SECRET}@a\n"]
        for text in texts:
            path = self.write("watch.conf", text)
            with self.subTest(text):
                result = subprocess.run([WATCH, path], capture_output=True, text=True,
                                        timeout=LIMIT, check=False)
                self.assertEqual(result.returncode, 1, result)
                self.assertIn("vitgate-watch: ", result.stderr)
                self.assertNotIn(SECRET, self.all_output(result))

    def test_cameras_that_fail(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = UNREACHABLE[:2] + [
            f"http://127.0.0.1:{server.server_port}/{status}/x?password={SECRET}"
            for status in (302, 401, 403, 404, 500)]
        self.write("secret", f"eve:{SECRET}\n", 0o600)
        with Server() as rtsp:
            urls += [f"{rtsp.url}x?password={SECRET}", f"{rtsp.url}/user=eve&password={SECRET}"]
            cameras = {str(i): {"url": url, "credentials-file": "secret"}
                       for i, url in enumerate(urls)}
            path = self.configure(cameras, mqtt={
                "host": "127.0.0.1", "port": 1, "spool": self.path("spool"), "frames": "all",
                "credentials-file": "secret"})
            with Watch(path) as watch:
                for name in cameras:
                    watch.message(f"camera {name}, .*; next attempt")
                watch.message("MQTT broker")
                for name in cameras:
                    watch.camera_where(name, lambda camera: camera["last_error"])
        server.shutdown()
        server.server_close()
        result = subprocess.CompletedProcess((), 0, "\n".join(watch.status.lines),
                                             "\n".join(watch.messages.lines))
        self.assertNotIn(SECRET, self.all_output(result))

    def test_programs(self):
        options = "--model", MODEL, "--sink", "fakesink"
        runs = [("camera", [*options, url]) for url in BAD_URLS[:4] + UNREACHABLE]
        runs += [("camera", ["a", BAD_URLS[1]]), ("record-on-label", [BAD_URLS[2], "*"]),
                 ("two-cameras-one-model", ["--none", BAD_URLS[0]]),
                 ("gate-state", ["--lead", BAD_URLS[1], "a"])]
        for program, arguments in runs:
            with self.subTest(f"{program} {arguments}"):
                result = run_program(program, *arguments)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(program, result.stderr)
                self.assertNotIn(SECRET, result.stdout + result.stderr)

    def test_the_rules_are_those_of_the_watcher(self):
        with open(os.path.join(os.path.dirname(__file__), "watch-secrets.c"),
                  encoding="utf-8") as file:
            rows = re.findall(r'^  \{ "(.*)", "(.*)" \},$', file.read(), re.MULTILINE)
        self.assertGreater(len(rows), 15)
        for url, shown in rows:
            if not url.startswith(("file:", "v4l2:")):
                self.assertEqual(terminal.hide_url(url), shown)
                self.assertEqual(terminal.hide(f'"{url}"'.replace(" ", "")),
                                 f'"{shown}"'.replace(" ", ""))


class Terminal(WatchTest):
    LABEL = "\x1b[31mcat\x9b2J\u202etac\u2066\x7f"

    def labels(self):
        return self.write("labels.txt", f"{self.LABEL}\n" * 10)

    def test_python_cleans_text(self):
        self.assertEqual(terminal.clean(self.LABEL + "\n\udcff"), " [31mcat 2J tac")

    def test_labels_in_status_log_and_json(self):
        path = self.configure({"clip": {"url": self.clip(20), "model-labels": self.labels()}})
        terminal_end, other_end = os.openpty()
        with subprocess.Popen([WATCH, "--json", "--interval", "0.05", path], stderr=other_end,
                              stdout=subprocess.PIPE, text=True) as process:
            os.close(other_end)
            status = process.stdout.read()
            shown = b""
            try:
                while text := os.read(terminal_end, 1000):
                    shown += text
            except OSError:  # the other end is closed
                pass
        os.close(terminal_end)
        with open(self.log, encoding="utf-8") as file:
            log = file.read()
        self.assertIsNone(UNSAFE.search(status + log))
        self.assertEqual(json.loads(status.splitlines()[-1])["cameras"][0]["label"], self.LABEL)
        self.assertEqual(self.frames()[0]["results"][0]["label"], self.LABEL)
        self.assertIsNone(UNSAFE.search(re.sub("\r\n|\r\x1b\\[K", "", shown.decode())))

    def test_labels_in_the_status_line(self):
        path = self.configure({"clip": {"url": self.clip(200), "model-labels": self.labels(),
                                        "real-time": "true"}})
        terminal_end, other_end = os.openpty()
        with subprocess.Popen([WATCH, "--interval", "0.05", path], stderr=other_end,
                              stdout=subprocess.DEVNULL) as process:
            os.close(other_end)
            shown = ""
            while "tac" not in shown:
                shown += os.read(terminal_end, 1000).decode()
            process.terminate()
        os.close(terminal_end)
        self.assertIn(" [31mcat 2J tac", shown)
        self.assertIsNone(UNSAFE.search(re.sub("\r\n|\r\x1b\\[K", "", shown)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
