"""Several vitgate-watch share cameras on a real etcd, and processes die. Skipped without etcd.
Environment: see watch_case.py."""

import contextlib
import os
import signal
import time
import unittest

import etcd_cluster
from fleet_case import TAKE_TIME, FleetTest
from page_client import Browser, page_url


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

    @unittest.skipUnless(os.environ.get("CLOCK_SHIFT_LIBRARY"), "the clock cannot be shifted here")
    def test_a_clock_that_jumps_moves_nothing(self):
        self.put_cameras()
        shift = self.write("shift", "0\n")
        environment = {"LD_PRELOAD": os.environ["CLOCK_SHIFT_LIBRARY"], "CLOCK_SHIFT": shift}
        with self.node("a", environment=environment), self.node("b"):
            self.wait_for_owners("a", "b")
            self.wait_for_frames()
            owners = self.owners()
            for seconds in 86400 * 1000, -86400 * 1000:
                self.write("shift", f"{seconds}\n")
                renewals = self.cluster.count_messages("LeaseKeepAlive")
                self.wait_for_frames()
                self.wait(lambda: self.cluster.count_messages("LeaseKeepAlive") > renewals + 6,
                          4 * self.LEASE, "renewals")
            self.assertEqual(self.owners(), owners)
        self.check_lines()

    def test_figures_of_a_member_are_those_of_etcd(self):
        self.put_cameras()
        with self.node("a", page={"listen": "127.0.0.1:0"}) as a:
            self.wait_for_frames()
            browser = Browser(page_url(a))

            def figures():
                lines = browser.get("/metrics").body.decode().splitlines()
                return {name[len("vitgate_fleet_"):]: float(value) for name, value in
                        (line.split(" ") for line in lines if line.startswith("vitgate_fleet_"))}

            now = figures()
            self.assertEqual({name: now[name] for name in now if not name.endswith("seconds")},
                             {"member": 1, "owned_cameras": 4, "refused_cameras": 0, "cameras": 4,
                              "unowned_cameras": 0, "nodes": 1, "capacity_gmacs_per_second": 100,
                              "load_gmacs_per_second": now["load_gmacs_per_second"],
                              "claims_won_total": 4, "claims_lost_total": 0,
                              "etcd_errors_total": now["etcd_errors_total"]})
            self.assertGreater(now["lease_seconds"], 0)
            self.assertLessEqual(now["lease_seconds"] + now["renewal_age_seconds"], self.LEASE)
            key = f"{self.prefix}claims/{self.CAMERAS[0]}"
            self.gateway.delete(key)  # as an administrator may do
            self.wait(lambda: figures()["claims_lost_total"] == 1, TAKE_TIME, "a lost claim")
            self.wait(lambda: figures()["claims_won_total"] == 5, 2 * TAKE_TIME, "a new claim")
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
