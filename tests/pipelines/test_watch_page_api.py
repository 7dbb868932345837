"""The HTTP API of vitgate-watch: cameras, system, events as they happen, metrics, settings.
Environment: see watch_case.py."""

import json
import os
import re
import signal
import socket
import subprocess
import unittest

from cameras import LIMIT, MODEL
from page_client import Browser, page_url, read_event
from test_watch_page import PageTest
from watch_case import WATCH, Watch

SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$')


def parse_metrics(text):
    """Returns the value of each sample, by (name, labels), and checks the format."""
    values, types, helped = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            name, labels, value = SAMPLE.match(line).groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if name not in types else name
            assert base in types and base in helped, line
            assert types[base] != "counter" or name.endswith("_total"), line
            assert (name, labels) not in values, line
            values[name, labels] = float(value)
    return values


class Api(PageTest):
    def test_cameras_and_system(self):
        # So long that it does not begin anew meanwhile, when no camera plays.
        cameras = {"yard": self.endless(frames=1000),
                   'a <b>': {"url": "http://127.0.0.1:9/?password=hush"}}
        path = self.configure_page(cameras)
        with open(path, "a", encoding="utf-8") as file:
            file.write("[look gate]\ncamera=yard\nregion=25%,0,50%,50%\n")
        with Watch(path) as watch:
            browser = Browser(page_url(watch))
            watch.more_frames("yard")
            watch.camera_where("a <b>", lambda camera: camera["last_error"])
            answer = browser.get("/api/v1/cameras")
            yard = browser.get("/api/v1/cameras/yard").json
            odd = browser.get("/api/v1/cameras/a%20%3Cb%3E").json
            system = browser.get("/api/v1/system")
            missing = browser.get("/api/v1/cameras/none")
            metrics = browser.get("/metrics")
            health = browser.get("/healthz")
        self.assertEqual([c["name"] for c in answer.json["cameras"]], ["yard", "a <b>"])
        self.assertEqual((yard["state"], yard["last_error"]), ("playing", None))
        self.assertGreater(yard["frames"], 0)
        self.assertLess(yard["age_seconds"], LIMIT)
        self.assertGreater(yard["width"], 0)
        self.assertEqual(yard["looks"][0]["region"], [0.25, 0, 0.5, 0.5])
        self.assertGreater(yard["looks"][0]["latency_ms"], 0)
        self.assertEqual((odd["age_seconds"], odd["width"], odd["looks"]), (None, None, []))
        self.assertEqual(missing.error, 'there is no camera "none"')
        self.assertEqual(system.json["models"][0]["path"], MODEL)
        # The other one has it too while it tries to connect.
        self.assertIn("yard", system.json["models"][0]["cameras"])
        self.assertEqual(system.json["models"][0]["classes"], 10)
        self.assertEqual(system.json["mqtt"], None)
        self.assertTrue(any("yard: connected" in line for line in system.json["messages"]))
        self.assertEqual((health.status, health.body), (200, b"ok\n"))
        for text in answer, system, metrics:
            self.assertNotIn(b"hush", text.body)

    def test_metrics(self):
        path = self.configure_page({"yard": self.endless(), "dead": {"url": "file:///none"}})
        with Watch(path) as watch:
            browser = Browser(page_url(watch))
            watch.more_frames("yard")
            first = parse_metrics(browser.get("/metrics").body.decode())
            watch.more_frames("yard")
            answer = browser.get("/metrics")
        last = parse_metrics(answer.body.decode())
        self.assertEqual(answer.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        yard = 'camera="yard"'
        self.assertGreater(last["vitgate_frames_total", yard], first["vitgate_frames_total", yard])
        self.assertEqual(last["vitgate_camera_playing", 'camera="dead"'], 0)
        labels = 'camera="yard",look=""'
        count = last["vitgate_inference_seconds_count", labels]
        self.assertEqual(count, last["vitgate_inferences_total", labels])
        self.assertEqual(count, last["vitgate_inference_seconds_bucket", labels + ',le="+Inf"'])
        self.assertGreater(last["vitgate_gmacs_total", labels], 0)
        self.assertGreater(last["vitgate_log_lines_total", None], 0)

    def test_health_says_when_no_camera_plays(self):
        with Watch(self.configure_page()) as watch:
            answer = Browser(page_url(watch)).get("/healthz")
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.body, b"none of 1 cameras is playing\n")

    def test_two_browsers_get_what_changes(self):
        path = self.configure_page({"yard": self.endless(), "dead": {"url": "file:///none"}})
        with Watch(path) as watch:
            browser = Browser(page_url(watch))
            watch.more_frames("yard")
            streams = [browser.open("GET", "/api/v1/stream") for _ in range(2)]
            for _, response in streams:
                self.assertEqual(response.headers["Content-Type"], "text/event-stream")
                first = read_event(response, "cameras")["cameras"]
                self.assertEqual([camera["name"] for camera in first], ["yard", "dead"])
                yard = []
                while not yard:
                    yard = [camera for camera in read_event(response, "cameras")["cameras"]
                            if camera["name"] == "yard"]
                self.assertGreaterEqual(yard[0]["frames"], first[0]["frames"])
            self.assertIn(b"vitgate_page_streams 2\n", browser.get("/metrics").body)
            watch.process.send_signal(signal.SIGHUP)
            for _, response in streams:
                read_event(response, "reload")
            for connection, response in streams:
                response.close()
                connection.close()
            while b"vitgate_page_streams 0\n" not in browser.get("/metrics").body:
                watch.status_where(lambda status: True)

    def test_a_frame_is_sent_soon(self):
        dead = {"url": "file:///none", "retry-least": 600, "retry-most": 600}
        path = self.configure_page({"yard": self.endless(frames=1000), "dead": dead})
        with Watch(path) as watch:
            watch.more_frames("yard")
            watch.camera_where("dead", lambda camera: camera["state"] == "waiting")
            connection, response = Browser(page_url(watch)).open("GET", "/api/v1/stream")
            self.assertEqual(len(read_event(response, "cameras")["cameras"]), 2)
            updates = [read_event(response, "cameras")["cameras"] for _ in range(30)]
            connection.close()
        # The other one has not changed; or perhaps its frame rate has just been measured.
        self.assertLessEqual(sum(len(cameras) for cameras in updates), 31)
        counts = [cameras[0]["frames"] for cameras in updates]
        steps = sorted(after - before for before, after in zip(counts, counts[1:]))
        # Of 25 per second; a busy machine may be late now and then.
        self.assertLessEqual(steps[len(steps) // 2], 3, steps)

    def test_a_slow_client_gets_the_newest(self):
        path = self.configure_page({f"yard {i}": self.endless(frames=1000) for i in range(4)})
        with open(path, "a", encoding="utf-8") as file:
            for i in range(24):
                file.write(f"[look gate {i}]\ncamera=yard {i % 4}\nregion=0,0,50%,50%\n")
        with Watch(path) as watch, socket.socket() as client:
            browser = Browser(page_url(watch))
            watch.more_frames("yard 0")
            # Frames of all cameras, 100 per second, go together, 25 times per second.
            connection, response = browser.open("GET", "/api/v1/stream")
            begin = last = read_event(response, "cameras")["cameras"][0]["frames"]
            count = 0
            while last < begin + 50:
                count += 1
                last = max([last] + [camera["frames"] for camera in
                                     read_event(response, "cameras")["cameras"]
                                     if camera["name"] == "yard 0"])
            self.assertLess(count, 75)
            connection.close()
            client.settimeout(LIMIT)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((browser.host, browser.port))
            client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            # All of this would be more than may wait for a client.
            watch.more_frames("yard 0", 100)
            now = browser.get("/api/v1/cameras/yard%200").json["frames"]
            size = seen = 0
            with client.makefile("rb") as stream:
                while seen < now:
                    line = stream.readline()
                    self.assertTrue(line, "it was dropped")
                    size += len(line)
                    if line.startswith(b"data: "):
                        seen = max([seen] + [camera["frames"] for camera in
                                             json.loads(line[6:])["cameras"]
                                             if camera["name"] == "yard 0"])
        self.assertLess(size, 256 << 10)

    def test_settings_apply_at_once(self):
        with Watch(self.configure_page({"yard": self.endless(**{"temporal": "off"})})) as watch:
            browser, path = Browser(page_url(watch)), "/api/v1/cameras/yard/settings"
            watch.more_frames("yard")

            def reused():
                metrics = parse_metrics(browser.get("/metrics").body.decode())
                return metrics["vitgate_results_reused_total", 'camera="yard",look=""']

            self.assertEqual(reused(), 0)
            settings = {s["key"]: s for s in browser.get(path).json["settings"]}
            self.assertEqual(settings["compute"]["value"], None)
            self.assertEqual(settings["temporal"]["value"], "off")
            self.assertEqual(settings["temporal"]["choices"], ["off", "auto", "on"])
            answer = browser.ask("PATCH", path, {"compute": 1, "threshold": 0.7,
                                                  "reuse-threshold": 1, "max-age": 0})
            self.assertEqual(answer.status, 200)
            changed = {s["key"]: s["value"] for s in answer.json["settings"]}
            self.assertEqual((changed["compute"], changed["threshold"]), (1, 0.7))
            self.assertAlmostEqual(changed["keep-threshold"], 0.56)
            while reused() <= 2:
                watch.more_frames("yard")
            for body, message in (({"compute": 2}, "compute: expected a number from 0 to 1"),
                                  ({"colour": 1}, "colour: is no setting"),
                                  ({"temporal": "so"}, "temporal: expected one of"),
                                  ({"keep-threshold": 0.9}, "keep-threshold: 0.9 is greater"),
                                  ({"compute": [1]}, "compute: expected a number")):
                answer = browser.ask("PATCH", path, body)
                self.assertEqual((answer.status, answer.error[:len(message)]), (400, message))
            self.assertEqual(browser.get(path + "?look=none").status, 404)
            self.assertEqual(browser.get("/api/v1/cameras/none/settings").status, 404)

    def test_settings_are_saved_and_nothing_else_changes(self):
        start = self.configure_page({"yard": self.endless()})
        with open(start, encoding="utf-8") as file:
            text = file.read()
        text = "# mine\n\n" + text.replace("[camera yard]\n", "[camera yard]\r\n# odd\nthreshold = "
                                                              " 0.5\n") + "\n# end"
        self.write("watch.conf", text, 0o640)
        with Watch(start) as watch:
            browser, path = Browser(page_url(watch)), "/api/v1/cameras/yard/settings"
            save = path + "/save"
            self.assertEqual(browser.ask("POST", save).status, 204)
            with open(start, encoding="utf-8", newline="") as file:
                self.assertEqual(file.read(), text)
            browser.ask("PATCH", path, {"threshold": 0.25, "keep-threshold": 0.125,
                                        "latency-budget": 2})
            self.assertEqual(browser.ask("POST", save).status, 204)
            with open(start, encoding="utf-8", newline="") as file:
                saved = file.read()
            browser.ask("PATCH", path, {"threshold": 0.5, "keep-threshold": 0.125})
            self.assertEqual(browser.ask("POST", save).status, 204)
            with open(start, encoding="utf-8", newline="") as file:
                self.assertIn("\nthreshold=0.5\r\n", file.read())
            self.assertIn("reloaded", watch.reload())
            self.assertEqual(browser.ask("POST", save).status, 204)
            with open(start, "a", encoding="utf-8") as file:
                file.write("\n# another hand")
            answer = browser.ask("POST", save)
            self.assertEqual((answer.status, "was changed after" in answer.error), (409, True))
        lines, former = saved.split("\n"), text.split("\n")
        self.assertEqual([line for line in former if line not in lines], ["threshold =  0.5"])
        self.assertEqual([line.rstrip("\r") for line in lines if line not in former],
                         ["threshold=0.25", "latency-budget=2", "keep-threshold=0.125"])
        self.assertEqual(os.stat(start).st_mode & 0o777, 0o640)

    def test_urls_are_watched_without_a_key_file(self):
        clip = self.clip(60)
        environment = {**os.environ, "XDG_STATE_HOME": self.folder}
        conf = self.path("vitgate-watch/page.conf")
        command = [WATCH, "--page", clip, "http://eve:hush@127.0.0.1:9/v?password=hush"]
        # The port may be taken on the machine of the test, so the file says another one.
        subprocess.run([*command, "--version"], check=True, capture_output=True)
        for expected in "8470", "0":
            with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  text=True, env=environment) as process:
                line = ""
                while "page:" not in line and process.poll() is None:
                    line = process.stderr.readline()
                if expected == "0":
                    url = re.search(r"http://\S+(?=/\n)", line)[0]
                    answer = Browser(url).get("/api/v1/cameras")
                process.terminate()
                rest = process.communicate()[1]
            with open(conf, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("listen=127.0.0.1:" + expected, text)
            with open(conf, "w", encoding="utf-8") as file:
                file.write(text.replace("127.0.0.1:8470", "127.0.0.1:0"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            with open(conf, "w", encoding="utf-8") as file:
                file.write(text.replace("127.0.0.1:0", address))
            refused = subprocess.run(command, capture_output=True, text=True, env=environment,
                                     check=False, timeout=LIMIT)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"another program uses port {address.split(':')[1]}", refused.stderr)
        self.assertEqual([c["name"] for c in answer.json["cameras"]], ["camera1", "127.0.0.1"])
        self.assertNotIn(b"hush", answer.body)
        self.assertNotIn("hush", rest)
        self.assertNotIn("eve:", text)
        self.assertEqual(os.stat(conf).st_mode & 0o777, 0o600)
        with open(self.path("vitgate-watch/127.0.0.1.secret"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "eve:hush\n")
        for arguments, message in ((["--page"], "expected URLs"),
                                   (["--page", "/none"], "/none: is neither"),
                                   (["--page", "--check", clip], "--page excludes")):
            result = subprocess.run([WATCH, *arguments], capture_output=True, text=True,
                                    env=environment, check=False, timeout=LIMIT)
            self.assertIn(message, result.stderr)
            self.assertNotEqual(result.returncode, 0)


if __name__ == "__main__":
    unittest.main()
