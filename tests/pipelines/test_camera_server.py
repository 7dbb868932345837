"""rtsp-camera-server as seen by a plain client with vitgate. Environment: see cameras.py."""

import os
import subprocess
import tempfile
import unittest

from cameras import (DEFAULT_CODEC, ENCODERS, PIPELINES, Client, Gst, Server, make_clip, need_codec,
                     plain_environment)


class Streams(unittest.TestCase):
    def check_transport(self, protocol):
        with Server() as server, Client(server.url, protocol) as client:
            frames = client.frames(30)
        self.assertTrue(all(frame["labelled"] for frame in frames))
        self.assertTrue(all(frame["size"] == (160, 120) for frame in frames))
        times = [frame["pts"] for frame in frames]
        self.assertEqual(times, sorted(times))

    def test_frames_over_tcp_are_labelled(self):
        self.check_transport("tcp")

    def test_frames_over_udp_are_labelled(self):
        self.check_transport("udp")

    def test_two_clients_share_a_camera(self):
        with Server() as server, Client(server.url) as one, Client(server.url, "udp") as other:
            one.frames(5)
            other.frames(5)
            one.frames(5)

    def test_a_clip_is_looped_with_continuous_times(self):
        with tempfile.TemporaryDirectory() as folder:
            clip = f"{folder}/black and white.mkv"
            make_clip(clip, black=10, white=10)
            with Server("--clip", clip) as server, Client(server.url) as client:
                changes, last, time = 0, None, -1
                while changes < 6:
                    frame = client.frame()
                    white = frame["brightness"] > 128
                    changes += last is not None and white != last
                    self.assertGreater(frame["pts"], time)
                    last, time = white, frame["pts"]


class Users(unittest.TestCase):
    def check_users(self, auth):
        with Server("--auth", auth, VITGATE_CAMERA_USER="eve",
                    VITGATE_CAMERA_PASSWORD="a b") as server:
            with Client(server.url, user_id="eve", user_pw="a b") as client:
                client.frames(3)
            for user in {"user_id": "eve", "user_pw": "ab"}, {}:
                with Client(server.url, **user) as client:
                    error = client.end()
                self.assertTrue(error and error.matches(Gst.ResourceError.quark(),
                                                        Gst.ResourceError.NOT_AUTHORIZED), error)

    def test_digest(self):
        self.check_users("digest")

    def test_basic(self):
        self.check_users("basic")


class Commands(unittest.TestCase):
    def test_a_stalled_camera_is_silent_and_resumes(self):
        for protocol in "tcp", "udp":
            with self.subTest(protocol), Server() as server, \
                    Client(server.url, protocol) as client:
                before = client.frames(5)[-1]
                self.assertEqual(server.send("stall"), "done stall")
                client.wait_for_silence()
                self.assertEqual(server.send("resume"), "done resume")
                after = client.frames(5)[0]
                self.assertGreater(after["pts"], before["pts"] + Gst.SECOND // 2)

    def test_drop_ends_the_stream_over_tcp(self):
        with Server() as server:
            with Client(server.url) as client:
                client.frames(3)
                self.assertEqual(server.send("drop"), "done drop")
                self.assertIsNone(client.end())
            with Client(server.url) as client:
                client.frames(3)

    def test_drop_is_silence_over_udp(self):
        """rtspsrc reports nothing: a client must watch the time itself."""
        with Server() as server:
            with Client(server.url, "udp") as client:
                client.frames(3)
                self.assertEqual(server.send("drop"), "done drop")
                client.wait_for_silence()
            with Client(server.url, "udp") as client:
                client.frames(3)

    def test_die_ends_the_stream(self):
        with Server() as server, Client(server.url) as client:
            client.frames(3)
            self.assertEqual(server.send("die"), "")
            self.assertIsNone(client.end())

    def test_a_size_changes_in_mid_stream(self):
        for codec in ENCODERS:
            with self.subTest(codec):
                need_codec(codec)
                with Server("--codec", codec) as server, Client(server.url) as client:
                    client.frame_of(size=(160, 120), labelled=True)
                    self.assertEqual(server.send("size 320x240"), "done size 320x240")
                    client.frame_of(size=(320, 240), labelled=True)

    def test_a_size_is_kept(self):
        with Server() as server:
            server.send("size 320x240")
            with Client(server.url) as client:
                self.assertEqual(client.frame()["size"], (320, 240))

    def test_another_codec_needs_another_connection(self):
        need_codec("h264")
        with Server("--codec", "h264") as server:
            with Client(server.url) as client:
                client.frames(3)
                self.assertEqual(server.send("codec mjpeg"), "done codec mjpeg")
                self.assertIsNone(client.end())
            with Client(server.url) as client:
                client.frames(3)
                self.assertTrue(client.uses("rtpjpegdepay"))

    def test_no_video_is_an_error_for_a_client_that_needs_it(self):
        with Server() as server:
            self.assertEqual(server.send("no-video"), "done no-video")
            with Client(server.url) as client:
                self.assertIsNotNone(client.end())
            self.assertEqual(server.send(f"codec {DEFAULT_CODEC}"), f"done codec {DEFAULT_CODEC}")
            with Client(server.url) as client:
                client.frames(3)

    def test_wrong_commands_change_nothing(self):
        with Server() as server, Client(server.url) as client:
            for command in "explode", "size", "size 1x1", "size 99999x10", "codec vp9", "stall now":
                self.assertEqual(server.send(command), f"failed {command}")
            client.frames(3)


class BadOptions(unittest.TestCase):
    def check(self, reason, *options, **environment):
        run = subprocess.run(
            [f"{PIPELINES}/rtsp-camera-server", *options], stdin=subprocess.DEVNULL,
            env={**plain_environment(), **environment}, capture_output=True, text=True)
        self.assertGreater(run.returncode, 0)
        self.assertIn(reason, run.stderr)
        self.assertNotIn("Traceback", run.stderr)

    def test_no_clip(self):
        self.check("/none", "--clip", "/none")

    def test_no_video_in_a_clip(self):
        self.check("no video", "--clip", os.path.abspath(__file__))

    def test_port_taken(self):
        with Server() as server:
            self.check(f"port {server.port}", "--port", server.port)

    def test_impossible_values(self):
        for option, value in (("--port", "70000"), ("--fps", "0"), ("--size", "3x3"),
                              ("--codec", "vp9"), ("--auth", "none")):
            with self.subTest(option):
                self.check(value, option, value)

    def test_a_user_without_a_password(self):
        self.check("together", "--user", "eve")


if __name__ == "__main__":
    unittest.main(verbosity=2)
