"""Divides cameras among many nodes of a fleet on a real etcd. The code that claims cameras is the
real one (fleet-nodes.c); only the cameras are not watched."""

import collections
import json
import math
import os
import subprocess
import sys
import time
import urllib.request

import etcd_cluster

FLEET = "bench"
PREFIX = f"/vitgate/{FLEET}/"
LIMIT = 900  # seconds
STARTS = 10  # nodes per second
REST = 20  # seconds in which nothing happens
STEP = 0.25  # seconds between questions


class Nodes:
    """A process with some of the nodes."""

    def __init__(self, build, cluster, lease, first, count):
        self.process = subprocess.Popen(
            [build / "tests/bench/fleet-nodes", ",".join(cluster.urls), FLEET, str(first),
             str(count), str(lease), str(STARTS)], stdout=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Counter:
    """What all nodes of etcd have done since it was made."""

    NAMES = {"requests": "grpc_server_handled_total", "events": "etcd_debugging_mvcc_events_total"}

    def __init__(self, cluster):
        self.cluster, self.time = cluster, time.monotonic()
        self.start = self.read()

    def read(self):
        values = collections.Counter()
        for url, node in zip(self.cluster.urls, self.cluster.nodes):
            values["cpu"] += cpu_seconds(node)
            with urllib.request.urlopen(url + "/metrics", timeout=30) as answer:
                for line in answer.read().decode().splitlines():
                    for name, metric in self.NAMES.items():
                        if line.startswith((metric + " ", metric + "{")):
                            values[name] += float(line.rsplit(" ", 1)[1])
        return values

    def events(self):
        return self.read()["events"] - self.start["events"]

    def result(self):
        """Returns requests per second, events sent per second, and cores used."""
        seconds, now = time.monotonic() - self.time, self.read()
        return {name: (now[name] - self.start[name]) / seconds
                for name in ("requests", "events", "cpu")}


def claims_of(gateway):
    """Returns {camera: (node, revision)}."""
    return {camera: (json.loads(value)["node"], revision)
            for camera, (value, revision) in gateway.read(PREFIX + "claims/").items()}


def wait_for(condition, what):
    """Returns how long it took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > LIMIT:
            sys.exit(f"not within {LIMIT} s: {what}")
        time.sleep(STEP)
    return time.monotonic() - start


def wait_until_calm(gateway, seconds):
    """Waits until nobody has claimed anything for so long. Returns the time until the last claim."""
    start = last_change = time.monotonic()
    claims = claims_of(gateway)
    while time.monotonic() - last_change < seconds:
        if time.monotonic() - start > LIMIT:
            sys.exit(f"not calm within {LIMIT} s")
        time.sleep(1)
        now = claims_of(gateway)
        if now != claims:
            claims, last_change = now, time.monotonic()
    return last_change - start


class Simulation:
    def __init__(self, build, nodes, cameras, lease, pace, cluster):
        self.build, self.nodes, self.cameras, self.lease = build, nodes, cameras, lease
        self.pace = pace  # cameras per second that are put
        self.cluster, self.gateway = cluster, cluster.gateway(timeout=60)
        self.result = {"nodes": nodes, "cameras": cameras, "lease": lease, "pace": pace,
                       "etcd_nodes": len(cluster.nodes)}

    def count(self, part):
        return self.gateway.count(f"{PREFIX}{part}/")

    def claims_are(self, count):
        return lambda: self.count("claims") == count

    def note(self, **values):
        self.result.update(values)
        for name, value in values.items():
            text = f"{value:.3g}" if isinstance(value, float) and value < 10 else \
                f"{value:.1f}" if isinstance(value, float) else value
            print(f"{name.replace('_', ' ')}: {text}", flush=True)

    def note_work(self, state, counter):
        work = counter.result()
        self.note(**{f"requests_per_second_{state}": work["requests"],
                     f"events_per_second_{state}": work["events"],
                     f"cores_of_etcd_{state}": work["cpu"]})

    def start(self, first, count):
        return Nodes(self.build, self.cluster, self.lease, first, count)

    def settle(self):
        """Gives the cameras to a fleet that has none."""
        counter, start = Counter(self.cluster), time.monotonic()
        for first in range(0, self.cameras, self.pace):
            self.gateway.put_all((f"{PREFIX}cameras/camera-{i}",
                                  f"[camera camera-{i}]\nurl=rtsp://host/{i}\n")
                                 for i in range(first, min(first + self.pace, self.cameras)))
            time.sleep(max(0, start + first / self.pace + 1 - time.monotonic()))
        self.note(put_seconds=time.monotonic() - start)
        wait_for(self.claims_are(self.cameras), "every camera has an owner")
        self.note(owned_seconds=time.monotonic() - start)
        self.note_work("while_settling", counter)
        # Each node has to hear of each camera and of its claim.
        self.note(events_for_each_due=counter.events() / (2 * self.cameras * self.nodes))
        claims, revision = claims_of(self.gateway), self.gateway.revision()
        wait_until_calm(self.gateway, 2 * self.lease)
        moved = sum(claims[camera] != claim for camera, claim in claims_of(self.gateway).items())
        self.note(moved_afterwards=moved, revision=revision)
        shares = collections.Counter(node for node, _ in claims_of(self.gateway).values())
        self.note(smallest_share=min(shares.values()), largest_share=max(shares.values()),
                  nodes_with_cameras=len(shares))

    def rest(self):
        counter = Counter(self.cluster)
        time.sleep(REST)
        self.note_work("at_rest", counter)

    def lose(self, one):
        """Kills a node. Returns the claims before that."""
        before, died = claims_of(self.gateway), time.monotonic()
        lost = {camera for camera, (node, _) in before.items() if node == "node-0"}
        one.kill()
        wait_for(lambda: self.count("claims") < self.cameras, "the dead node's claims end")
        self.note(lost=len(lost), lease_over_seconds=time.monotonic() - died)
        wait_for(self.claims_are(self.cameras), "its cameras have owners again")
        self.note(replaced_seconds=time.monotonic() - died)
        wait_until_calm(self.gateway, 2 * self.lease)
        moved = self.moved_since(before)
        self.note(moved=len(moved), moved_of_others=len(moved - lost))
        return before

    def moved_since(self, before):
        after = claims_of(self.gateway)
        return {camera for camera in before if before[camera] != after.get(camera)}

    def come_back(self, before):
        with_others, start = claims_of(self.gateway), time.monotonic()
        one = self.start(0, 1)
        own = {camera for camera, (node, _) in before.items() if node == "node-0"}

        def has_own():
            return own == {camera for camera, (node, _) in claims_of(self.gateway).items()
                           if node == "node-0"}

        wait_for(has_own, "the node that has come back has its cameras")
        self.note(back_seconds=time.monotonic() - start)
        wait_until_calm(self.gateway, 2 * self.lease)
        moved = self.moved_since(with_others)
        self.note(taken_back=len(moved), taken_back_of_others=len(moved - own))
        return one

    def run(self):
        processes = [self.start(1, self.nodes - 1), self.start(0, 1)]
        try:
            self.note(nodes_seconds=wait_for(lambda: self.count("nodes") == self.nodes,
                                             "all nodes are there"))
            self.settle()
            self.rest()
            before = self.lose(processes.pop())
            processes.append(self.come_back(before))
        finally:
            for nodes in processes:
                nodes.kill()
        allowed = math.ceil(1.05 * self.result["lost"])
        if self.result["moved"] > allowed:
            sys.exit(f"{self.result['moved']} cameras moved, {allowed} may")


def simulate(build, nodes, cameras, lease, pace, etcd):
    """Returns the figures, and prints each when it is known."""
    with etcd_cluster.Cluster(etcd) as cluster:
        simulation = Simulation(build, nodes, cameras, lease, pace, cluster)
        simulation.run()
    return simulation.result
