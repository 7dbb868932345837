"""vitgate-watch --fleet: cameras of a fleet in a real etcd. Skipped without etcd.

Environment: VITGATE_WATCH is the program.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest

import etcd_cluster
from cameras import LIMIT, skip_all

WATCH = os.environ["VITGATE_WATCH"]
os.environ.pop("VITGATE_ETCD", None)
CAMERAS = """\
# The yard, and its gate.
[camera yard]
url = rtsp://yard/stream
credentials-file=/etc/vitgate/only-on-the-nodes

[camera front door]
url=rtsp://door/stream
labels=cat; dog

[look gate]
camera=yard
model=https://models.example/gate#sha256=""" + "0" * 64 + "\nstate=true\n"
YARD = ("[camera yard]\nurl=rtsp://yard/stream\n"
        "credentials-file=/etc/vitgate/only-on-the-nodes\n\n"
        "[look gate]\ncamera=yard\nmodel=https://models.example/gate#sha256=" + "0" * 64 +
        "\nstate=true\n")

if not etcd_cluster.is_installed():
    skip_all("etcd is not installed")


def setUpModule():
    global cluster, gateway
    cluster = etcd_cluster.Cluster()
    gateway = cluster.gateway()


def tearDownModule():
    cluster.__exit__()


class FleetCommand(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vitgate-test-")
        self.addCleanup(folder.cleanup)
        self.folder, self.fleet = folder.name, self.id().rsplit(".", 1)[1]
        self.prefix = f"/vitgate/{self.fleet}/"

    def run_fleet(self, *words, etcd=None, text=None, **environment):
        options = ["--etcd", etcd or cluster.urls[0], "--fleet-name", self.fleet]
        return self.run_plain("--fleet", *words, *options, text=text, **environment)

    def run_plain(self, *arguments, text=None, **environment):
        run = subprocess.run([WATCH, *arguments], capture_output=True, text=True, timeout=LIMIT,
                             check=False, input=text,
                             env={**os.environ, "TZ": "UTC", **environment})
        self.assertNotRegex(run.stderr, "CRITICAL|WARNING")
        return run

    def check(self, output, *words, **keys):
        """Checks that a command succeeds, and prints lines that match output."""
        run = self.run_fleet(*words, **keys)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertRegex(run.stdout, f"^{output}$")
        return run.stdout

    def refuse(self, status, message, *words, **keys):
        run = self.run_fleet(*words, **keys)
        self.assertEqual((run.returncode, run.stdout), (status, ""), run.stderr)
        self.assertRegex(run.stderr, f"^vitgate-watch: .*{message}")
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)

    def write(self, text, name="cameras.conf"):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def cameras(self):
        return {name: text for name, (text, _) in gateway.read(self.prefix + "cameras/").items()}

    def add_node(self, name, **members):
        value = {"id": name, "host": f"{name}.lan", "version": "0.1", "capacity": 10, "load": 2.5,
                 "cameras": 0, "draining": False, **members}
        gateway.put(f"{self.prefix}nodes/{name}", json.dumps(value))

    def claim(self, camera, node):
        gateway.put(f"{self.prefix}claims/{camera}", json.dumps(
            {"node": node, "id": node, "since": "2026-11-28T14:03:12.000000Z"}))


class Cameras(FleetCommand):
    def test_put_writes_what_has_changed(self):
        path = self.write(CAMERAS)
        self.check("camera yard: added\ncamera front door: added\n"
                   "added: 2, changed: 0, unchanged: 0\n", "put", path)
        self.assertEqual(self.cameras(), {
            "yard": YARD, "front door": "[camera front door]\nurl=rtsp://door/stream\n"
                                        "labels=cat; dog\n"})
        revision = gateway.revision()
        self.check("added: 0, changed: 0, unchanged: 2\n", "put", path)
        self.assertEqual(gateway.revision(), revision)
        self.write(CAMERAS.replace("cat; dog", "cat"))
        self.check("camera front door: changed\nadded: 0, changed: 1, unchanged: 1\n", "put", path)
        self.assertEqual(gateway.revision(), revision + 1)
        self.assertTrue(self.cameras()["front door"].endswith("labels=cat\n"))

    def test_put_reads_standard_input_and_prints_json(self):
        text = "\ufeff[camera a]\nurl=rtsp://a/\n"
        self.assertEqual(json.loads(self.check(".*\n", "put", "-", "--json", text=text)),
                         {"added": ["a"], "changed": [], "unchanged": []})
        self.assertEqual(self.cameras(), {"a": "[camera a]\nurl=rtsp://a/\n"})

    def test_put_of_a_file_with_an_error_writes_nothing(self):
        good = "[camera a]\nurl=rtsp://a/\n"
        for text, message in (
                (good + "\n[camera b]\nurl=ftp://b/\n", r"line 5: \[camera b\] url: .*expected a scheme"),
                (good + "[camera b]\nurl=rtsp://b/\nlabel=cat\n", r"line 5: \[camera b\] label: unknown key"),
                (good + "[camera b]\n", r"line 3: \[camera b\] url: is missing"),
                (good + "[camera b/c]\nurl=rtsp://b/\n", r"line 3: \[camera b/c\]: a camera's name"),
                (good + "[look l]\ncamera=c\n", r"line 4: \[look l\] camera: .*no group \[camera c\]"),
                (good + "[log]\nfile=x\n", r"line 3: \[log\]: expected only \[camera NAME\] and "
                                           r"\[look NAME\]; the other groups belong in the key"),
                (good + "[defaults]\n", r"line 3: \[defaults\]: expected only"),
                (good + "nonsense\n", "line 3: expected KEY=VALUE"),
                (good + good, r"\[camera a\]: line 3: duplicate group"),
                (good + "model=sha256:1\n", r"line 3: \[camera a\] model: .*expected sha256: and"),
                ("", r"has no cameras \(expected a group \[camera NAME\]\)$"),
                (b"[camera a]\nurl=rtsp://\xff/\n", "is not UTF-8 text"),
                (good + "[camera b]\nurl=rtsps://x/\ninsecure=true\n"
                        "[camera c]\nurl=rtsps://x/\n", r".*differs from another camera of x:322")):
            path = self.write(text)
            self.refuse(1, f"{path}: {message}", "put", path)
        self.refuse(1, "standard input: line 1: ", "put", "-", text="x")
        self.refuse(1, "none.conf.*No such file", "put", f"{self.folder}/none.conf")
        self.refuse(1, "directory", "put", self.folder)
        self.assertEqual(self.cameras(), {})

    def test_rm(self):
        self.run_fleet("put", self.write(CAMERAS))
        self.refuse(1, r'has no camera "garden" \(there are front door, yard\); nothing was '
                       "removed", "rm", "yard", "garden")
        self.assertEqual(len(self.cameras()), 2)
        self.check("camera yard: removed\ncamera front door: removed\n", "rm", "yard",
                   "front door")
        self.assertEqual(self.cameras(), {})
        self.refuse(1, r"\(there are none\)", "rm", "yard")

    def test_list(self):
        self.check("CAMERA  OWNER  SINCE  PREFERRED\n", "list")
        self.run_fleet("put", self.write(CAMERAS))
        self.check("CAMERA +OWNER +SINCE +PREFERRED\nfront door  - +- +-\nyard +- +- +-\n", "list")
        self.add_node("one")
        self.claim("yard", "one")
        self.check(r"CAMERA +OWNER +SINCE +PREFERRED\nfront door  - +- +one\n"
                   r"yard        one    2026-11-28 14:03:12  one\n", "list")
        door, yard = json.loads(self.check(".*\n", "list", "--json"))
        self.assertEqual((door["name"], door["owner"], door["claim"], door["since"]),
                         ("front door", None, 0, None))
        self.assertEqual((yard["owner"], yard["preferred"], yard["since"][:10]),
                         ("one", "one", "2026-11-28"))
        self.assertEqual(yard["claim"], gateway.read(self.prefix + "claims/")["yard"][1])
        self.run_fleet("rm", "yard")
        self.check(r"[^)]*yard +one +2026\S+ \S+ +\(removed\)\n", "list")

    def test_names_of_others_do_not_reach_the_terminal(self):
        gateway.put(f"{self.prefix}cameras/\033[31mred", "")
        gateway.put(f"{self.prefix}nodes/n", json.dumps({"host": "\033]0;x\a", "capacity": 1}))
        gateway.put(f"{self.prefix}nodes/odd", "no JSON")
        gateway.put(f"{self.prefix}claims/odd", "[]")
        for words in ["list"], ["status"]:
            run = self.run_fleet(*words)
            self.assertEqual(run.returncode, 0)
            self.assertNotIn("\033", run.stdout)
            self.assertIn("[31mred", run.stdout)


class Nodes(FleetCommand):
    def test_status(self):
        self.run_fleet("put", self.write(CAMERAS))
        self.add_node("one")
        self.add_node("two", capacity=20)
        self.claim("yard", "one")
        gone = f"http://127.0.0.1:{etcd_cluster.free_ports(1)[0]}"
        keys = {"etcd": f"{gone},{cluster.urls[0]}"}
        text = self.check(r"[\s\S]*", "status", **keys)
        lines = text.splitlines()
        self.assertEqual(lines[0], f"fleet {self.fleet}: nodes: 2, cameras: 2, without an owner: 1")
        self.assertEqual([re.split("  +", line) for line in lines[2:4]],
                         [["one", "one.lan", "0.1", "10.0", "2.5", "1", "-", ""],
                          ["two", "two.lan", "0.1", "20.0", "2.5", "0", "-", ""]])
        self.assertRegex(lines[4], f"^etcd {gone}: not reachable: .*")
        self.assertEqual(lines[5:], [f"etcd {cluster.urls[0]}: reachable",
                                     "without an owner: front door"])
        status = json.loads(self.check(".*\n", "status", "--json", **keys))
        self.assertEqual(status["unowned"], ["front door"])
        self.assertEqual([node["name"] for node in status["nodes"]], ["one", "two"])
        self.assertEqual(status["nodes"][0]["cameras"], 1)
        self.assertEqual([etcd["reachable"] for etcd in status["etcd"]], [False, True])

    def test_the_lease_of_a_node(self):
        lease = gateway.ask("/v3/lease/grant", {"TTL": 100})["ID"]
        value = json.dumps({"host": "h", "capacity": 1})
        gateway.ask("/v3/kv/put", {"key": etcd_cluster.encode(f"{self.prefix}nodes/one"),
                                   "value": etcd_cluster.encode(value), "lease": lease})
        status = json.loads(self.check(".*\n", "status", "--json"))
        self.assertTrue(90 <= status["nodes"][0]["lease_left"] <= 100, status)

    def test_drain_and_undrain(self):
        self.add_node("one")
        self.refuse(1, r'has no node "two" now \(there are one\)', "drain", "two")
        self.refuse(1, 'node "one" is not drained', "undrain", "one")
        self.check("node one: gives its cameras away, and takes none until --fleet undrain\n",
                   "drain", "one")
        self.assertEqual(list(gateway.read(self.prefix + "drain/")), ["one"])
        self.assertRegex(self.run_fleet("status").stdout, "one .* draining\n")
        self.check("node one: takes cameras again\n", "undrain", "one")
        self.assertEqual(gateway.read(self.prefix + "drain/"), {})


class Options(FleetCommand):
    def test_a_key_file_or_the_environment_says_which_fleet(self):
        self.run_fleet("put", self.write(CAMERAS))
        fleet = f"[fleet]\nname={self.fleet}\netcd={cluster.urls[0]}\n[log]\nfile=/none/log\n"
        path = self.write(fleet, "node.conf")
        run = self.run_plain("--fleet", "list", "--config", path)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("front door", run.stdout)
        run = self.run_plain("--fleet", "list", "--fleet-name", self.fleet,
                             VITGATE_ETCD=cluster.urls[0])
        self.assertIn("front door", run.stdout)
        run = self.run_plain("--fleet", "list", "--etcd", cluster.urls[0])  # another fleet
        self.assertEqual(run.stdout, "CAMERA  OWNER  SINCE  PREFERRED\n")

    def check_wrong(self, status, message, *arguments, **environment):
        run = self.run_plain(*arguments, **environment)
        self.assertEqual((run.returncode, run.stdout), (status, ""), run.stderr)
        self.assertRegex(run.stderr, message)

    def test_wrong_command_lines(self):
        url = cluster.urls[0]
        for message, *arguments in (
                ("--fleet: expected put FILE, list, rm NAME..., drain NODE, undrain NODE or status "
                 r"\(see", "--fleet"),
                ("or status, got show", "--fleet", "show"),
                ("--fleet put: got 0 arguments, expected FILE", "--fleet", "put"),
                ("--fleet put: got 2 arguments, expected FILE", "--fleet", "put", "a", "b"),
                ("--fleet list: got 1 argument, expected none", "--fleet", "list", "a"),
                ("--fleet rm: got 0 arguments, expected NAME...", "--fleet", "rm"),
                ("which etcd\\? Expected --etcd URL, --config KEYFILE or the environment variable "
                 "VITGATE_ETCD", "--fleet", "list"),
                ("--etcd and --config exclude", "--fleet", "list", "--etcd", url, "--config", "x"),
                ("--etcd: expected URLs of etcd", "--fleet", "list", "--etcd", ","),
                ('--etcd: "ftp://x": expected http://HOST:PORT', "--fleet", "list", "--etcd",
                 "ftp://x"),
                ('--fleet-name: "a/b" is no name', "--fleet", "list", "--etcd", url,
                 "--fleet-name", "a/b"),
                ("--fleet excludes --page, --check and --status", "--fleet", "--check", "list"),
                ("--etcd, --fleet-name and --config are for --fleet", "--etcd", url, "x.conf")):
            self.check_wrong(2, message, *arguments)

    def test_a_wrong_key_file(self):
        for text, message in (("[log]\nfile=x\n", r"node.conf: there is no group \[fleet\]"),
                              ("[fleet]\nname=x\n", r"node.conf: .*\[fleet\] etcd: is missing"),
                              ("[fleet]\netcd=http://h:1\nca-file=/none\n",
                               r"node.conf: line 3: \[fleet\] ca-file: is set, but"),
                              ("[fleet]\netcd=x\n", r"node.conf: line 2: \[fleet\] etcd:"),
                              ("x", "node.conf: line 1: expected")):
            self.check_wrong(1, message, "--fleet", "list", "--config",
                             self.write(text, "node.conf"))
        self.check_wrong(1, "none.conf.*No such file", "--fleet", "list", "--config",
                         f"{self.folder}/none.conf")

    def test_etcd_is_not_there(self):
        url = f"http://127.0.0.1:{etcd_cluster.free_ports(1)[0]}"
        for words in ["list"], ["status"], ["put", self.write(CAMERAS)], ["drain", "x"]:
            self.refuse(1, url, *words, etcd=url)


if __name__ == "__main__":
    unittest.main(verbosity=2)
