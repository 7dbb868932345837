"""The watch by which a member of a fleet learns of changes: while it is quiet, when it hangs, and
when etcd no longer has the changes. Skipped without etcd. Environment: see watch_case.py."""

import unittest

import etcd_cluster
from fleet_case import TAKE_TIME, FleetTest


class FleetWatch(FleetTest):
    LEASE = 6  # seconds: less would be over while the machine is busy

    def wait_for_questions(self, count):
        """Waits until the node has asked so many times whether its watch has missed something."""
        now = self.cluster.count_handled("Range")
        self.wait(lambda: self.cluster.count_handled("Range") >= now + count, 20 * count,
                  "questions")

    def test_a_fleet_that_is_quiet_keeps_its_watch(self):
        self.put_cameras(self.CAMERAS[:1])
        with self.node("a"):
            self.wait_for_frames(names=self.CAMERAS[:1])
            self.wait_for_questions(1)
            ended = self.cluster.count_handled("Watch")
            self.wait_for_questions(2)
            self.put_cameras(self.CAMERAS[1:])
            self.wait_for_frames()
            self.assertEqual(self.cluster.count_handled("Watch"), ended)
        self.check_lines()

    def test_a_watch_that_hangs_is_opened_again(self):
        self.put_cameras(self.CAMERAS[:1])
        with etcd_cluster.Relay(self.cluster.urls[0]) as relay:
            with self.node("a", [relay.url]) as a:
                self.wait_for_frames(names=self.CAMERAS[:1])
                relay.silence_watches()
                self.put_cameras(self.CAMERAS[1:])
                self.wait_for_frames(seconds=6 * TAKE_TIME)
                self.assertEqual(a.status_where(bool)["fleet"]["claims_lost"], 0)
        self.check_lines(longest=6 * TAKE_TIME)

    def test_changes_that_etcd_has_compacted_are_not_missed(self):
        """The watch breaks, and the revision at which it would go on is no longer there."""
        self.put_cameras(self.CAMERAS[:3])
        with etcd_cluster.Relay(self.cluster.urls[0]) as relay:
            with self.node("a", [relay.url]) as a:
                self.wait_for_frames(names=self.CAMERAS[:3])
                relay.hold()
                relay.drop()
                self.gateway.delete(self.prefix + "cameras/" + self.CAMERAS[0])
                self.put_cameras(self.CAMERAS[3:])
                self.gateway.compact()
                relay.release()
                a.status_where(lambda status: {camera["name"] for camera in status["cameras"]}
                               == set(self.CAMERAS[1:]))
                self.wait_for_frames(seconds=4 * TAKE_TIME, names=self.CAMERAS[1:])
                fleet = a.status_where(bool)["fleet"]
                self.assertEqual((fleet["claims_won"], fleet["claims_lost"]), (4, 0))
                self.assertGreater(fleet["etcd_errors"], 0)
        self.check_lines(longest=4 * TAKE_TIME)


if __name__ == "__main__":
    unittest.main()
