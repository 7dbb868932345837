"""Runs real etcd nodes on this machine, and asks them over their JSON gateway. It stops them, kills
them and starts them again."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

LIMIT = 30  # seconds until a cluster has a leader


def is_installed():
    return shutil.which("etcd") is not None


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def encode(text):
    return base64.b64encode(text.encode()).decode()


def decode(text):
    return base64.b64decode(text).decode()


class Gateway:
    """A client of etcd's JSON gateway. Any of the URLs may answer."""

    def __init__(self, urls, timeout=5):
        self.urls, self.timeout = urls, timeout

    def ask(self, path, request):
        failure = None
        for url in self.urls:
            try:
                with urllib.request.urlopen(url + path, json.dumps(request).encode(),
                                            self.timeout) as answer:
                    return json.load(answer)
            except (OSError, urllib.error.URLError) as error:
                failure = error
        raise failure

    @staticmethod
    def range_of(prefix):
        return {"key": encode(prefix), "range_end": encode(prefix[:-1] + chr(ord(prefix[-1]) + 1))}

    def read(self, prefix):
        """Returns the keys below a prefix: {name: (value, create revision)}, without the prefix."""
        answer = self.ask("/v3/kv/range", self.range_of(prefix))
        return {decode(pair["key"])[len(prefix):]:
                    (decode(pair.get("value", "")), int(pair["create_revision"]))
                for pair in answer.get("kvs", [])}

    def count(self, prefix):
        answer = self.ask("/v3/kv/range", self.range_of(prefix) | {"count_only": True})
        return int(answer.get("count", 0))

    def put(self, key, value=""):
        self.ask("/v3/kv/put", {"key": encode(key), "value": encode(value)})

    def put_all(self, pairs):
        """Writes many keys, a hundred in each transaction."""
        pairs = list(pairs)
        for start in range(0, len(pairs), 100):
            self.ask("/v3/kv/txn", {"success": [
                {"requestPut": {"key": encode(key), "value": encode(value)}}
                for key, value in pairs[start:start + 100]]})

    def delete(self, key):
        self.ask("/v3/kv/deleterange", {"key": encode(key)})

    def compact(self):
        """Forgets all revisions but the newest one."""
        self.ask("/v3/kv/compaction", {"revision": self.revision(), "physical": True})

    def revision(self):
        return int(self.ask("/v3/kv/range", {"key": encode("none")})["header"]["revision"])


class Cluster:
    """Nodes of etcd in a temporary folder. Use it in a with statement."""

    def __init__(self, size=1, arguments=(), more_url=None):
        """arguments: more ones of etcd; more_url: another one that it answers at"""
        self.arguments, self.more_url = arguments, more_url
        self.folder = tempfile.TemporaryDirectory(prefix="vitgate-etcd-")
        ports = free_ports(2 * size)
        self.urls = [f"http://127.0.0.1:{port}" for port in ports[:size]]
        self.peers = [f"http://127.0.0.1:{port}" for port in ports[size:]]
        self.nodes = [None] * size
        for i in range(size):
            self.start(i)
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for i, node in enumerate(self.nodes):
            if node:
                self.kill(i)
        self.folder.cleanup()

    def start(self, i):
        folder = pathlib.Path(self.folder.name, f"node-{i}")
        with open(f"{folder}.log", "ab") as log:
            self.nodes[i] = subprocess.Popen(
                ["etcd", "--name", f"node-{i}", "--data-dir", folder,
                 "--listen-client-urls", ",".join(filter(None, (self.urls[i], self.more_url))),
                 "--advertise-client-urls", self.urls[i],
                 "--listen-peer-urls", self.peers[i], "--initial-advertise-peer-urls", self.peers[i],
                 "--initial-cluster", ",".join(f"node-{k}={url}" for k, url in enumerate(self.peers)),
                 "--heartbeat-interval", "100", "--election-timeout", "1000",
                 *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"ETCD_UNSUPPORTED_ARCH": os.uname().machine.replace("aarch64", "arm64")})

    def wait(self):
        """Waits until a request is answered by a majority."""
        end = time.monotonic() + LIMIT
        gateway = Gateway([url for url, node in zip(self.urls, self.nodes) if node])
        while True:
            try:
                gateway.revision()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def wait_for_all(self):
        """Waits until each node answers, and sees a majority."""
        for url in self.urls:
            end = time.monotonic() + LIMIT
            while True:
                try:
                    Gateway([url], timeout=1).revision()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.05)

    def count(self, metric, method, i):
        with urllib.request.urlopen(self.urls[i] + "/metrics", timeout=30) as answer:
            return sum(float(line.rsplit(" ", 1)[1]) for line in answer.read().decode().splitlines()
                       if line.startswith(metric + "{") and f'grpc_method="{method}"' in line)

    def count_handled(self, method, i=0):
        """Returns how many calls of a method a node has handled; of "Watch": how many have ended."""
        return self.count("grpc_server_handled_total", method, i)

    def count_messages(self, method, i=0):
        """Returns how many messages to a method a node has received."""
        return self.count("grpc_server_msg_received_total", method, i)

    def gateway(self, timeout=5):
        return Gateway(self.urls, timeout)

    def kill(self, i):
        self.nodes[i].kill()
        self.nodes[i].wait()
        self.nodes[i] = None

    def pause(self, i):
        self.nodes[i].send_signal(signal.SIGSTOP)

    def go_on(self, i):
        self.nodes[i].send_signal(signal.SIGCONT)


class Relay:
    """Stands between a client and a node of etcd until the end of a with-block. While it is held,
    connections stay open, but nothing passes, as in a network that is cut."""

    WATCH = b"POST /v3/watch "

    def __init__(self, url):
        self.target = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.passing = threading.Event()
        self.passing.set()
        self.connections, self.watches = [], []
        self.silent = set()
        self.thread = threading.Thread(target=self.accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.passing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for end in self.connections:
            end.close()

    def hold(self):
        self.passing.clear()

    def release(self):
        self.passing.set()

    def drop(self):
        """Breaks all connections."""
        for end in self.connections:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def silence_watches(self):
        """Nothing passes any more on connections that have a watch. They stay open."""
        self.silent.update(self.watches)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # the listener is closed
                return
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        self.passing.wait()
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        self.connections += [client, server]
        for source, target in (client, server), (server, client):
            threading.Thread(target=self.pass_on, args=(source, target), daemon=True).start()

    def pass_on(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.passing.wait()
                if data.startswith(self.WATCH):
                    self.watches += [source, target]
                if source not in self.silent:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            for end in source, target:
                end.shutdown(socket.SHUT_RDWR)
