"""Shared by the tests of a fleet: members, their cameras on a real etcd, and all lines they write.
Skipped without etcd. Environment: see watch_case.py."""

import collections
import contextlib
import dataclasses
import json
import threading
import time

import etcd_cluster
from cameras import make_clip, skip_all
from watch_case import QUICK, Watch, WatchTest

if not etcd_cluster.is_installed():
    skip_all("etcd (package etcd-server) is not installed")

STEP = 0.02  # seconds between looks at the logs
CLIP = 250  # frames; then the camera connects again
TAKE_TIME = 5  # seconds until a camera whose claim has ended has an owner again


@dataclasses.dataclass
class Line:
    look: int  # number of the look in which the test saw it
    time: float  # monotonic time of that
    node: str
    camera: str
    claim: int
    event: str  # None: a frame
    frame: int  # since the camera has connected


class Follower:
    """Reads the logs of all members while they are written."""

    def __init__(self):
        self.paths, self.lines, self.over = {}, [], threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        files, look = {}, 0
        try:
            while not self.over.wait(STEP):
                self.read(files, look)
                look += 1
            self.read(files, look)
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error
        for file, _ in files.values():
            file.close()

    def read(self, files, look):
        for node, path in list(self.paths.items()):
            if node not in files:
                with contextlib.suppress(FileNotFoundError):
                    files[node] = [open(path, encoding="utf-8"), ""]
            if node in files:
                file, rest = files[node]
                *lines, files[node][1] = (rest + file.read()).split("\n")
                now = time.monotonic()
                for line in map(json.loads, lines):
                    self.lines.append(Line(look, now, line.get("node"), line["stream_id"],
                                           line.get("claim"), line.get("event"),
                                           line.get("frame")))

    def close(self):
        self.over.set()
        self.thread.join()
        if self.failure:
            raise self.failure


class FleetTest(WatchTest):
    """Each test has a fleet of its own on the class's etcd."""

    LEASE = 2  # seconds
    ETCD = 1  # nodes
    CAMERAS = [f"camera {i}" for i in range(4)]
    FLEET_KEYS = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = cls.enterClassContext(etcd_cluster.Cluster(cls.ETCD))
        cls.clip_path = cls.cluster.folder.name + "/clip.mkv"
        make_clip(cls.clip_path, ball=CLIP)

    def setUp(self):
        super().setUp()
        self.use(self.cluster)
        self.fleet = self.id().rpartition(".")[2].replace("_", "-")
        self.prefix = f"/vitgate/{self.fleet}/"
        self.follower = Follower()
        self.addCleanup(self.follower.close)

    def use(self, cluster):
        """Lets the test ask another etcd."""
        self.gateway = cluster.gateway()

    # ---- What the fleet has ----

    def camera_text(self, name, **keys):
        keys = {"url": f"file://{self.clip_path}", "repeat": "true", "real-time": "true", **keys}
        return f"[camera {name}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())

    def put_cameras(self, names=None, **keys):
        self.gateway.put_all((f"{self.prefix}cameras/{name}", self.camera_text(name, **keys))
                             for name in names or self.CAMERAS)

    def node_file(self, name, etcd=None, **groups):
        """Writes the key file of a member. Returns its path."""
        self.follower.paths[name] = self.path(f"{name}.jsonl")
        groups = {"watch": {"sync-interval": 0},
                  "log": {"file": self.follower.paths[name], "frames": "all"},
                  "defaults": QUICK | {"inference-interval": 5},
                  "fleet": {"etcd": ";".join(etcd or self.cluster.urls), "name": self.fleet,
                            "node": name, "lease": self.LEASE, "capacity": 100},
                  **groups}
        return self.write(f"{name}.conf", "".join(
            f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
            for group, keys in groups.items()))

    def node(self, name, etcd=None, environment=(), **groups):
        """Returns a new member, for a with statement."""
        return Watch(self.node_file(name, etcd, **groups), **dict(environment))

    @contextlib.contextmanager
    def doomed_node(self, name):
        """A new member that is killed at the end of the with statement, if it was not before."""
        watch = self.node(name)
        try:
            yield watch
        finally:
            watch.kill()

    def owners(self):
        """Returns {camera: (node, revision of the claim)}."""
        return {camera: (json.loads(value)["node"], revision) for camera, (value, revision)
                in self.gateway.read(self.prefix + "claims/").items()}

    def cameras_of(self, node):
        return {camera for camera, (owner, _) in self.owners().items() if owner == node}

    # ---- Waiting ----

    def wait(self, condition, seconds, what):
        """Returns how long it took."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > seconds:
                self.fail(f"not within {seconds} s: {what}")
            time.sleep(STEP)
        return time.monotonic() - start

    def wait_for_owners(self, *nodes, seconds=None, names=None):
        """Waits until all cameras have owners among the nodes, and each of these has some."""
        def done():
            owners = self.owners()
            return (owners.keys() == set(names or self.CAMERAS)
                    and {node for node, _ in owners.values()} == set(nodes))

        return self.wait(done, seconds or self.LEASE + TAKE_TIME, f"owned by {nodes}")

    def wait_for_frames(self, seconds=None, names=None):
        """Waits until each camera has a frame that was seen after now."""
        start = len(self.follower.lines)
        names = set(names or self.CAMERAS)

        def done():
            return names <= {line.camera for line in self.follower.lines[start:] if not line.event}

        return self.wait(done, seconds or self.LEASE + TAKE_TIME, "frames of all cameras")

    # ---- What must hold for everything that was written ----

    def check_lines(self, longest=None):
        """No claim has lines of two members; nobody writes a line later than a newer owner; no
        camera is without frames for longer than longest seconds; no frame is missing in between.
        Returns the longest time without frames."""
        self.follower.close()
        nodes, newest, frames, last = collections.defaultdict(set), {}, {}, {}
        longest_seen = 0
        for line in self.follower.lines:
            self.assertTrue(line.claim and line.node, line)
            nodes[line.camera, line.claim].add(line.node)
            owner = newest.setdefault(line.camera, line)
            if line.claim > owner.claim:
                newest[line.camera] = line
            elif line.claim < owner.claim:
                # Logs are read one after the other: it was certainly written later only if the
                # look in between did not see it.
                self.assertLess(line.look, owner.look + 2, f"an old owner writes: {line}, {owner}")
            key = line.node, line.camera, line.claim
            if line.event == "connected":
                frames[key] = -1
            if line.event:
                continue
            self.assertEqual(line.frame, frames.get(key, -1) + 1, f"a frame is missing: {line}")
            frames[key] = line.frame
            longest_seen = max(longest_seen, line.time - last.get(line.camera, line.time))
            last[line.camera] = line.time
        for claim, owners in nodes.items():
            self.assertEqual(len(owners), 1, f"{claim} is claimed by {owners}")
        self.assertLess(longest_seen, longest or self.LEASE + TAKE_TIME, "without frames")
        return longest_seen
