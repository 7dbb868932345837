"""vitgate-watch with cameras and brokers over TLS: those with a wrong certificate are refused.

Environment: see watch_case.py.
"""

import contextlib
import os
import tempfile
import unittest

from cameras import MODEL, Gst, Server, run_program, skip_all
from certificates import Authority, expired_dates, fingerprint, openssl
from http_camera import HttpCamera, make_frames
from test_watch_mqtt import Broker, MqttTest
from watch_case import Watch

if Gst.ElementFactory.find("souphttpsrc") is None:
    skip_all("this machine has no element souphttpsrc")


def setUpModule():
    global files, authority, other, good, misnamed, expired
    files = tempfile.TemporaryDirectory(prefix="vitgate-test-")
    authority, other = Authority(files.name, "authority"), Authority(files.name, "other")
    good = authority.sign("good")
    misnamed = authority.sign("misnamed", host="DNS:other.example")
    expired = authority.sign("expired", dates=expired_dates())


def tearDownModule():
    files.cleanup()


class Cameras(MqttTest):
    def check(self, scheme, serve):
        """Watches cameras with good and bad certificates at the same time, each with its server,
        since the cameras of one server must have the same keys.

        serve: makes a camera with the certificate in a PEM file
        """
        pin = fingerprint(good)
        trusted = {"ca": {"ca-file": authority.path}, "pin": {"certificate-sha256": pin},
                   "plain": {"certificate-sha256": pin.replace(":", "").lower()},
                   "insecure": {"insecure": "true"}}
        refused = {
            "ca": ({"ca-file": other.path}, good, "no known authority signed it"),
            "system": ({}, good, "no known authority signed it"),
            "name": ({"ca-file": authority.path}, misnamed, "it belongs to another host name"),
            "date": ({"ca-file": authority.path}, expired, "it has expired"),
            "pin": ({"certificate-sha256": fingerprint(misnamed)}, good,
                    f"than that of certificate-sha256: {pin}")}
        with contextlib.ExitStack() as stack:
            def camera(keys, path):
                return {"url": stack.enter_context(serve(path)).url, **keys}

            cameras = {f"trusted {name}": camera(keys, good) for name, keys in trusted.items()}
            cameras.update((f"refused {name}", camera(keys, path))
                           for name, (keys, path, _) in refused.items())
            with Watch(self.configure(cameras)) as watch:
                for name in trusted:
                    watch.more_frames(f"trusted {name}", 2)
                for name, (_, _, reason) in refused.items():
                    watch.message(f"camera refused {name}, {scheme}://127.0.0.1:.*: .*"
                                  f"127.0.0.1.*{reason}")
                    self.assertEqual(watch.camera_where(f"refused {name}", bool)["frames"], 0)
                warnings = [line for line in watch.messages.lines if "anyone can pretend" in line]
        self.assertEqual(len(warnings), 1)
        self.assertIn("[camera trusted insecure] insecure=true: its certificate is not checked",
                      warnings[0])

    def test_rtsps(self):
        self.check("rtsps", lambda path: Server("--certificate", path, "--fps", "5"))

    def test_https(self):
        frames = make_frames("ball", 160, 120)
        self.check("https", lambda path: HttpCamera(frames, fps=5, certificate=path))

    def test_a_resumed_session_is_no_way_around_the_check(self):
        """TLS sessions last beyond a reload of the key file."""
        with HttpCamera(make_frames("ball", 160, 120), certificate=good) as camera:
            keys = {"url": camera.url, "insecure": "true"}
            with Watch(self.configure({"yard": keys})) as watch:
                watch.more_frames("yard", 2)
                self.configure({"yard": {"url": camera.url, "ca-file": other.path}})
                watch.reload()
                watch.message("camera yard, https:.*: 127.0.0.1:.* was checked by other keys")
                self.assertEqual(watch.camera_where("yard", bool)["frames"], 0)
            path = self.configure({"yard": keys, "door": {"url": camera.url}})
            watch = Watch(path)
            self.assertEqual(watch.wait(), 1)
            self.assertIn("[camera door] url: ca-file, certificate-sha256 or insecure differs",
                          watch.messages.lines[0])

class Programs(unittest.TestCase):
    def test_camera_says_why_it_refuses_a_certificate(self):
        with Server("--certificate", good) as server:
            run = run_program("camera", "--model", MODEL, "--sink", "fakesink", server.url)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, f"^camera: {server.url}: its certificate is refused: no "
                                     "authority known to this machine signed it\n$")


class Brokers(MqttTest):
    def serve(self, certificate, *lines):
        return Broker(self, "allow_anonymous true", f"certfile {certificate}",
                      f"keyfile {certificate}", *lines)

    def check(self, broker, message, **keys):
        keys = {"tls": "true", "ca-file": authority.path, **keys}
        path = self.configure({"yard": {"url": "file:///none"}},
                              self.mqtt(broker, **{k: v for k, v in keys.items() if v}))
        with broker, Watch(path) as watch:
            found = watch.message("MQTT broker")
            self.assertRegex(found, rf"MQTT broker 127.0.0.1:{broker.port}: {message}")
        if message != "connected":
            self.assertNotIn("New client connected", "\n".join(broker.log.lines))
        return watch

    def test_a_trusted_certificate(self):
        self.check(self.serve(good), "connected")

    def test_an_unknown_authority(self):
        refused = "the broker's certificate is refused: .*(issuer|self.signed)"
        self.check(self.serve(good), refused, **{"ca-file": other.path})
        self.check(self.serve(good), refused, **{"ca-file": None})  # the system's

    def test_another_host_name(self):
        self.check(self.serve(misnamed), ".*host name verification failed")

    def test_an_expired_certificate(self):
        self.check(self.serve(expired), "the broker's certificate is refused: .*expired")

    def test_a_broker_without_tls(self):
        # It depends on the library's version whether it has a reason.
        self.check(Broker(self), "(TLS: (wrong version number|unexpected eof)|"
                                 "the TLS handshake failed; does the broker use TLS|"
                                 "the broker ended the TLS connection)")

    def test_client_certificates(self):
        client = authority.sign("client")
        broker = self.serve(good, f"cafile {authority.path}", "require_certificate true")
        own = {"client-certificate": client, "client-key": client}
        os.chmod(client, 0o600)
        self.check(broker, "connected", **own)
        # Which of the two depends on when the alert arrives.
        self.check(broker, "(TLS: .*certificate required|.*does it require a client-certificate)")
        stranger = other.sign("stranger")
        os.chmod(stranger, 0o600)
        self.check(broker, "(TLS: .*unknown ca|.*does it accept client-certificate)",
                   **{"client-certificate": stranger, "client-key": stranger})

    def test_a_client_key_with_a_password_is_refused_without_asking(self):
        client, key = authority.sign("locked"), f"{files.name}/encrypted.key"
        openssl("ec", "-in", f"{files.name}/locked.key", "-aes256", "-passout", "pass:x", "-out",
                key)
        os.chmod(key, 0o600)
        self.check(self.serve(good), ".*client key file.*encrypted.key",
                   **{"client-certificate": client, "client-key": key})

    def test_credentials_without_tls_are_warned_about(self):
        self.write("secret", "eve:a b\n", 0o600)
        watch = self.check(Broker(self), "connected", **{
            "tls": None, "ca-file": None, "credentials-file": "secret"})
        self.assertRegex("\n".join(watch.messages.lines),
                         r"\[mqtt\] user and password are sent to 127.0.0.1 without TLS")
        watch = self.check(self.serve(good), "connected", **{"credentials-file": "secret"})
        self.assertNotIn("without TLS", "\n".join(watch.messages.lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)
