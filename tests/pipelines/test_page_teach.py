"""Teaching in vitgate-watch's page, through its HTTP API, with the real "vitgate teach" and a model of
colours. Environment: see watch_case.py; VITGATE_COMMAND is the command vitgate."""

import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
import unittest

from cameras import HERE, LIMIT, make_clip
from watch_case import Watch, WatchTest

sys.path.insert(0, os.path.join(HERE, "../models"))
import colour_model  # noqa: E402

COLOURS = {"open": (255, 0, 0), "closed": (0, 0, 255)}
TASK = {"name": "gate", "camera": "yard", "region": [0.25, 0.25, 0.5, 0.5],
        "classes": ["open", "closed"]}

# Stands for "vitgate" where the run has to take long or fail.
SLOW = """#!/bin/sh
echo $$ > {folder}/pid.new
mv {folder}/pid.new {folder}/pid
echo '{{"done": 1, "total": 2, "unit": "pictures"}}' >&2
echo 'vitgate teach: skipped pictures/open/bad.jpg: no picture' >&2
exec sleep 1000
"""


class Browser:
    def __init__(self, url):
        self.host = url.split("/")[2]

    def ask(self, method, path, body=None, expected=200):
        """Returns the answer, and checks its status."""
        connection = http.client.HTTPConnection(self.host, timeout=LIMIT)
        text = None if body is None else json.dumps(body)
        connection.request(method, "/api/v1/teach" + path, text,
                           {"Origin": f"http://{self.host}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.status == expected, (method, path, answer.status, data[:500])
        return json.loads(data) if data[:1] == b"{" else data

    def get(self, path="", **options):
        return self.ask("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.ask("POST", path, body, **options)

    def wait_for(self, wanted, path="/gate"):
        """Waits until the task is wanted(), and returns it."""
        end = time.monotonic() + LIMIT
        while not wanted(task := self.get(path)):
            assert time.monotonic() < end, task
            time.sleep(0.02)
        return task

    def run(self):
        self.post("/gate/run", expected=202)
        return self.wait_for(lambda task: task["job"]["state"] != "running")


class TeachTest(WatchTest):
    def setUp(self):
        super().setUp()
        make_clip(self.path("yard.mkv"), red=50, blue=50)
        colour_model.write_model(self.path("deit-tiny-imagenet1k.safetensors"))
        self.pages = self.path("page")

    def write_config(self, more="", repeat="true", snapshots="0"):
        return self.write("watch.conf", f"""\
# The first comment.
[log]
file={self.log}
frames=none
[page]
listen=127.0.0.1:0
folder={self.pages}
snapshots={snapshots}
[camera yard]
# A comment of the camera.
url=file://{self.path("yard.mkv")}
repeat={repeat}
real-time=true
{more}""")

    def start(self, tools=None, path=None):
        """Starts it with "vitgate" of a folder. Returns it and a browser."""
        tools = tools or os.path.dirname(os.environ["VITGATE_COMMAND"])
        watch = Watch(path or self.write_config(), VITGATE_MODEL_DIR=self.folder,
                      PATH=f"{tools}:{os.environ['PATH']}")
        return watch, Browser(watch.message("page: http").split("page: ")[1])

    def slow_tools(self, script=SLOW):
        os.makedirs(self.path("tools"), exist_ok=True)
        path = self.write("tools/vitgate", script.format(folder=self.folder), 0o755)
        return os.path.dirname(path)

    def wait_for_pid(self):
        end = time.monotonic() + LIMIT
        while not os.path.exists(self.path("pid")):
            assert time.monotonic() < end
            time.sleep(0.02)
        with open(self.path("pid"), encoding="utf-8") as file:
            return int(file.read())

    def wait_until_gone(self, pid):
        end = time.monotonic() + LIMIT
        while self.is_running(pid):
            assert time.monotonic() < end
            time.sleep(0.02)

    @staticmethod
    def is_running(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return " Z " not in file.read()
        except FileNotFoundError:
            return False

    def add_pictures(self, name="gate", count=10):
        """Sorted pictures, as a person would put them into the folders."""
        draw = random.Random(1)
        for label, colour in COLOURS.items():
            folder = f"{self.pages}/teach/{name}/pictures/{label}"
            os.makedirs(folder, exist_ok=True)
            for i in range(count):
                pixel = tuple(min(255, max(0, v + draw.randint(-20, 20))) for v in colour)
                colour_model.write_png(f"{folder}/{i}.png", 40, bytes(pixel) * 40 * 40)

    def config(self):
        with open(self.path("watch.conf"), encoding="utf-8") as file:
            return file.read()


class Flow(TeachTest):
    def colour_of(self, jpeg):
        from PIL import Image
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        red, _, blue = picture.getpixel((picture.width // 2, picture.height // 2))
        return "open" if red > blue else "closed"

    def test_from_a_camera_to_a_state_and_back(self):
        watch, browser = self.start()
        with watch:
            before = self.config()
            browser.post("", TASK, expected=201)
            browser.ask("PATCH", "/gate", {"collecting": True})
            browser.wait_for(lambda task: task["unsorted"] >= 2)
            pictures = browser.get("/gate/pictures")["pictures"]
            for picture in pictures:
                jpeg = browser.get(f"/gate/pictures/{picture['id']}?width=20")
                browser.ask("PUT", f"/gate/pictures/{picture['id']}",
                            {"class": self.colour_of(jpeg)}, expected=204)
            self.assertEqual({picture["id"] for picture in pictures},
                             {picture["id"] for picture in browser.get("/gate/pictures")["pictures"]})
            browser.ask("PATCH", "/gate", {"collecting": False})
            self.add_pictures()
            task = browser.run()
            self.assertEqual((task["job"]["state"], task["job"]["result"]["top1"], task["in_use"]),
                             ("done", 100, False), task)

            task = browser.post("/gate/use")
            self.assertEqual((task["in_use"], task["can_undo"]), (True, True))
            self.assertIn("whole-frame=true\n", self.config())
            self.assertEqual(re.sub("whole-frame=true\n|\n\\[look gate\\](.|\n)*", "", self.config()), before)
            watch.camera_where("yard", lambda camera: any(
                look.get("scene_state", look.get("state")) in COLOURS for look in camera.get("looks", ())))

            since = len(watch.messages.lines)
            browser.run()
            browser.post("/gate/use")
            watch.message("its model or labels have changed and are loaded again", since)
            since = len(watch.messages.lines)
            task = browser.post("/gate/undo")
            self.assertEqual((task["in_use"], task["can_undo"]), (True, True))
            watch.message("its model or labels have changed and are loaded again", since)
            browser.ask("DELETE", "/gate", expected=409)

            task = browser.post("/gate/undo")
            self.assertEqual((task["in_use"], task["can_undo"]), (False, False))
            self.assertEqual(self.config(), before)
            watch.camera_where("yard", lambda camera: not camera.get("looks"))
            browser.ask("DELETE", "/gate", expected=204)
            self.assertEqual(os.listdir(f"{self.pages}/teach"), [])

    def test_snapshots_of_the_last_hours_are_candidates(self):
        # The camera is over before anybody collects, so that only its snapshots can be looked at.
        names = self.write("names", "\n".join(colour_model.LABELS) + "\n")
        path = self.write_config(f"labels=red;blue\nappear-after=0.1\nmodel-labels={names}\n"
                                 f"[camera other]\nurl=file://{self.path('yard.mkv')}\n"
                                 "repeat=true\nreal-time=true\n", "false", "1M")
        watch, browser = self.start(path=path)
        with watch:
            watch.camera_where("yard", lambda camera: camera["state"] == "ended")
            browser.post("", TASK, expected=201)
            browser.ask("PATCH", "/gate", {"collecting": True})
            browser.wait_for(lambda task: task["unsorted"] >= 2)
            pictures = browser.get("/gate/pictures")["pictures"]
            self.assertEqual({self.colour_of(browser.get(f"/gate/pictures/{picture['id']}"))
                              for picture in pictures}, set(COLOURS))
            events = [event["wall_clock"][:23] for event in self.read_log() if "event" in event]
            for picture in pictures:
                self.assertIn(picture["time"][:23], events)

    def test_doubtful_pictures_come_back_once_a_model_is_in_use(self):
        make_clip(self.path("yard.mkv"), red=25, white=25, blue=25)
        watch, browser = self.start()
        with watch:
            browser.post("", TASK, expected=201)
            self.add_pictures()
            self.assertEqual(browser.run()["job"]["state"], "done")
            browser.post("/gate/use")
            browser.ask("PATCH", "/gate", {"collecting": True})

            def doubtful():
                return [picture for picture in browser.get("/gate/pictures")["pictures"]
                        if not picture["class"] and picture["doubtful"] is not None]

            # A picture is there a moment before what the model says of it.
            browser.wait_for(lambda task: doubtful())
            picture, = doubtful()
            self.assertLess(picture["doubtful"], 1)
            self.assertIsInstance(picture["guess"], str)
            from PIL import Image
            jpeg = browser.get(f"/gate/pictures/{picture['id']}")
            self.assertGreater(min(Image.open(io.BytesIO(jpeg)).getpixel((2, 2))), 200)


class Runs(TeachTest):
    def test_one_run_at_a_time(self):
        watch, browser = self.start(self.slow_tools())
        with watch:
            for name in "gate", "bin":
                browser.post("", {**TASK, "name": name}, expected=201)
            statuses = []

            def press(name):
                try:
                    Browser("http://" + browser.host).post(f"/{name}/run", expected=202)
                    statuses.append(202)
                except AssertionError as error:
                    statuses.append(error.args[0][2])

            presses = [threading.Thread(target=press, args=(name,)) for name in ("gate", "bin", "gate")]
            for thread in presses:
                thread.start()
            for thread in presses:
                thread.join()
            self.assertEqual(sorted(statuses), [202, 409, 409])

    def test_a_run_can_be_cancelled(self):
        watch, browser = self.start(self.slow_tools())
        with watch:
            browser.post("", TASK, expected=201)
            browser.post("/gate/run", expected=202)
            pid = self.wait_for_pid()
            browser.wait_for(lambda task: task["job"]["progress"] > 0.3)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid),
                             min(19, os.getpriority(os.PRIO_PROCESS, watch.process.pid) + 10))
            browser.post("/gate/cancel")
            task = browser.wait_for(lambda task: task["job"]["state"] == "failed")
            self.assertEqual(task["job"]["message"], "cancelled")
            self.wait_until_gone(pid)
            browser.post("/gate/run", expected=202)

    def test_a_run_that_is_killed(self):
        watch, browser = self.start(self.slow_tools())
        with watch:
            browser.post("", TASK, expected=201)
            browser.post("/gate/run", expected=202)
            os.kill(self.wait_for_pid(), signal.SIGKILL)
            task = browser.wait_for(lambda task: task["job"]["state"] == "failed")
            self.assertIn("ended by a signal: Killed", task["job"]["message"])
            watch.more_frames("yard")

    def test_a_run_never_outlives_the_program(self):
        for end in "kill", "terminate":
            if os.path.exists(self.path("pid")):
                os.unlink(self.path("pid"))
            watch, browser = self.start(self.slow_tools())
            if end == "kill":
                browser.post("", TASK, expected=201)
            browser.post("/gate/run", expected=202)
            pid = self.wait_for_pid()
            getattr(watch.process, end)()
            watch.wait()
            self.wait_until_gone(pid)
        # The task is still there, and can be taught again.
        self.add_pictures()
        watch, browser = self.start()
        with watch:
            self.assertEqual(browser.get("/gate")["job"]["state"], "none")
            self.assertEqual(browser.run()["job"]["state"], "done")
        watch, browser = self.start()
        with watch:
            self.assertEqual(browser.get("/gate")["job"]["result"]["top1"], 100)

    def test_failures_say_what_teach_says(self):
        watch, browser = self.start()
        with watch:
            browser.post("", TASK, expected=201)
            self.add_pictures(count=2)
            os.unlink(f"{self.pages}/teach/gate/pictures/open/1.png")
            job = browser.run()["job"]
            self.assertEqual((job["state"], job["message"]),
                             ("failed", 'the class "open" has 1 picture, expected at least 2'))
            shutil.rmtree(f"{self.pages}/teach/gate/pictures/open")
            job = browser.run()["job"]
            self.assertIn('the folder "open" contains no pictures', job["message"])
            self.assertIn("there is no taught model", browser.post("/gate/use", expected=409)["error"])

    def test_without_the_command(self):
        os.mkdir(self.path("empty"))
        watch = Watch(self.write_config(), VITGATE_MODEL_DIR=self.folder, PATH=self.path("empty"))
        with watch:
            browser = Browser(watch.message("page: http").split("page: ")[1])
            browser.post("", TASK, expected=201)
            self.assertIn("the program vitgate", browser.post("/gate/run", expected=500)["error"])


class Files(TeachTest):
    def test_the_folder_may_be_changed_by_hand(self):
        watch, browser = self.start()
        with watch:
            browser.post("", TASK, expected=201)
            self.add_pictures(count=3)
            folder = f"{self.pages}/teach/gate"
            os.makedirs(f"{folder}/pictures/ajar/monday")
            shutil.copy(f"{folder}/pictures/open/0.png", f"{folder}/pictures/ajar/monday/0.png")
            self.write("page/teach/gate/pictures/ajar/broken.jpg", "no picture")
            os.symlink("/etc", f"{folder}/pictures/ajar/etc")
            counts = {c["name"]: c["pictures"] for c in browser.get("/gate")["classes"]}
            self.assertEqual(counts, {"open": 3, "closed": 3, "ajar": 2})
            pictures = browser.get("/gate/pictures")["pictures"]
            self.assertEqual(len({picture["id"] for picture in pictures}), 8)
            answers = []
            for picture in pictures:
                try:
                    answers.append(browser.get(f"/gate/pictures/{picture['id']}")[:2])
                except AssertionError as error:
                    answers.append(error.args[0][2])
            self.assertEqual(sorted(answers, key=str), [404] + [b"\xff\xd8"] * 7)
            gone = next(p["id"] for p in pictures if p["class"] == "open")
            shutil.rmtree(f"{folder}/pictures/open")
            self.assertIn("is not in the task", browser.get(f"/gate/pictures/{gone}", expected=404)["error"])
            browser.ask("DELETE", f"/gate/pictures/{gone}", expected=404)
            shutil.rmtree(folder)
            self.assertEqual(browser.get("/gate")["unsorted"], 0)
            error = browser.ask("PATCH", "/gate", {"collecting": True}, expected=500)["error"]
            self.assertIn("cannot write", error)
            browser.ask("DELETE", "/gate", expected=204)

    def test_a_task_that_cannot_be_read_is_left_out(self):
        os.makedirs(f"{self.pages}/teach/broken")
        self.write("page/teach/broken/task.ini", "[task]\ncamera=yard\nregion=1;2\n")
        os.makedirs(f"{self.pages}/teach/good")
        self.write("page/teach/good/task.ini", "[task]\ncamera=nobody\nregion=0;0;1;1\n"
                                               "classes=a;b\ncollecting=true\n")
        watch, browser = self.start()
        with watch:
            watch.message("broken is left out: .*task.ini: .*region: expected x;y;width;height")
            self.assertEqual([task["name"] for task in browser.get()["tasks"]], ["good"])

    def test_classes_that_go_leave_their_pictures_unsorted(self):
        watch, browser = self.start()
        with watch:
            browser.post("", TASK, expected=201)
            self.add_pictures(count=3)
            task = browser.ask("PATCH", "/gate", {"classes": ["closed", "ajar"]})
            self.assertEqual((task["classes"], task["unsorted"]),
                             ([{"name": "closed", "pictures": 3}, {"name": "ajar", "pictures": 0}], 3))

    def test_what_cannot_be_written_is_said(self):
        watch, browser = self.start()
        with watch:
            browser.post("", TASK, expected=201)
            unsorted = f"{self.pages}/teach/gate/unsorted"
            os.rmdir(unsorted)
            self.write("page/teach/gate/unsorted", "in the way")
            browser.ask("PATCH", "/gate", {"collecting": True})
            task = browser.wait_for(lambda task: not task["collecting"])
            self.assertIn("unsorted", task["message"])
            watch.message("task gate: collecting has ended")
            watch.more_frames("yard")

    def test_a_model_that_is_deleted(self):
        make_clip(self.path("yard.mkv"), red=10, blue=10)
        watch, browser = self.start()
        with watch:
            browser.post("", TASK, expected=201)
            self.add_pictures(count=3)
            self.assertEqual(browser.run()["job"]["state"], "done")
            os.unlink(f"{self.pages}/teach/gate/model.safetensors")
            before = self.config()
            error = browser.post("/gate/use", expected=409)["error"]
            self.assertIn("there is no taught model", error)
            self.assertEqual((self.config(), browser.get("/gate")["in_use"]), (before, False))
            self.assertEqual(browser.run()["job"]["state"], "done")
            # "Use" and "Undo" help at once, however long the camera would wait otherwise.
            for _ in range(2):
                since = len(watch.messages.lines)
                self.assertTrue(browser.post("/gate/use")["in_use"])
                watch.camera_where("yard", lambda camera: camera["state"] == "playing")
                watch.more_frames("yard")
                # It stays in memory until the clip begins anew.
                os.unlink(f"{self.pages}/teach/gate/in-use.safetensors")
                lost = watch.camera_where("yard", lambda camera: camera["state"] == "waiting")
                self.assertIn("gate/in-use.safetensors", lost["last_error"])
                watch.message("camera yard, .*gate/in-use.safetensors", since)
            browser.post("/gate/undo")
            self.assertEqual(self.config(), before)
            watch.more_frames("yard")


class BadInput(TeachTest):
    def test_bad_requests(self):
        watch, browser = self.start()
        with watch:
            for change, words in (
                    ({"name": "../x"}, "must not contain /"), ({"name": ".x"}, "start with a dot"),
                    ({"name": "a\nb"}, "control characters"), ({"name": ""}, "is empty"),
                    ({"name": "x" * 101}, "longer than 100"), ({"name": 7}, "expected name"),
                    ({"camera": "nobody"}, 'no camera "nobody"'), ({"region": [0, 0, 2, 1]}, "region"),
                    ({"region": [0, 0, 1]}, "region"), ({"region": "x"}, "region"),
                    ({"region": [0, 0, 1e999, 1]}, None), ({"classes": ["a"]}, "2 to 20"),
                    ({"classes": ["a", "a"]}, "there twice"), ({"classes": ["a", "b/c"]}, "contain /"),
                    ({"classes": ["a", "doubtful"]}, "meaning of its own"), ({"classes": "ab"}, "classes"),
                    ({"classes": ["a", 1]}, "classes")):
                error = browser.post("", {**TASK, **change}, expected=400)["error"]
                self.assertIn(words or "", error)
            self.assertFalse(os.path.exists(f"{self.pages}/teach")
                             and os.listdir(f"{self.pages}/teach"))
            browser.post("", {**TASK, "name": "Tür <b>&"}, expected=201)
            self.assertEqual(os.listdir(f"{self.pages}/teach"), ["Tür <b>&"])
            browser.post("", {**TASK, "name": "Tu\u0308r <b>&"}, expected=409)
            browser.get("/none", expected=404)
            path = "/T%C3%BCr%20%3Cb%3E&"
            for body in ({}, {"collecting": 1}, {"classes": [1]}, None):
                browser.ask("PATCH", path, body, expected=400)
            browser.get(path + "/pictures/task.ini", expected=404)
            browser.get(path + "/pictures/..%2ftask.ini", expected=400)
            self.assertIn("not in use", browser.post(path + "/undo", expected=409)["error"])
            browser.post(path + "/cancel")

    def test_a_look_of_that_name_or_a_key_file_that_cannot_be_written(self):
        path = self.write_config(f"[look gate]\ncamera=yard\n")
        watch, browser = self.start(path=path)
        with watch:
            browser.post("", TASK, expected=201)
            self.add_pictures(count=3)
            self.assertEqual(browser.run()["job"]["state"], "done")
            self.assertIn("another look", browser.post("/gate/use", expected=409)["error"])
            # A key file with an error: it stays as it is.
            text = self.config() + "nonsense=1\n"
            self.write("watch.conf", text.replace("[look gate]", "[look bin]"))
            self.assertIn("another look", browser.post("/gate/use", expected=409)["error"])
            browser.post("", {**TASK, "name": "door"}, expected=201)
            self.add_pictures("door", count=3)
            browser.post("/door/run", expected=202)
            browser.wait_for(lambda task: task["job"]["state"] == "done", "/door")
            before = self.config()
            self.assertIn("nonsense", browser.post("/door/use", expected=409)["error"])
            self.assertEqual(self.config(), before)
            self.assertFalse(browser.get("/door")["in_use"])
            # The page itself changes with the key file: the request is answered all the same.
            self.write("watch.conf", before.replace("nonsense=1\n", "").replace("snapshots=0", "snapshots=1M"))
            since = len(watch.messages.lines)
            self.assertTrue(browser.post("/door/use")["in_use"])
            watch.message("page: http", since)


if __name__ == "__main__":
    unittest.main(verbosity=2)
