"""vitgate-watch with models that are fetched by their hash. Environment: see watch_case.py."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from cameras import LIMIT, MODEL
from certificates import Authority
from model_server import ModelServer
from watch_case import WATCH, Watch, WatchTest

GATED = os.environ["VITGATE_TEST_GATED_MODEL"]
NAMES = {MODEL: "golden-small", GATED: "gated_model"}
MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
         'mount -t tmpfs -o size=256k,nr_inodes=100 tmpfs "$0" && exec "$@"']


def read(path):
    with open(path, "rb") as file:
        return file.read()


def sha256(path):
    return hashlib.sha256(read(path)).hexdigest()


def setUpModule():
    global certificates, authority, certificate
    certificates = tempfile.TemporaryDirectory(prefix="vitgate-test-")
    authority = Authority(certificates.name, "authority")
    certificate = authority.sign("server")


def tearDownModule():
    certificates.cleanup()


class ModelTest(WatchTest):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache/models")

    def configure_models(self, cameras, watch=(), looks=()):
        """Writes watch.conf. cameras, looks: keys by name; watch: more keys of [watch]."""
        path = self.configure(cameras)
        keys = {"model-cache": self.cache, "model-retry-least": 0.05, "model-retry-most": 0.2,
                **dict(watch)}
        text = read(path).decode()
        start = "[watch]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
        end = "".join(f"[look {name}]\n" + "".join(f"{k}={v}\n" for k, v in look.items())
                      for name, look in dict(looks).items())
        return self.write("watch.conf", text.replace("[watch]\n", start) + end)

    def serve(self, **arguments):
        server = ModelServer({"/model": read(MODEL), "/gated": read(GATED)}, **arguments)
        self.addCleanup(server.__exit__)
        return server.__enter__()

    def cached(self):
        """Returns all files in the cache."""
        return sorted(os.path.relpath(os.path.join(folder, name), self.cache)
                      for folder, _, names in os.walk(self.cache) for name in names)

    def file_of(self, model):
        return f"{sha256(model)}/model.safetensors"

    def wait_for_model(self, watch, camera, model):
        while True:
            watch.more_frames(camera, 1)
            if self.frames(camera)[-1]["results"][0]["model"] == NAMES[model]:
                return

    def check_continuous(self, camera):
        """Checks that the camera, which is a clip of 100 frames in a loop, has lost no frame, and
        has connected only where the clip begins."""
        numbers = [frame["frame"] for frame in self.frames(camera)]
        self.assertEqual(numbers, [i % 100 for i in range(len(numbers))])
        self.assertEqual(self.events(camera), ["connected", "ended"] * numbers.count(0))


class Fetching(ModelTest):
    def test_one_download_for_all_cameras_and_both_forms(self):
        server = self.serve()
        url = f"{server.url}/model?key=secret#sha256={sha256(MODEL)}"
        server.files["/model?key=secret"] = read(MODEL)
        server.files[f"/{sha256(MODEL)}.bin"] = read(MODEL)
        cameras = {str(i): self.endless(model=f"sha256:{sha256(MODEL)}") for i in range(3)}
        cameras["url"] = self.endless(model=url)
        looks = {"part": {"camera": "0", "model": f"sha256:{sha256(GATED)}", "region": "0,0,9,9"}}
        server.files[f"/{sha256(GATED)}.bin"] = read(GATED)
        path = self.configure_models(cameras, {"model-urls": server.url + "/{sha256}.bin"}, looks)
        with Watch(path) as watch:
            for name in cameras:
                watch.more_frames(name)
            results = self.frames("0")[-1]["results"]
            self.assertEqual([result["model"] for result in results],
                             [NAMES[MODEL], NAMES[GATED]])
            self.assertNotIn("secret", "\n".join(watch.messages.lines))
        self.assertEqual(len(server.requests), 2, server.requests)
        self.assertEqual(self.cached(), sorted([self.file_of(MODEL), self.file_of(GATED)]))
        self.assertEqual(sha256(os.path.join(self.cache, self.file_of(MODEL))), sha256(MODEL))

    def test_the_cache_needs_no_server(self):
        os.makedirs(os.path.join(self.cache, sha256(MODEL)))
        shutil.copy(MODEL, os.path.join(self.cache, self.file_of(MODEL)))
        with Watch(self.configure_models({"a": self.endless(
                model=f"sha256:{sha256(MODEL)}")})) as watch:
            self.wait_for_model(watch, "a", MODEL)

    def test_a_damaged_file_in_the_cache_is_fetched_again(self):
        server = self.serve()
        os.makedirs(os.path.join(self.cache, sha256(MODEL)))
        shutil.copy(GATED, os.path.join(self.cache, self.file_of(MODEL)))
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        with Watch(self.configure_models({"a": self.endless(model=url)})) as watch:
            watch.message(f"its SHA-256 is {sha256(GATED)}; it is fetched again")
            self.wait_for_model(watch, "a", MODEL)
        self.assertEqual({frame["results"][0]["model"] for frame in self.frames("a")},
                         {NAMES[MODEL]})

    def test_two_processes_share_a_cache(self):
        server = self.serve()
        server.held.clear()
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        path = self.configure_models({"a": self.endless(model=url)})
        with open(path, encoding="utf-8") as file:
            other = self.write("other.conf", file.read().replace("log.jsonl", "other.jsonl"))
        with Watch(path) as one:
            one.camera_where("a", lambda camera: "kB)" in (camera["last_error"] or ""))
            with Watch(other) as two:
                two.message("camera a: waits for its model")
                server.held.set()
                for watch in one, two:
                    watch.more_frames("a", 2)
        self.assertEqual(server.requests, ["/model"])
        self.assertEqual(self.cached(), [self.file_of(MODEL)])

    def test_stopping_ends_a_download(self):
        server = self.serve()
        server.held.clear()
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        with Watch(self.configure_models({"a": self.endless(model=url)})) as watch:
            camera = watch.camera_where("a", lambda camera: "kB)" in (camera["last_error"] or ""))
            self.assertEqual(camera["state"], "waiting")
            self.assertRegex(camera["last_error"],
                             rf"^fetching {server.url}/model \([\d.]+.kB of [\d.]+.[kM]B\)$")
            watch.process.send_signal(signal.SIGTERM)
            self.assertEqual(watch.wait(), 0)
        self.assertEqual(self.cached(), [])

    def test_https_and_redirects(self):
        server, other, plain = self.serve(certificate=certificate), None, self.serve()
        other = self.serve(certificate=certificate)
        server.moved = {"/moved": f"{other.url}/model", "/down": f"{plain.url}/gated",
                        "/loop": "/loop"}
        url = f"{server.url}/moved#sha256={sha256(MODEL)}"
        cameras = {"a": self.endless(model=url),
                   "down": self.endless(model=f"{server.url}/down#sha256={sha256(GATED)}"),
                   "loop": self.endless(model=f"{server.url}/loop#sha256={'0' * 64}")}
        path = self.configure_models(cameras, {"model-ca-file": authority.path})
        with Watch(path) as watch:
            watch.message(rf"camera down: .*{server.url}/down \(redirected to {plain.url}/gated\): "
                          "a redirect from https to http is not followed")
            watch.message(f"camera loop: .*{server.url}/loop: .*redirect")
            self.wait_for_model(watch, "a", MODEL)
        self.assertEqual(self.cached(), [self.file_of(MODEL)])


class Failures(ModelTest):
    def test_servers_and_files_that_cannot_be_used(self):
        """Each camera waits, and says why; another one plays."""
        server, secure, gone = self.serve(), self.serve(certificate=certificate), ModelServer()
        gone.server.server_close()
        server.truncated.add("/cut")
        server.files.update({"/cut": bytes(3000), "/large": bytes(10 ** 6)})
        wrong = hashlib.sha256(b"").hexdigest()
        hashes = iter(f"{i:064x}" for i in range(100))
        cases = {
            "missing": (f"{server.url}/none", r"HTTP status 404 Not Found, expected 200"),
            "cut": (f"{server.url}/cut", r"the connection ended after 1500 of 3000 bytes"),
            "large": (f"{server.url}/large",
                      r"has 1000000 bytes, expected at most 921600 \(see model-size\)"),
            "gone": (f"{gone.url}/model", "Connection refused"),
            "no such host": ("http://no-such-host.invalid/model", "no-such-host.invalid"),
            "untrusted": (f"{secure.url}/model",
                          r"its certificate is refused: no known authority signed it "
                          r"\(see model-ca-file\)"),
        }
        cameras = {name: self.endless(model=f"{url}#sha256={next(hashes)}")
                   for name, (url, _) in cases.items()}
        cameras["wrong"] = self.endless(model=f"{server.url}/gated#sha256={wrong}")
        cases["wrong"] = (f"{server.url}/gated", f"is refused, since its SHA-256 is "
                                                 f"{sha256(GATED)}, expected {wrong}")
        cameras["no place"] = self.endless(model=f"sha256:{next(hashes)}")
        cameras["good"] = self.endless()
        with Watch(self.configure_models(cameras, {"model-size": "900K"})) as watch:
            watch.message("camera no place: .*model.safetensors does not exist, and .watch. "
                          "model-urls does not say where to fetch it")
            for name, (url, message) in cases.items():
                watch.message(f"camera {name}: waits for its model: {url}: .*{message}")
                camera = watch.camera_where(name, lambda camera: camera["last_error"])
                self.assertEqual((camera["state"], camera["frames"]), ("waiting", 0))
            watch.more_frames("good")
            count = len(server.requests)  # they are tried again, without more messages
            watch.status_where(lambda _: len(server.requests) > count + 8)
            for name in cases:
                said = [line for line in watch.messages.lines if f"camera {name}:" in line]
                self.assertEqual(len(said), len(set(said)), said)
        self.assertEqual(self.cached(), [])
        reasons = [line["reason"] for line in self.read_log()
                   if line.get("event") == "waiting" and line["stream_id"] == "missing"]
        self.assertRegex(reasons[-1], "HTTP status 404")

    def test_a_server_that_comes_back(self):
        server = self.serve()
        del server.files["/model"]
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        with Watch(self.configure_models({"a": self.endless(model=url)})) as watch:
            watch.message("camera a: .*404")
            server.files["/model"] = read(MODEL)
            self.wait_for_model(watch, "a", MODEL)
            watch.camera_where("a", lambda camera: camera["last_error"] is None)

    def test_a_corrected_url_is_used_at_once(self):
        server = self.serve()
        wrong = f"{server.url}/none#sha256={sha256(MODEL)}"
        slow = {"model-retry-least": 1000, "model-retry-most": 1000}
        with Watch(self.configure_models({"a": self.endless(model=wrong)}, slow)) as watch:
            watch.message("camera a: .*404")
            good = f"{server.url}/model#sha256={sha256(MODEL)}"
            self.configure_models({"a": self.endless(model=good)}, slow)
            watch.reload()
            self.wait_for_model(watch, "a", MODEL)

    def test_a_cache_that_cannot_be_written(self):
        server = self.serve()
        self.cache = os.path.join(self.write("file", ""), "models")
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        cameras = {"a": self.endless(model=url), "good": self.endless()}
        with Watch(self.configure_models(cameras)) as watch:
            watch.message(f"camera a: waits for its model: cannot (read|create) {self.cache}.*: "
                          "Not a directory")
            watch.more_frames("good")
            os.unlink(self.path("file"))
            self.wait_for_model(watch, "a", MODEL)

    def test_a_full_disk(self):
        server = self.serve()
        self.cache = self.path("disk")
        os.mkdir(self.cache)
        mount = [*MOUNT, self.cache]
        if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
            self.skipTest("cannot mount a file system, not even in a separate namespace")
        data = bytes(10 ** 6)
        server.files["/large"] = data
        url = f"{server.url}/large#sha256={hashlib.sha256(data).hexdigest()}"
        cameras = {"a": self.endless(model=url), "good": self.endless()}
        with Watch(self.configure_models(cameras), mount) as watch:
            watch.message("camera a: waits for its model: cannot write .*download.part: "
                          "No space left on device")
            watch.more_frames("good")

    def test_wrong_keys(self):
        digits = "0" * 64
        for keys, watch, message in (
                ({"model": "sha256:12"}, {}, r'\[camera a\] model: "sha256:12": expected sha256: '
                                             "and the 64 hexadecimal digits that sha256sum"),
                ({"model": "https://h/m"}, {}, r'model: "https://h/m": expected a URL that ends '
                                               "with #sha256= and the 64 hexadecimal"),
                ({"model": f"https://e:p@h/m#sha256={digits}"}, {},
                 "model: user and password in a URL are not supported"),
                ({"model": f"https:///m#sha256={digits}"}, {}, "model: .* is not a URL with a"),
                ({}, {"model-urls": "https://h/models"}, r"\[watch\] model-urls: .*expected "
                                                         r"{sha256} where"),
                ({}, {"model-urls": "ftp://h/{sha256}"}, r"\[watch\] model-urls: .*: expected "
                                                         "https:// or http://"),
                ({}, {"model-retry-least": 9}, r"model-retry-least: 9 is greater than"),
                ({}, {"model-ca-file": "/none"}, "model-ca-file: /none cannot be read")):
            path = self.configure_models({"a": {"url": "rtsp://a/", **keys}}, watch)
            run = subprocess.run([WATCH, "--check", path], capture_output=True, text=True,
                                 timeout=LIMIT, check=False)
            self.assertEqual(run.returncode, 1)
            self.assertRegex(run.stderr, message)

    def test_check_does_not_fetch(self):
        server = self.serve()
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        path = self.configure_models({"a": {"url": "rtsp://a/", "model": url, "labels": "x"}})
        run = subprocess.run([WATCH, "--check", path], capture_output=True, text=True,
                             timeout=LIMIT, check=False)
        self.assertEqual((run.returncode, run.stderr, server.requests), (0, "", []))
        self.assertRegex(run.stdout, r"\[camera a\] model: sha256:.* is not in the cache yet")
        os.makedirs(os.path.join(self.cache, sha256(MODEL)))
        shutil.copy(MODEL, os.path.join(self.cache, self.file_of(MODEL)))
        run = subprocess.run([WATCH, "--check", path], capture_output=True, text=True,
                             timeout=LIMIT, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r'\[camera a\] labels: "x" is not a label of the model')

    def test_labels_that_the_fetched_model_does_not_have(self):
        server = self.serve()
        url = f"{server.url}/model#sha256={sha256(MODEL)}"
        cameras = {"a": self.endless(model=url, labels="clas 3"), "good": self.endless()}
        with Watch(self.configure_models(cameras)) as watch:
            watch.message(r'camera a, .*: \[camera a\] labels: "clas 3" is not a label of the '
                          r'model \(nearest: "class 3"\)')
            watch.more_frames("good")
            self.assertEqual(watch.camera_where("a", bool)["frames"], 0)


class Swapping(ModelTest):
    def test_a_changed_model_is_swapped_while_frames_pass(self):
        server = self.serve()
        with Watch(self.configure_models({"a": self.endless(), "b": self.endless()})) as watch:
            self.wait_for_model(watch, "a", MODEL)
            cameras = {"a": self.endless(model=f"{server.url}/gated#sha256={sha256(GATED)}"),
                       "b": self.endless(model=GATED)}
            self.configure_models(cameras)
            self.assertRegex(watch.reload(), "cameras kept: 2, stopped: 0, started: 0")
            for name in cameras:
                self.wait_for_model(watch, name, GATED)
            cameras["a"] = self.endless()
            self.configure_models(cameras)
            watch.reload()
            self.wait_for_model(watch, "a", MODEL)
        for name in cameras:
            self.check_continuous(name)

    def test_a_model_that_is_not_there_leaves_the_one_before(self):
        server = self.serve()
        held = server.files.pop("/gated")
        with Watch(self.configure_models({"a": self.endless()})) as watch:
            self.wait_for_model(watch, "a", MODEL)
            self.configure_models(
                {"a": self.endless(model=f"{server.url}/gated#sha256={sha256(GATED)}")})
            watch.reload()
            watch.message("camera a: keeps the models that it has: .*404")
            camera = watch.more_frames("a")
            self.assertRegex(camera["models_wait"], "404")
            server.files["/gated"] = held
            self.wait_for_model(watch, "a", GATED)
            watch.camera_where("a", lambda camera: "models_wait" not in camera)
        self.check_continuous("a")

    def test_a_model_without_the_labels_leaves_the_one_before(self):
        server = self.serve()
        labels = self.write("labels.txt", "".join(f"other {i}\n" for i in range(10)))
        with Watch(self.configure_models({"a": self.endless(labels="class 3")})) as watch:
            self.wait_for_model(watch, "a", MODEL)
            self.configure_models({"a": self.endless(
                labels="class 3", model=f"{server.url}/model#sha256={sha256(MODEL)}",
                **{"model-labels": labels})})
            watch.reload()
            watch.message('camera a: keeps the models that it has: .*"class 3" is not a label')
            watch.more_frames("a")
        self.check_continuous("a")


if __name__ == "__main__":
    unittest.main(verbosity=2)
