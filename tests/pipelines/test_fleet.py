"""Several vitgate-watch share cameras on a real etcd, and processes die. Skipped without etcd.
Environment: see watch_case.py."""

import contextlib
import signal
import time
import unittest

import etcd_cluster
from fleet_case import TAKE_TIME, FleetTest


class Fleet(FleetTest):
    def test_a_node_that_dies_is_replaced_and_gets_its_cameras_back(self):
        self.put_cameras()
        with self.node("b"):
            with self.doomed_node("a"):
                self.wait_for_owners("a", "b")
                self.wait_for_frames()
                owned = self.cameras_of("a")
            self.wait_for_owners("b")
            self.wait_for_frames()
            with self.node("a"):
                self.wait(lambda: self.cameras_of("a") == owned, 2 * TAKE_TIME,
                          "the same cameras as before")
                self.wait_for_frames()
        self.check_lines()

    def test_a_node_that_stops_hands_over_at_once(self):
        self.put_cameras()
        with self.node("b"):
            with self.node("a"):
                self.wait_for_owners("a", "b")
                self.wait_for_frames()
            self.assertLess(self.wait_for_owners("b"), self.LEASE)
            self.wait_for_frames()
        self.check_lines()

    def test_a_node_that_was_paused_writes_nothing_as_an_old_owner(self):
        self.put_cameras()
        with self.node("a") as a, self.node("b"):
            self.wait_for_owners("a", "b")
            self.wait_for_frames()
            a.process.send_signal(signal.SIGSTOP)
            self.wait_for_owners("b")
            self.wait_for_frames()
            a.process.send_signal(signal.SIGCONT)
            self.wait_for_owners("a", "b", seconds=2 * TAKE_TIME)
            self.wait_for_frames()
        self.check_lines()

    def test_without_etcd_cameras_go_on_until_the_lease_is_over(self):
        with etcd_cluster.Cluster() as cluster:
            self.use(cluster)
            self.put_cameras()
            with self.node("a", cluster.urls) as a:
                self.wait_for_frames()
                cluster.kill(0)
                killed = time.monotonic()
                self.wait(lambda: time.monotonic() - self.follower.lines[-1].time > 1,
                          self.LEASE + TAKE_TIME, "frames end")
                self.assertLess(self.follower.lines[-1].time - killed, self.LEASE)
                a.message("etcd cannot be used")
                cluster.start(0)
                cluster.wait()
                self.wait_for_frames(4 * TAKE_TIME)
        self.check_lines(longest=6 * TAKE_TIME)

    def test_a_drained_node_gives_its_cameras_away(self):
        self.put_cameras()
        with self.node("a"), self.node("b"):
            self.wait_for_owners("a", "b")
            self.wait_for_frames()
            self.gateway.put(self.prefix + "drain/a")
            self.wait_for_owners("b")
            self.gateway.delete(self.prefix + "drain/a")
            self.wait_for_owners("a", "b")
            self.wait_for_frames()
        self.check_lines()

    def test_a_changed_camera_changes_and_a_removed_one_stops(self):
        self.put_cameras()
        with self.node("a") as a:
            self.wait_for_frames()
            self.gateway.delete(self.prefix + "cameras/" + self.CAMERAS[0])
            self.put_cameras([self.CAMERAS[1]], **{"top-k": 1})
            a.status_where(lambda status: len(status["cameras"]) == len(self.CAMERAS) - 1)
            self.wait_for_owners("a", names=self.CAMERAS[1:])
            self.wait_for_frames(names=self.CAMERAS[1:])
        self.check_lines()

    def test_a_fleet_that_was_quiet_goes_on(self):
        self.put_cameras(self.CAMERAS[:1])
        with self.node("a"):
            self.wait_for_frames(names=self.CAMERAS[:1])
            count = self.cluster.count_ended_watches()
            self.wait(lambda: self.cluster.count_ended_watches() > count, 30, "a new watch")
            self.put_cameras(self.CAMERAS[1:])
            self.wait_for_frames()
        self.check_lines()

    def test_only_the_camera_whose_text_is_wrong_is_refused(self):
        self.put_cameras()
        self.gateway.put(f"{self.prefix}cameras/wrong", self.camera_text("wrong", colour="blue"))
        with self.node("a") as a:
            a.message("wrong.*colour")
            self.wait_for_frames()
            self.put_cameras(["wrong"])
            self.wait_for_frames(names=["wrong"])
        self.check_lines()

    def test_the_second_node_of_a_name_waits_until_it_is_free(self):
        self.put_cameras()
        log = self.path("second.jsonl")
        with contextlib.ExitStack() as stack:
            with self.doomed_node("a"):
                self.wait_for_frames()
                second = stack.enter_context(self.node("a", log={"file": log, "frames": "all"}))
                second.message("node a")
            self.follower.paths["second"] = log
            self.wait_for_frames(2 * TAKE_TIME)
        self.check_lines()


if __name__ == "__main__":
    unittest.main()
