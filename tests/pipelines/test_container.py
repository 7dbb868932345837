"""The recipes for containers: their form, the key file in them, and the health check.

Environment: VITGATE_WATCH, the program.
"""

import http.server
import os
import re
import subprocess
import tempfile
import threading
import unittest

try:
    import yaml
except ImportError:
    yaml = None

PIPELINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../pipelines")
CONTAINER = os.path.join(PIPELINES, "container")


def run(*command, **environment):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                          env={**os.environ, **environment})


class Containerfile(unittest.TestCase):
    def test_everything_that_it_copies_is_there(self):
        with open(f"{CONTAINER}/Containerfile", encoding="utf-8") as file:
            text = file.read()
        copied = [word for line in re.findall(r"(?m)^COPY (.*)", text)
                  for word in line.split()[:-1] if not word.startswith("--")]
        self.assertIn("engine", copied)
        for path in copied:
            self.assertTrue(os.path.exists(f"{PIPELINES}/../{path}"), path)
        with open(f"{PIPELINES}/../meson.build", encoding="utf-8") as file:
            folders = set(re.findall(r"subdir\('([a-z-]+)'\)", file.read()))
        self.assertLessEqual(folders - {"tests"}, set(copied))
        self.assertRegex(text, r"(?m)^USER (?!0|root)")


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class Kubernetes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(f"{CONTAINER}/kubernetes.yaml", encoding="utf-8") as file:
            cls.objects = {item["kind"]: item for item in yaml.safe_load_all(file)}

    def test_names_lead_to_objects(self):
        self.assertEqual(set(self.objects),
                         {"ConfigMap", "Secret", "PersistentVolumeClaim", "Deployment"})
        spec = self.objects["Deployment"]["spec"]
        pod = spec["template"]["spec"]
        self.assertEqual(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
        container, = pod["containers"]
        self.assertEqual({mount["name"] for mount in container["volumeMounts"]},
                         {volume["name"] for volume in pod["volumes"]})
        for variable in container["env"]:
            secret = variable["valueFrom"]["secretKeyRef"]
            self.assertEqual(secret["name"], self.objects["Secret"]["metadata"]["name"])
            self.assertIn(secret["key"], self.objects["Secret"]["stringData"])
        self.assertEqual((spec["replicas"], spec["strategy"]["type"]), (1, "Recreate"))

    def test_the_key_file_is_valid(self):
        text = self.objects["ConfigMap"]["data"]["vitgate-watch.conf"]
        with tempfile.TemporaryDirectory(prefix="vitgate-test-") as folder:
            path = f"{folder}/watch.conf"

            def check(text):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace("/var/lib/vitgate-watch", folder))
                return run(os.environ["VITGATE_WATCH"], "--check", path,
                           FRONT_DOOR_CREDENTIALS="viewer:secret")

            result = check(text)
            if "[page]" in result.stderr:  # built without it
                result = check(re.sub(r"(?s)\[page\].*?\n\n", "", text))
            self.assertEqual(result.returncode, 0, result.stderr)


class Health(unittest.TestCase):
    def check(self, status):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status if self.path == "/healthz" else 404)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Page)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            return run(f"{CONTAINER}/healthy", str(server.server_port)).returncode
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_the_page_decides(self):
        self.assertEqual(self.check(200), 0)
        self.assertNotEqual(self.check(503), 0)

    def test_no_page_is_not_healthy(self):
        with http.server.HTTPServer(("127.0.0.1", 0), None) as server:
            port = server.server_port
        self.assertNotEqual(run(f"{CONTAINER}/healthy", str(port)).returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
