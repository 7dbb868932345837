"""vitgate-watch with looks: parts of a camera's frames with models of their own. Environment: see
watch_case.py."""

import json
import os
import shutil
import subprocess
import sys
import unittest

from cameras import LIMIT, MODEL, play_file
from watch_case import WATCH, Watch, WatchTest

sys.path.append(os.path.join(os.path.dirname(__file__), "../models"))
import taught_model  # noqa: E402

GATED = os.environ["VITGATE_TEST_GATED_MODEL"]
LEFT, RIGHT = "0,0,80,120", "50%,0,50%,100%"
STATE = {"state": "true", "threshold": 0, "state-lead": 1, "appear-after": 0.4}


class Looks(WatchTest):
    def setUp(self):
        super().setUp()
        self.url = "file://" + self.path("halves.mkv")
        self.camera = {"url": self.url}
        self.make_halves("black", "white")

    def make_halves(self, *colours):
        """Makes a clip whose left half is black. Each colour of its right half lasts a second."""
        play_file("concat name=join ! jpegenc ! matroskamux ! filesink name=file " + "".join(
            "videotestsrc num-buffers=25 pattern=black ! video/x-raw,width=80,height=120,"
            f"framerate=25/1 ! videobox right=-80 fill={colour} ! video/x-raw,width=160 ! join. "
            for colour in colours), self.path("halves.mkv"))

    def configure_looks(self, looks, **camera):
        """camera: further keys"""
        path = self.configure({"yard": {**self.camera, **camera}})
        with open(path, "a", encoding="utf-8") as file:
            for name, keys in looks.items():
                file.write(f"[look {name}]\ncamera=yard\n"
                           + "".join(f"{k}={v}\n" for k, v in keys.items()))
        return path

    def watch(self, looks, **camera):
        with Watch(self.configure_looks(looks, **camera)) as watch:
            watch.wait()
        self.assertEqual(self.messages(watch), [])
        return json.loads(watch.status.lines[-1])["cameras"][0]

    def messages(self, watch):
        return [line for line in watch.messages.lines if "connected" not in line]

    def results(self, look):
        """Returns the results of a look, or of the whole frame (None), in all frames."""
        return [result for frame in self.frames() for result in frame["results"]
                if result.get("look") == look]

    def test_all_looks_of_a_frame_are_in_its_line(self):
        status = self.watch({"left one": {"region": LEFT},
                             "right": {"region": RIGHT, "model": GATED}})
        self.assertEqual([[result["look"] for result in frame["results"]]
                          for frame in self.frames()], [["left one", "right"]] * 50)
        left, right = self.results("left one"), self.results("right")
        self.assertEqual([left[0][name] for name in ("x", "y", "width", "height")],
                         [0, 0, 80, 120])
        self.assertEqual(right[0]["x"], 80)
        self.assertNotEqual(left[0]["model"], right[0]["model"])
        self.assertEqual(len({result["raw_label"] for result in left}), 1)
        self.assertEqual((status["label"], len(status["looks"])), (None, 2))
        self.assertEqual(status["looks"][0]["name"], "left one")
        self.assertEqual(status["looks"][0]["label"], left[-1]["label"])
        self.assertIsNone(status["looks"][0]["scene_state"])
        self.assertGreater(status["looks"][1]["compute_ratio"], 0)

    def test_a_camera_without_looks_has_no_new_members(self):
        status = self.watch({})
        self.assertNotIn("looks", status)
        self.assertNotIn("look", self.results(None)[0])

    def test_each_look_has_events_of_its_own(self):
        """Only the right half changes."""
        self.watch({"left": {"region": LEFT, **STATE}, "right": {"region": RIGHT, **STATE}})
        log = self.read_log()
        black, white = (self.results("right")[i]["raw_label"] for i in (0, -1))
        self.assertNotEqual(black, white)
        found = [(line["look"], line["from"], line["to"], line["stream_id"])
                 for line in log if line.get("event") == "state"]
        left = self.results("left")[0]["raw_label"]
        self.assertEqual(sorted(found[:2]), [("left", None, left, "yard"),
                                             ("right", None, black, "yard")])
        self.assertEqual(found[2:], [("right", black, white, "yard")])

    def test_labels_of_interest_of_a_look(self):
        self.watch({"right": {"region": RIGHT, "labels": "class 2", "threshold": 0, "top-k": 10}})
        events = [line for line in self.read_log() if line.get("event") in ("appeared", "vanished")]
        self.assertEqual([(line["event"], line["look"]) for line in events],
                         [("appeared", "right"), ("vanished", "right")])

    def test_the_whole_frame_and_a_look(self):
        status = self.watch({"left": {"region": LEFT}}, **{"whole-frame": "true"})
        first = self.frames()[0]["results"]
        self.assertEqual([result.get("look") for result in first], [None, "left"])
        self.assertEqual(first[0]["width"], 160)
        self.assertEqual(status["label"], self.results(None)[-1]["label"])

    def test_a_change_in_any_look_is_logged(self):
        path = self.configure_looks({"left": {"region": LEFT}, "right": {"region": RIGHT}})
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with Watch(self.write("watch.conf", text.replace("frames=all", "frames=changes"))) as watch:
            watch.wait()
        labels = [tuple(result["label"] for result in frame["results"]) for frame in self.frames()]
        self.assertGreater(len(labels), 1)
        self.assertLess(len(labels), 25)
        self.assertTrue(all(a != b for a, b in zip(labels, labels[1:])), labels)

    def fresh(self, look):
        """Returns the numbers of the frames for which the look was inferred."""
        return [i for i, result in enumerate(self.results(look)) if result["state"] == "fresh"]

    def test_when_changed(self):
        """temporal=off would infer every frame."""
        self.make_halves("black", "black", "white", "white")
        off = {"temporal": "off"}
        self.watch({"all": {"region": RIGHT, **off},
                    "left": {"region": LEFT, "when-changed": "true", **off},
                    "right": {"region": RIGHT, "when-changed": "true", **off},
                    "old": {"region": RIGHT, "when-changed": "true", "max-age": 1.2, **off}})
        self.assertEqual(len(self.fresh("all")), 100)
        self.assertEqual(self.fresh("left"), [0])
        self.assertEqual(self.fresh("right"), [0, 50])
        # 1.2 s after the first frame, and after the one that has changed.
        self.assertEqual(len(self.fresh("old")), 4)

    def test_an_interval_in_seconds(self):
        looks = {name: {"region": RIGHT, "interval": interval, "temporal": "off"}
                 for name, interval in (("often", 0.2), ("seldom", 1.2), ("always", 0))}
        self.watch(looks)
        self.assertEqual(self.fresh("often"), list(range(0, 50, 5)))
        self.assertEqual(self.fresh("seldom"), [0, 30])
        self.assertEqual(len(self.fresh("always")), 50)
        self.assertEqual(self.results("seldom")[7]["state"], "interval")

    def test_an_inference_without_time_is_due_again_with_the_next_frame(self):
        """A budget that nothing keeps."""
        self.watch({"gate": {"interval": 0.08, "temporal": "off"}}, **{"latency-budget": 1e-6})
        states = [result["state"] for result in self.results("gate")]
        self.assertEqual(states[:2], ["fresh", "interval"])
        self.assertIn("late", states)
        self.assertNotIn(("late", "interval"), list(zip(states, states[1:])))

    def test_a_frame_of_none_of_the_classes_shows_no_label_and_no_state(self):
        """Every picture is far from the classes of this model."""
        model = self.path("taught.safetensors")
        taught_model.teach(MODEL, model, median=1e-4, limit=2e-4)
        keys = {"model": model, **STATE, "vanish-after": 0.4, "labels": "class 2", "top-k": 10}
        self.watch({"told": {**keys, "unknown-threshold": 0.9},
                    "default": keys,
                    "off": {**keys, "unknown-threshold": 0}})
        self.assertEqual(self.results("told")[0]["label"], "unknown")
        for look, count in ("told", 1), ("default", 1), ("off", 2):
            found = [line["to"] for line in self.read_log()
                     if line.get("look") == look and line["event"] == "state"]
            self.assertEqual((look, len(found)), (look, count))
            self.assertEqual(found[0] == "unknown", look != "off")
        self.assertEqual({line["look"] for line in self.read_log()
                          if line.get("event") == "appeared"}, {"off"})

    def check(self, looks, message, *options):
        path = self.configure_looks(looks)
        for arguments in options or (["--check"], []):
            result = subprocess.run([WATCH, *arguments, path], capture_output=True, text=True,
                                    timeout=LIMIT, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertRegex(result.stderr, r"watch.conf: \[look gate\] " + message)

    def test_errors_name_group_and_key(self):
        for region, message in (("1,2,3", "has 3 numbers, expected x,y,width,height"),
                                ("0,0,x,4", 'has "x" as its width'),
                                ("60%,0,50%,1", "reaches beyond the frame's width"),
                                ("0,0,0,4", "width of 0")):
            self.check({"good": {"region": LEFT}, "gate": {"region": region}},
                       "region: .*" + message)
        self.check({"gate": {"labels": "clas 3", "model": MODEL}},
                   r'labels: "clas 3" is not a label of the model \(nearest: "class 3"\)')
        self.check({"gate": {"state": "true", "states": "class 1; ajar"}},
                   'states: "ajar" is not a label of the model')
        model = self.write("bad.safetensors", "nonsense")
        self.check({"gate": {"model": model}}, "model: .*bad.safetensors: is not a", ["--check"])

    def test_a_region_beyond_the_frame_is_an_error_of_the_camera(self):
        """The size of frames is known only then."""
        with Watch(self.configure_looks({"gate": {"region": "100,0,100,120"}})) as watch:
            watch.message("camera yard, .*: look gate: .*100,0,100,120 reaches beyond the frame of "
                          "160x120 pixels")
        waiting = next(line for line in self.read_log() if line.get("event") == "waiting")
        self.assertRegex(waiting["reason"], "^look gate: ")

    def test_a_changed_look_restarts_only_its_camera(self):
        self.camera = self.endless()
        path = self.configure({"yard": self.camera, "other": self.endless()})
        with open(path, encoding="utf-8") as file:
            text = file.read()
        look = "[look gate]\ncamera=yard\n"
        with Watch(self.write("watch.conf", text + look)) as watch:
            watch.camera_where("yard", lambda camera: camera["looks"][0]["label"])
            self.write("watch.conf", text + look + "top-k=2\n")
            self.assertRegex(watch.reload(), "cameras kept: 1, stopped: 1, started: 1")
            watch.more_frames("yard", 1)
            ask = subprocess.run([WATCH, "--status", path], capture_output=True, text=True,
                                 timeout=LIMIT, check=True)
            self.assertRegex(ask.stdout, r"(?m)^  +look gate: \d+ % compute, class \d \d+ %$")
            self.write("watch.conf", text)
            watch.reload()
            watch.camera_where("yard", lambda camera: "looks" not in camera and camera["label"])
        self.assertEqual(len(self.results("gate")[-1]["raw_classes"]), 2)

    def test_a_replaced_model_of_a_look_is_loaded_again(self):
        """The other look keeps its own, and no frame is lost."""
        self.camera = self.endless()
        model = self.path("gate.safetensors")
        shutil.copy(MODEL, model)
        with Watch(self.configure_looks({"gate": {"model": model}, "bin": {}})) as watch:
            watch.more_frames("yard", 1)
            shutil.copy(GATED, self.path("new"))
            os.replace(self.path("new"), model)
            self.assertRegex(watch.reload(), "cameras kept: 1")
            watch.message("camera yard: its model or labels have changed and are loaded again")
            while self.results("gate")[-1]["model"] == "golden-small":
                watch.more_frames("yard", 1)
            self.write("gate.safetensors", "nonsense")
            watch.reload()
            watch.message("camera yard, look gate: .*gate.safetensors")
        self.assertEqual({result["model"] for result in self.results("bin")}, {"golden-small"})
        numbers = [frame["frame"] for frame in self.frames()]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])


if __name__ == "__main__":
    unittest.main(verbosity=2)
