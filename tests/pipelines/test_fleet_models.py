"""vitgate-watch in a fleet: models that are fetched, and those that change in etcd. Skipped without
etcd. Environment: see watch_case.py."""

import hashlib
import os
import subprocess
import unittest

import etcd_cluster
from cameras import LIMIT, MODEL, skip_all
from model_server import ModelServer
from watch_case import QUICK, WATCH, Watch, WatchTest

GATED = os.environ["VITGATE_TEST_GATED_MODEL"]
os.environ.pop("VITGATE_ETCD", None)

if not etcd_cluster.is_installed():
    skip_all("etcd is not installed")


def read(path):
    with open(path, "rb") as file:
        return file.read()


class FleetModels(WatchTest):
    def setUp(self):
        super().setUp()
        self.cluster = etcd_cluster.Cluster()
        self.addCleanup(self.cluster.__exit__)
        self.keys = self.endless()
        defaults = "".join(f"{name}={value}\n" for name, value in QUICK.items())
        self.config = self.write("node.conf", (
            f"[fleet]\netcd={self.cluster.urls[0]}\nnode=one\nlease=2\ncapacity=10\n"
            f"[watch]\nmodel-cache={self.path('cache')}\nmodel-retry-least=0.05\n"
            f"[log]\nfile={self.log}\nframes=all\n[defaults]\n{defaults}"))

    def put(self, **keys):
        text = "[camera yard]\n" + "".join(f"{name}={value}\n"
                                           for name, value in {**self.keys, **keys}.items())
        subprocess.run([WATCH, "--fleet", "put", "-", "--config", self.config], input=text,
                       text=True, capture_output=True, timeout=LIMIT, check=True)

    def wait_for_model(self, watch, name):
        while True:
            watch.more_frames("yard", 1)
            if self.frames("yard")[-1]["results"][0]["model"] == name:
                return

    def test_a_model_that_changes_in_etcd_is_swapped_while_frames_pass(self):
        with ModelServer({"/gated": read(GATED)}) as server, Watch(self.config) as watch:
            self.put()
            self.wait_for_model(watch, "golden-small")
            digits = hashlib.sha256(read(GATED)).hexdigest()
            self.put(model=f"{server.url}/gated#sha256={digits}")
            self.wait_for_model(watch, "gated_model")
        numbers = [frame["frame"] for frame in self.frames("yard")]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])
        # It connects again only where the clip begins.
        self.assertEqual(self.events("yard"), ["connected", "ended"] * numbers.count(0))

    def test_labels_that_the_model_does_not_have(self):
        """The key file's labels are checked at the start; those of the fleet come later."""
        self.put(labels="clas 3", model=MODEL)
        with Watch(self.config) as watch:
            watch.message(r'camera of the fleet: \[camera yard\] labels: "clas 3" is not a label of '
                          r'the model \(nearest: "class 3"\)')
            self.assertEqual(watch.camera_where("yard", bool)["frames"], 0)
            self.put(labels="class 3", model=MODEL)
            watch.more_frames("yard")


if __name__ == "__main__":
    unittest.main(verbosity=2)
