"""vitgate-watch as a program: key file, signals, service manager and full disks. Environment: see
watch_case.py."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from cameras import LIMIT, MODEL, PIPELINES, Gst, make_clip
from watch_case import WATCH, Watch, WatchTest

GATED = os.environ["VITGATE_TEST_GATED_MODEL"]
SHIPPED = os.path.join(PIPELINES, "../models/shipped")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
EXAMPLE = os.path.join(PIPELINES, "watch/vitgate-watch.conf")


def run(*arguments, **environment):
    return subprocess.run([WATCH, *arguments], capture_output=True, text=True, timeout=LIMIT,
                          check=False, env={**os.environ, **environment})


class CommandLine(WatchTest):
    def test_a_valid_key_file(self):
        result = run("--check", self.configure({"a": {"url": "rtsp://a/"}}))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("watch.conf: OK; cameras: 1", result.stdout)

    def check_wrong(self, text, message):
        for arguments in ["--check"], []:
            result = run(*arguments, self.write("watch.conf", text))
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertRegex(result.stderr, message)

    def test_invalid_key_files(self):
        self.check_wrong("[camera a]\nurl=rtsp://a/\ncolour=red\n",
                         rf"^({TIME})?vitgate-watch: .*watch.conf: \[camera a\] colour: "
                         "unknown key")
        self.check_wrong("[camera a]\nurl=rtsp://a/\n[log]\nfile=watch.conf/x\n",
                         r"watch.conf: \[log\] file: .* is not a folder")
        self.check_wrong("", "no cameras")

    def check_label(self, label, message, **keys):
        text = f"[camera a]\nurl=rtsp://a/\nlabels={label}\n"
        self.check_wrong(text + "".join(f"{key}={value}\n" for key, value in
                                        {"model": MODEL, **keys}.items()), message)

    def test_labels_that_the_model_does_not_have(self):
        self.check_label("class 2; clas 3", r"watch.conf: \[camera a\] labels: \"clas 3\" is not a "
                         r'label of the model \(nearest: "class 3"\)$')
        self.check_label("person", '"person" is not a label of the model, and none of its 10 '
                         "labels is similar")
        labels = self.write("labels.txt", "".join(f"{i}\n" for i in range(10)))
        self.check_label("cat", r"only numbers from 0 to 9 \(set model-labels\)",
                         **{"model-labels": labels})

    def test_labels_of_a_model_that_cannot_be_used(self):
        """--check refuses the file. A running program reports it as an error of that camera."""
        model = self.write("model.safetensors", "nonsense")
        path = self.configure({"a": {"url": self.clip(frames=5), "labels": "x", "model": model}})
        result = run("--check", path)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"\[camera a\] model: .*model.safetensors: is not a")
        with Watch(path) as watch:
            watch.message("camera a, .*model.safetensors: is not a")

    def test_control_characters_of_a_name_do_not_reach_the_terminal(self):
        result = run("--check", self.path("\x1b[2J\r\x07\x7fnone"))
        self.assertRegex(result.stderr, "none")
        self.assertRegex(result.stderr, r"^vitgate-watch: [^\x00-\x1f\x7f]*\n$")

    def test_a_disk_that_cannot_be_written(self):
        os.mkdir(self.log)
        result = run(self.configure({"a": {"url": "rtsp://a/"}}))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, f"^{TIME}vitgate-watch: .*log.jsonl: Is a directory")

    def test_the_example_is_valid_and_explains_every_key(self):
        with open(EXAMPLE, encoding="utf-8") as file:
            text = file.read()
        for line in text.splitlines():
            self.assertRegex(line, r"^($|#|\[|[a-z-]+=)")
        # Uncomment all groups and keys, except those that name files, exclude each other, or are for
        # a model that was taught.
        lines = [line[1:] if re.match(r"#(\[|[a-z-]+=)", line)
                 and "credentials" not in line and "model" not in line
                 and not re.match("#(ca-file|client-|certificate|insecure|states|unknown-|password-|"
                                  "private-|key=)", line)
                 else line for line in text.splitlines()]
        groups = ["watch", "log", "mqtt", "look l", "kafka", "page", "fleet"]
        for group in ("kafka", "page", "fleet"):
            path = self.write("x.conf", f"[{group}]\nx=y\n[camera a]\nurl=rtsp://a/\n")
            if "built without" in run("--check", path).stderr:
                groups.remove(group)
                start = lines.index(f"[{group}]")
                end = next(i for i in range(start + 1, len(lines)) if lines[i].startswith("["))
                del lines[start:end]
        self.write("secret", "eve:a b\n", 0o600)
        path = self.write("all.conf", "\n".join(lines).replace("/var/lib", self.folder))
        result = run("--check", path, VITGATE_MODEL_DIR=SHIPPED)
        self.assertEqual(result.returncode, 0, result.stderr)
        unknown = run("--check", self.write("x.conf", "[camera a]\nurl=rtsp://a/\nx=y\n")).stderr
        for group in groups:
            text_of = f"[{group}]\nx=y\n[camera a]\nurl=rtsp://a/\n"
            unknown += run("--check", self.write("x.conf", text_of)).stderr
        self.assertEqual(unknown.count("expected one of "), len(groups) + 1)
        for part in unknown.split("expected one of ")[1:]:
            for key in part.splitlines()[0].split(", "):
                self.assertRegex(text, rf"(?m)^#?{key}=")

    def test_the_example_works_as_it_is(self):
        """Once a camera's URL is entered. Folders are created."""
        with open(EXAMPLE, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(re.findall(r"(?m)^\[.*", text),
                         ["[watch]", "[log]", "[defaults]", "[camera front door]"])
        state = self.path("state")
        path = self.write("watch.conf", re.sub("(?m)^url=.*", f"url={self.clip(frames=5)}", text)
                          .replace("/var/lib/vitgate-watch", state))
        result = run("--check", path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with Watch(path, VITGATE_MODEL_DIR=SHIPPED) as watch:
            watch.wait()
        self.log = f"{state}/log.jsonl"
        self.assertEqual(self.events(), ["connected", "ended"])
        self.assertGreater(len(self.frames()), 0)

    def test_a_folder_that_cannot_be_created(self):
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=65534", "--clear-groups", WATCH]
            if not shutil.which("setpriv") or subprocess.run(
                    [*command, "--version"], capture_output=True, check=False).returncode:
                self.skipTest("root may write everywhere")
        else:
            command = [WATCH]
        os.chmod(self.folder, 0o755)
        path = self.write("watch.conf", "[camera a]\nurl=rtsp://a/\n[log]\nfile=/sys/x/log\n")
        result = subprocess.run([*command, "--check", path], capture_output=True, text=True,
                                timeout=LIMIT, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"\[log\] file: /sys/x/log: no permission to create /sys/x "
                                        r"\(.*: sudo install -d -o \S+ /sys/x\)")

    def test_a_change_of_the_default_is_announced(self):
        path = self.write("watch.conf", f"[camera a]\nurl={self.clip(5)}\nmodel={MODEL}\n"
                                        "[log]\nfile=log.jsonl\n")
        message = "frames is not set; only frames whose best label changes are logged"
        self.assertIn(message, run("--check", path).stderr)
        with Watch(path) as watch:
            watch.message(message)
            watch.wait()
        self.assertLess(len(self.frames()), 5)

    def test_the_defaults_are_those_of_the_element(self):
        with open(EXAMPLE, encoding="utf-8") as file:
            text = file.read()
        vitgate = Gst.ElementFactory.make("vitgate")
        for key, unit in (("threads", 1), ("inference-interval", 1),
                          ("latency-budget", Gst.SECOND), ("refresh-interval", 1),
                          ("max-age", Gst.SECOND), ("unknown-threshold", 1)):
            shown = re.search(f"(?m)^#{key}=(.*)$", text)[1]
            self.assertEqual(float(shown) * unit, vitgate.get_property(key), key)
        changed = float(re.search("(?m)^#change-threshold=(.*)$", text)[1])
        self.assertAlmostEqual(changed, vitgate.props.change_threshold, 3)
        self.assertIn(f"#temporal={vitgate.props.temporal.value_nick}\n", text)
        # 0 stands for 5, unless each class has a probability of its own.
        self.assertEqual((re.search("(?m)^#top-k=(.*)$", text)[1], vitgate.props.top_k), ("5", 0))

    def test_invalid_command_lines(self):
        for arguments in [], ["a", "b"], ["--none"], ["--interval", "0", "x"]:
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn("(see vitgate-watch --help)", result.stderr)
        self.assertIn("SIGHUP", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"^vitgate-watch \d")


class Messages(WatchTest):
    def check(self, start, journal=None):
        """Checks how the messages of a program start. journal: $JOURNAL_STREAM, as a function of
        the status of its standard error"""
        path = self.configure({"bad": {"url": "file:///none"}})
        end, stderr = os.pipe()
        environment = {**os.environ}
        environment.pop("JOURNAL_STREAM", None)
        if journal:
            environment["JOURNAL_STREAM"] = journal(os.fstat(stderr))
        with open(end, encoding="utf-8") as messages:
            with subprocess.Popen([WATCH, path], stderr=stderr, env=environment) as process:
                os.close(stderr)
                message = messages.readline()
                process.terminate()
        self.assertRegex(message, f"^{start}vitgate-watch: camera bad, ")

    def test_messages_start_with_the_time(self):
        self.check(TIME)

    def test_messages_to_the_journal_have_no_time(self):
        self.check("", lambda status: f"{status.st_dev}:{status.st_ino}")

    def test_messages_that_leave_the_journal_have_the_time(self):
        self.check(TIME, lambda status: f"{status.st_dev}:{status.st_ino + 1}")
        self.check(TIME, lambda status: "nonsense")


class Clips(WatchTest):
    def test_all_lines_of_a_clip_are_written(self):
        with Watch(self.configure({"clip": {"url": self.clip(frames=60)}})) as watch:
            self.assertEqual(watch.wait(), 0)
        self.assertEqual([frame["frame"] for frame in self.frames()], list(range(60)))
        self.assertEqual(self.events(), ["connected", "ended"])
        status = json.loads(watch.status.lines[-1])
        self.assertEqual(status["cameras"][0]["state"], "ended")
        self.assertEqual(status["cameras"][0]["frames"], 60)
        self.assertEqual(status["cameras"][0]["skipped"], 0)
        self.assertEqual(status["log"], {"lines": 62, "waiting": 0, "dropped": 0})
        self.assertGreater(status["memory"], 1e6)

    def test_labels_of_interest_are_events(self):
        keys = {"labels": "CLASS 2", "threshold": 0, "top-k": 10, "appear-after": 1,
                "url": self.clip(frames=60)}
        with Watch(self.configure({"clip": keys})) as watch:
            watch.wait()
        events = [line for line in self.read_log() if "label" in line]
        self.assertEqual([event["event"] for event in events], ["appeared", "vanished"])
        self.assertEqual({event["label"] for event in events}, {"CLASS 2"})
        self.assertEqual(events[0]["running_time"], 0)
        self.assertAlmostEqual(events[1]["seconds"], 59 / 25, 3)
        # The event comes with the frame that completes the second.
        before = self.read_log()[:self.read_log().index(events[0])]
        self.assertEqual(len([line for line in before if "frame" in line]), 26)

    def test_only_changes(self):
        path = self.configure({"clip": {"url": self.clip(frames=60)}}, log={"frames": "changes"})
        with Watch(path) as watch:
            watch.wait()
        labels = [frame["results"][0]["label"] for frame in self.frames()]
        self.assertLess(len(labels), 60)
        self.assertTrue(all(a != b for a, b in zip(labels, labels[1:])), labels)

    def test_the_first_frame_of_each_connection_is_a_change(self):
        make_clip(self.path("clip.mkv"), black=5)
        keys = {"url": "file://" + self.path("clip.mkv"), "repeat": "true"}
        with Watch(self.configure({"clip": keys}, log={"frames": "changes"})) as watch:
            watch.camera_where("clip", lambda camera: camera["frames"] > 12)
        found = [line.get("event") or line["frame"] for line in self.read_log()]
        self.assertEqual(found[:6], ["connected", 0, "ended"] * 2)

    def test_a_clip_again_and_again(self):
        keys = {"url": self.clip(frames=10), "repeat": "true"}
        with Watch(self.configure({"clip": keys})) as watch:
            watch.camera_where("clip", lambda camera: camera["frames"] > 35)
        self.assertEqual(self.events()[:6], ["connected", "ended"] * 3)

    def test_the_dial_and_the_budget_reach_the_element(self):
        vitgate = Gst.ElementFactory.make("vitgate")
        if not vitgate or not vitgate.find_property("latency-budget"):
            self.skipTest("this vitgate has no latency-budget")
        # One with gates, which can do a quarter of the dense model's multiply-adds.
        model = os.path.join(SHIPPED, "deit-tiny-domain20.safetensors")
        keys = {"url": self.clip(frames=5), "model": model, "compute": 0.25, "min-compute": 0.125,
                "latency-budget": 10, "reuse-threshold": 0.01, "max-age": 5}
        with Watch(self.configure({"clip": keys})) as watch:
            watch.wait()
        for frame in self.frames():
            self.assertAlmostEqual(frame["results"][0]["compute"]["dial"], 0.25, 2)


class Signals(WatchTest):
    def test_sigterm_loses_nothing(self):
        with Watch(self.configure({"clip": self.endless()})) as watch:
            watch.more_frames("clip", 10)
        status = json.loads(watch.status.lines[-1])
        self.assertGreaterEqual(len(self.frames()), status["cameras"][0]["frames"])
        self.assertEqual(self.events()[-1], "ended")

    def test_reload(self):
        cameras = {name: self.endless() for name in ("kept", "changed", "gone")}
        with Watch(self.configure(cameras)) as watch:
            for name in cameras:
                watch.more_frames(name)
            del cameras["gone"]
            cameras["changed"]["top-k"] = 2
            cameras["new"] = self.endless()
            self.configure(cameras)
            self.assertRegex(watch.reload(), "cameras kept: 1, stopped: 2, started: 2")
            for name in cameras:
                watch.more_frames(name)
            names = [c["name"] for c in watch.status_where(lambda status: True)["cameras"]]
        self.assertEqual(names, ["kept", "changed", "new"])
        events = [(line["stream_id"], line["event"]) for line in self.read_log()
                  if "event" in line]
        self.assertEqual(events.count(("kept", "ended")), events.count(("kept", "connected")))
        self.assertEqual(self.events("gone").count("connected"),
                         self.events("gone").count("ended"))
        sizes = [len(frame["results"][0]["classes"]) for frame in self.frames("changed")]
        self.assertEqual(sizes[-1], 2)
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        # The camera that was kept has continued without a gap.
        numbers = [frame["frame"] for frame in self.frames("kept")]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])

    def test_reload_loads_a_model_that_was_replaced(self):
        """The camera that has it continues without a gap."""
        model, labels = self.path("model.safetensors"), self.write("labels.txt", "first\n" * 10)
        shutil.copy(MODEL, model)
        path = self.configure({"clip": self.endless(model=model, **{"model-labels": labels})})
        with Watch(path) as watch:
            def wait_for(name, label):
                while True:
                    watch.more_frames("clip", 1)
                    result = self.frames()[-1]["results"][0]
                    if (result["model"], result["label"]) == (name, label):
                        return

            wait_for("golden-small", "first")
            watch.reload()
            self.write("new", "second\n" * 10)
            os.replace(self.path("new"), labels)
            watch.reload()
            watch.message("camera clip: its model or labels have changed and are loaded again")
            wait_for("golden-small", "second")
            shutil.copy(GATED, self.path("new"))
            os.replace(self.path("new"), model)
            self.write("labels.txt", "third\n" * 10)
            self.assertRegex(watch.reload(), "cameras kept: 1")
            wait_for("gated_model", "third")
            self.write("model.safetensors", "nonsense")
            watch.reload()
            watch.message("camera clip: .*model.safetensors")
            wait_for("gated_model", "third")
            self.assertEqual(len([line for line in watch.messages.lines
                                  if "are loaded again" in line]), 3)
        numbers = [frame["frame"] for frame in self.frames("clip")]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])

    def test_reload_ends_the_wait_of_a_camera_without_its_model(self):
        def is_waiting(camera):
            return camera["state"] == "waiting"

        models = [self.write(name, "nonsense") for name in ("first.safetensors", "other.safetensors")]
        keys = {**self.endless(frames=10), "retry-least": 600, "retry-most": 600}
        path = self.configure({"a": {**keys, "model": models[0]}})
        with Watch(path) as watch:
            watch.camera_where("a", is_waiting)
            watch.reload()  # nothing has changed
            for _ in range(5):
                self.assertEqual(watch.camera_where("a", is_waiting)["attempts"], 1)
            shutil.copy(MODEL, models[0])
            watch.reload()
            watch.more_frames("a")
            # The model is read again when the clip begins anew.
            self.write("first.safetensors", "nonsense")
            watch.camera_where("a", is_waiting)
            shutil.copy(MODEL, models[1])
            self.configure({"a": {**keys, "model": models[1]}})
            watch.reload()
            watch.more_frames("a")
            again = [line for line in watch.messages.lines if "next attempt" in line]
            self.assertEqual(len(again), 2, again)

    def test_reload_of_an_invalid_file_changes_nothing(self):
        with Watch(self.configure({"clip": self.endless()})) as watch:
            watch.more_frames("clip")
            good = self.configure({"clip": self.endless(threshold=7)})
            self.assertRegex(watch.reload(), r"keeping the old configuration: .*watch.conf: "
                                             r"\[camera clip\] threshold: 7: expected a number "
                                             "from 0 to 1")
            self.configure({"clip": self.endless(labels="no such label")})
            self.assertRegex(watch.reload(), r"keeping the old configuration: .*watch.conf: "
                                             r"\[camera clip\] labels: \"no such label\" is not")
            os.unlink(good)
            self.assertRegex(watch.reload(), "keeping the old configuration: .*No such file")
            self.configure({"clip": self.endless()}, log=None,
                           mqtt={"host": "localhost", "spool": "watch.conf/x"})
            self.assertRegex(watch.reload(), "keeping the old configuration: .* is not a folder")
            watch.more_frames("clip")

    def test_reload_opens_a_log_that_was_moved_away(self):
        with Watch(self.configure({"clip": self.endless()})) as watch:
            watch.more_frames("clip", 5)
            os.rename(self.log, self.path("moved"))
            watch.reload()
            watch.more_frames("clip", 5)
        numbers = [line["frame"] for line in self.read_log(self.path("moved")) + self.read_log()
                   if "frame" in line]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])

    def test_reload_changes_the_size_of_the_log(self):
        cameras = {"clip": self.endless()}
        with Watch(self.configure(cameras)) as watch:
            watch.more_frames("clip", 5)
            self.configure(cameras, log={"size": 4096, "files": 3, "frames": "all"})
            watch.reload()
            watch.camera_where("clip", lambda _: os.path.exists(self.log + ".2"))
        self.assertLessEqual(os.path.getsize(self.log + ".1"), 4096)

    def test_reload_of_outputs(self):
        """Changes to another log, another broker for the same spool, another spool, no broker."""
        cameras = {"clip": self.endless()}
        mqtt = {"host": "127.0.0.1", "port": 1, "spool": self.path("spool"), "frames": "all"}
        with Watch(self.configure(cameras, mqtt)) as watch:
            watch.more_frames("clip", 5)
            self.configure(cameras, {**mqtt, "port": 2, "spool-size": "1M"})
            watch.reload()
            watch.message("MQTT broker 127.0.0.1:2: ")
            watch.more_frames("clip", 5)
            first_log, self.log = self.log, self.path("other.jsonl")
            self.configure(cameras, {**mqtt, "spool": self.path("other")})
            watch.reload()
            watch.more_frames("clip", 5)
            self.configure(cameras)
            watch.reload()
            watch.status_where(lambda status: "mqtt" not in status)
            watch.more_frames("clip", 5)
        numbers = [line["frame"] for line in self.read_log(first_log) + self.read_log()
                   if "frame" in line]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])
        spooled = []
        for folder in "spool", "other":
            for segment in sorted(os.listdir(self.path(folder))):
                with open(os.path.join(self.path(folder), segment), encoding="utf-8") as file:
                    spooled += [json.loads(line.split("\t")[1])["frame"] for line in file
                                if line.startswith("vitgate/clip/frame\t")]
        self.assertEqual(spooled, numbers[:len(spooled)])
        self.assertGreaterEqual(len(spooled), 15)


class Events(WatchTest):
    def test_the_rotation_of_frames_does_not_remove_events(self):
        keys = {"url": self.clip(frames=100), "labels": "class 2", "threshold": 0, "top-k": 10}
        path = self.configure({"clip": keys}, log={"size": 4096, "files": 2, "frames": "all"})
        with Watch(path) as watch:
            watch.wait()
        self.assertTrue(os.path.exists(self.log + ".1"))
        self.assertNotIn("connected", self.events())
        self.log = self.path("log.events.jsonl")
        self.assertEqual(self.events(), ["connected", "appeared", "vanished", "ended"])
        self.assertEqual(self.frames(), [])
        status = json.loads(watch.status.lines[-1])
        self.assertEqual(status["events"], {"lines": 4, "waiting": 0, "dropped": 0})

    def test_reload_changes_the_file_of_events(self):
        cameras = {"clip": {**self.endless(), "labels": "class 2"}}
        with Watch(self.configure(cameras)) as watch:
            watch.more_frames("clip")
            cameras["other"] = {"url": self.clip(frames=5)}
            self.configure(cameras, log={"events-file": "new/events", "frames": "all"})
            watch.reload()
            watch.camera_where("other", lambda camera: camera["state"] == "ended")
        log, self.log = self.log, self.path("log.events.jsonl")
        old = self.events()
        self.log = self.path("new/events")
        self.assertEqual(old, ["connected"])
        self.assertIn("connected", self.events("other"))
        old += self.events()
        self.log = log
        self.assertEqual(old, self.events())


class Terminal(WatchTest):
    def test_the_status_line_stays_below_the_messages(self):
        # Labels come from a file, too, and go to the status line.
        labels = self.write("labels", "".join(f"class\x1b[2J {i}\n" for i in range(10)))
        path = self.configure({"good": {"url": self.clip(frames=100), "real-time": "true",
                                        "model-labels": labels},
                               "bad": {"url": "file:///none"}}, {"host": "127.0.0.1", "port": 1,
                                                                 "spool": self.path("spool")})
        try:
            terminal, other_end = os.openpty()
        except OSError as error:
            self.skipTest(f"cannot open a terminal: {error}")
        with subprocess.Popen([WATCH, "--interval", "0.05", path], stderr=other_end,
                              stdout=subprocess.DEVNULL) as process:
            os.close(other_end)
            shown = ""
            try:
                while not re.search(r"\r\x1b\[K\d+ MB \| MQTT away, \d+ wait \| "
                                    r"good playing \d+\.\d/s class[^\x1b]*\[2J \d \d+% \| "
                                    r"bad (waiting|conn)", shown):
                    shown += os.read(terminal, 1000).decode()
                    self.assertLess(len(shown), 50000)
            except AssertionError:
                process.kill()
                raise
            process.terminate()
            try:
                while text := os.read(terminal, 1000).decode():
                    shown += text
            except OSError:  # the other end is closed
                pass
            self.assertEqual(process.wait(LIMIT), 0)
        os.close(terminal)
        self.assertTrue(shown.endswith("\r\x1b[K") or shown.endswith("\n"), shown[-200:])
        for line in shown.replace("\r\n", "\n").split("\n"):
            self.assertRegex(line.split("\x1b[K")[-1], rf"^($|{TIME}vitgate-watch: |\d+ MB \| )")


class ServiceManager(WatchTest):
    def notify_socket(self):
        """Returns a socket that stands in for the service manager's."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(self.path("notify"))
        manager.settimeout(LIMIT)
        return manager

    def test_start_reload_and_stop_are_notified(self):
        manager = self.notify_socket()

        def hear():
            while True:
                said = manager.recv(1000).decode().splitlines()[0]
                if said != "WATCHDOG=1" and not said.startswith("STATUS="):
                    return said

        def hear_watchdog():
            while manager.recv(1000) != b"WATCHDOG=1":
                pass

        with Watch(self.configure({"clip": self.endless()}), NOTIFY_SOCKET=self.path("notify"),
                   WATCHDOG_USEC="200000") as watch:
            self.assertEqual(hear(), "READY=1")
            hear_watchdog()
            watch.process.send_signal(signal.SIGHUP)
            self.assertEqual([hear(), hear()], ["RELOADING=1", "READY=1"])
            watch.process.send_signal(signal.SIGTERM)
            self.assertEqual(hear(), "STOPPING=1")

    def test_the_status_is_notified_when_it_changes(self):
        manager = self.notify_socket()
        said = []

        def hear(wanted):
            while not said or said[-1] != "STATUS=" + wanted:
                said.append(manager.recv(1000).decode())

        cameras = {"clip": self.endless()}
        with Watch(self.configure(cameras), NOTIFY_SOCKET=self.path("notify")) as watch:
            hear("1 camera, 1 playing")
            self.configure({**cameras, "gone": {"url": "file:///none"}})
            watch.reload()
            hear("2 cameras, 1 playing")
        self.assertTrue(all(a != b for a, b in zip(said, said[1:])), said)


class FullDisk(WatchTest):
    MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             'mount -t tmpfs -o size=256k,nr_inodes=100 tmpfs "$0" && exec "$@"']

    def test_nothing_is_lost_and_writing_resumes_when_there_is_room(self):
        folder = self.path("disk")
        os.mkdir(folder)
        mount = [*self.MOUNT, folder]
        if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
            self.skipTest("cannot mount a file system, not even in a separate namespace")
        self.log = os.path.join(folder, "log.jsonl")
        spool = os.path.join(folder, "spool")
        path = self.configure(
            {"clip": {"url": self.clip(frames=1000), "real-time": "true"}},
            mqtt={"host": "127.0.0.1", "port": 1, "spool": spool, "frames": "all"})
        with Watch(path, mount) as watch:
            watch.message("connected")
            inside = f"/proc/{watch.process.pid}/root{folder}"
            with open(f"{inside}/filler", "wb", buffering=0) as filler:
                with self.assertRaises(OSError):
                    while True:
                        filler.write(bytes(4096))
            watch.message("log.jsonl: No space left on device; lines wait in memory")
            watch.message("spool: No space left on device; messages wait in memory")
            watch.status_where(lambda status: status["log"]["waiting"] > 10)
            for line in self.read_log(f"{inside}/log.jsonl"):
                self.assertTrue(line)
            os.unlink(f"{inside}/filler")
            watch.message("log.jsonl: can be written again; 0 lines lost")
            watch.message("spool: can be written again")
            # Soon the disk is full again, and stays so.
            numbers = [line["frame"] for line in self.read_log(f"{inside}/log.jsonl")
                       if "frame" in line]
            self.assertGreater(len(numbers), 10)
            self.assertEqual(numbers, list(range(len(numbers))))


if __name__ == "__main__":
    unittest.main(verbosity=2)
