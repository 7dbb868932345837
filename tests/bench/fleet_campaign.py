"""Runs a fleet with test cameras while its parts die: three nodes of etcd, four processes and eight
cameras, all real. Environment: see watch_case.py."""

import contextlib
import signal
import sys
import time

from cameras import Server
from etcd_cluster import Relay
from fleet_case import TAKE_TIME, FleetTest
from test_watch_mqtt import Broker, Subscriber
from watch_case import QUICK

NAMES = "a", "b", "c", "d"
FPS = 10
CUT_OFF = "d"  # reaches etcd over relays
ELECTION = 1  # seconds: --election-timeout of etcd_cluster


class Campaign(FleetTest):
    ETCD = 3
    CAMERAS = [f"camera {i}" for i in range(8)]

    def runTest(self):
        """Makes the class complete."""

    def setUp(self):
        super().setUp()
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.server = self.stack.enter_context(Server("--fps", str(FPS)))
        self.broker = self.stack.enter_context(Broker(self))
        self.subscriber = self.stack.enter_context(Subscriber(self.broker))
        self.relays = [self.stack.enter_context(Relay(url)) for url in self.cluster.urls]
        self.members, self.rows, self.errors = {}, [], []

    def check(self, good, message):
        if good:
            return
        self.errors.append(message)
        print("error:", message, flush=True)
        for name, member in self.members.items():
            for line in member.messages.lines[-8:]:
                print(f"  {name}: {line}", flush=True)

    # ---- Members ----

    def camera_text(self, name, **keys):
        return f"[camera {name}]\nurl={self.server.url}\nstall-timeout=3\n"

    def start(self, name):
        mqtt = {"host": "127.0.0.1", "port": self.broker.port, "spool": self.path(f"spool-{name}"),
                "client-id": name, "frames": "all", "retry-least": 0.05, "retry-most": 0.3}
        urls = [relay.url for relay in self.relays] if name == CUT_OFF else None
        self.members[name] = self.node(name, urls, mqtt=mqtt,
                                       defaults=QUICK | {"inference-interval": FPS})

    def stop(self, name):
        self.members.pop(name).__exit__(None)

    def signal(self, name, number):
        self.members[name].process.send_signal(number)

    def wait_for_own(self, name, owned):
        """Waits until a member has exactly the cameras that it had."""
        self.wait(lambda: self.cameras_of(name) == owned, self.LEASE + 4 * TAKE_TIME,
                  f"{name} owns {sorted(owned)}")

    # ---- Faults: each is a method that returns the cameras that may have moved ----

    def fault_kill_a_member(self):
        owned = self.cameras_of("a")
        self.members.pop("a").kill()
        self.wait_for_owners("b", "c", "d")
        return owned

    def fault_the_killed_member_returns(self):
        self.start("a")
        self.wait_for_owners(*NAMES, seconds=4 * TAKE_TIME)
        return self.cameras_of("a")

    def fault_pause_a_member(self):
        owned = self.cameras_of("b")
        self.signal("b", signal.SIGSTOP)
        self.wait_for_owners("a", "c", "d")
        self.wait_for_frames()
        self.signal("b", signal.SIGCONT)
        self.wait_for_own("b", owned)
        return owned

    def fault_cut_a_member_off_from_etcd(self):
        owned = self.cameras_of(CUT_OFF)
        for relay in self.relays:
            relay.hold()
        self.wait_for_owners("a", "b", "c")
        self.wait_for_frames()
        for relay in self.relays:
            relay.release()
        self.wait_for_own(CUT_OFF, owned)
        return owned

    def fault_restart_each_member(self):
        for name in NAMES:
            owned = self.cameras_of(name)
            self.stop(name)
            self.start(name)
            self.wait_for_own(name, owned)
            self.wait_for_frames()
        return set(self.CAMERAS)

    def fault_drain_a_member(self):
        owned = self.cameras_of("c")
        self.gateway.put(self.prefix + "drain/c")
        self.wait_for_owners("a", "b", "d")
        self.wait_for_frames()
        self.gateway.delete(self.prefix + "drain/c")
        self.wait_for_own("c", owned)
        return owned

    def fault_kill_each_node_of_etcd(self):
        for i in range(self.ETCD):
            self.cluster.kill(i)
            time.sleep(self.LEASE + 1)
            self.cluster.start(i)
            self.cluster.wait_for_all()
        return set()

    def fault_pause_each_node_of_etcd(self):
        for i in range(self.ETCD):
            self.cluster.pause(i)
            time.sleep(self.LEASE + 1)
            self.cluster.go_on(i)
            self.cluster.wait_for_all()
        return set()

    def fault_lose_the_majority_for_a_second(self):
        for i in 0, 1:
            self.cluster.pause(i)
        time.sleep(1)
        for i in 0, 1:
            self.cluster.go_on(i)
        time.sleep(self.LEASE)
        return set()

    def fault_lose_the_majority(self):
        killed = time.monotonic()
        for i in 0, 1:
            self.cluster.kill(i)
        self.wait(lambda: time.monotonic() - self.follower.lines[-1].time > 2,
                  self.LEASE + TAKE_TIME, "the fence")
        last = self.follower.lines[-1].time - killed
        # The leader renews leases until it notices that nobody follows. That does no harm: the next
        # leader lets all leases begin anew.
        self.check(last < self.LEASE + ELECTION, f"without a majority, lines were written for {last:.1f} s")
        for i in 0, 1:
            self.cluster.start(i)
        self.cluster.wait_for_all()
        back = self.wait_for_frames(self.LEASE + 8 * TAKE_TIME)
        self.wait_for_owners(*NAMES, seconds=8 * TAKE_TIME)
        print(f"  lines for {last:.1f} s, frames again {back:.1f} s after etcd", flush=True)
        return set(self.CAMERAS)

    # ---- The campaign ----

    # Seconds without frames, beyond the lease.
    FAULTS = {"kill a member": TAKE_TIME, "the killed member returns": 0, "pause a member": TAKE_TIME,
              "cut a member off from etcd": TAKE_TIME, "restart each member": 0,
              "drain a member": 0, "kill each node of etcd": 0, "pause each node of etcd": 0,
              "lose the majority for a second": 0, "lose the majority": 2 * TAKE_TIME}

    def run_fault(self, name, longest):
        """longest: seconds without frames"""
        self.wait_for_frames()
        before, since, start = self.owners(), len(self.follower.lines), time.monotonic()
        try:
            allowed = getattr(self, "fault_" + name.replace(" ", "_"))()
            self.wait_for_frames(4 * TAKE_TIME)
        except AssertionError as error:
            self.check(False, f"{name}: {error}")
            return
        after = self.owners()
        moved = {camera for camera in before if before[camera] != after.get(camera)}
        gap = self.longest_gap(since, start)
        self.check(moved <= allowed, f"{name}: moved too: {sorted(moved - allowed)}")
        self.check(gap < longest, f"{name}: {gap:.1f} s without frames")
        self.rows.append({"fault": name, "moved": len(moved), "seconds_without_frames": gap})
        print(f"{name}: {len(moved)} cameras moved, {gap:.1f} s without frames", flush=True)

    def longest_gap(self, since, start):
        last, longest = dict.fromkeys(self.CAMERAS, start), 0
        for line in self.follower.lines[since:]:
            if not line.event:
                longest = max(longest, line.time - last[line.camera])
                last[line.camera] = line.time
        return max(longest, time.monotonic() - min(last.values()))

    def check_messages(self):
        """Returns how many lines of the logs the broker did not get."""
        written = set()
        for path in self.follower.paths.values():
            with open(path, encoding="utf-8") as file:
                written |= set(file.read().splitlines())
        received = {line[line.index(" {") + 1:] for line in self.subscriber.output.lines
                    if self.subscriber.is_message(line)}
        return len(written), len(written - received)

    def campaign(self, wanted):
        """wanted: part of the faults' names"""
        self.put_cameras()
        for name in NAMES:
            self.start(name)
        try:
            self.wait_for_owners(*NAMES, seconds=8 * TAKE_TIME)
            for name, longest in self.FAULTS.items():
                if wanted in name:
                    self.run_fault(name, longest + self.LEASE)
            for member in self.members.values():
                member.status_where(lambda status: status["mqtt"]["queued"] == 0)
            for name in list(self.members):
                self.stop(name)
        finally:
            for member in self.members.values():
                member.kill()
        try:
            self.check_lines(longest=600)
        except AssertionError as error:
            self.check(False, str(error))
        lines, lost = self.check_messages()
        self.check(lost <= 1, f"{lost} lines are in a log, but were not delivered")
        print(f"{lines} lines, {lost} not delivered (one may be when a member is killed)")
        return {"lease": self.LEASE, "faults": self.rows, "lines": lines, "not_delivered": lost,
                "errors": self.errors}


def run_campaign(lease, wanted):
    """wanted: part of the faults' names"""
    Campaign.LEASE = lease
    Campaign.setUpClass()
    try:
        test = Campaign()
        try:
            test.setUp()
            return test.campaign(wanted)
        finally:
            test.doCleanups()
    finally:
        Campaign.doClassCleanups()
        sys.stdout.flush()
