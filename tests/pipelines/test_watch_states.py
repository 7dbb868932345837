"""vitgate-watch reports states of clips whose colour changes. Environment: see watch_case.py."""

import json
import os
import time
import unittest

from cameras import Gst, make_clip
from watch_case import Watch, WatchTest

STATE = {"state": "true", "threshold": 0, "state-lead": 1, "appear-after": 0.4,
         "vanish-after": 0.4}


def states(lines):
    return [(line["from"], line["to"]) for line in lines if line.get("event") == "state"]


class States(WatchTest):
    def clip_of(self, **frames):
        """Returns the URL of a new clip. frames: of each pattern"""
        path = self.path("colours.mkv")
        make_clip(path, **frames)
        return "file://" + path

    def watch(self, **keys):
        with Watch(self.configure({"gate": {**STATE, **keys}})) as watch:
            watch.wait()
        return watch

    def test_a_change_of_colour_is_a_change_of_state(self):
        watch = self.watch(url=self.clip_of(black=25, white=25))
        log = self.read_log()
        frames = [line["results"][0] for line in log if "frame" in line]
        black, white = (frames[i]["raw_label"] for i in (0, -1))
        self.assertNotEqual(black, white)
        self.assertEqual(states(log), [(None, black), (black, white)])
        first, second = (line for line in log if line.get("event") == "state")
        self.assertEqual(first["running_time"], 0)
        self.assertEqual(second["running_time"], Gst.SECOND)
        self.assertLess(second["score"], 1)
        # Half of the window is 0.2 s.
        seen = [line for line in log[:log.index(second)] if "frame" in line]
        self.assertGreater(seen[-1]["running_time"], 1.1 * Gst.SECOND)
        self.assertLess(seen[-1]["running_time"], 1.45 * Gst.SECOND)
        # All classes of the model.
        self.assertEqual(len(frames[0]["raw_classes"]), 10)
        self.assertEqual(json.loads(watch.status.lines[-1])["cameras"][0]["scene_state"], white)

    def test_a_flash_changes_nothing(self):
        self.watch(url=self.clip_of(black=25, white=3))
        self.assertEqual(len(states(self.read_log())), 1)

    def test_a_scene_below_the_threshold_is_unknown(self):
        self.watch(url=self.clip_of(black=25), threshold=1)
        self.assertEqual(states(self.read_log()), [(None, "unknown")])

    def test_only_some_labels_are_states(self):
        self.watch(url=self.clip_of(black=25, white=25))
        black = states(self.read_log())[0][1]
        self.log = self.path("other.jsonl")
        self.watch(url=self.clip_of(black=25, white=25), states=black.upper())
        self.assertEqual(states(self.read_log()), [(None, black.upper()),
                                                   (black.upper(), "unknown")])

    def test_the_same_state_in_every_round_of_a_clip_is_one_event(self):
        path = self.configure({"gate": {**STATE, "url": self.clip_of(black=25),
                                        "repeat": "true"}})
        with Watch(path) as watch:
            watch.camera_where("gate", lambda camera: camera["frames"] > 80)
        self.assertEqual(len(states(self.read_log())), 1)

    def test_the_state_of_a_camera_that_is_lost_becomes_unknown(self):
        """A clip that vanishes stands for a camera that does not return. The state does not wait for
        the next attempt."""
        path = self.configure({"gate": {**STATE, "url": self.clip_of(black=25), "repeat": "true",
                                        "keep-state": 0.7, "retry-least": 20, "retry-most": 60}})
        with Watch(path) as watch:
            watch.camera_where("gate", lambda camera: camera.get("scene_state"))
            os.replace(self.write("nonsense", "nonsense"), self.path("colours.mkv"))
            watch.message("next attempt in")
            start = time.monotonic()
            watch.camera_where("gate", lambda camera: camera["scene_state"] == "unknown")
            self.assertLess(time.monotonic() - start, 5)
        last = [line for line in self.read_log() if line.get("event") == "state"][-1]
        self.assertEqual(last["reason"], "camera lost")
        self.assertNotIn("score", last)


if __name__ == "__main__":
    unittest.main(verbosity=2)
