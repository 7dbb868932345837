"""vitgate-watch with cameras that are lost, return, stall and change.

Environment: see watch_case.py. VITGATE_TEST_RECONNECTS is how often a camera is lost (default: 5).
"""

import http.server
import itertools
import os
import socket
import threading
import unittest

from cameras import DEFAULT_CODEC, LIMIT, Gst, ManyStreams, Server, play_file
from watch_case import Watch, WatchTest

RECONNECTS = int(os.environ.get("VITGATE_TEST_RECONNECTS", "5"))


class Streams(WatchTest):
    def check_transport(self, transport):
        with Server() as server:
            path = self.configure({"door": {"url": server.url, "transport": transport}})
            with Watch(path) as watch:
                watch.more_frames("door", 20)
        self.assertEqual(self.events(), ["connected", "ended"])
        frames = self.frames("door")
        self.assertGreaterEqual(len(frames), 20)
        self.assertTrue(all(frame["results"][0]["label"] for frame in frames))
        times = [frame["timestamp"] for frame in frames]
        self.assertEqual(times, sorted(times))

    def test_tcp(self):
        self.check_transport("tcp")

    def test_udp(self):
        self.check_transport("udp")

    def test_only_the_first_video_is_requested(self):
        video = ("videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48 "
                 "! jpegenc ! rtpjpegpay")
        sound = "audiotestsrc is-live=true ! mulawenc ! rtppcmupay"
        with ManyStreams(sound, video, video, sound) as server:
            with Watch(self.configure({"door": {"url": server.url}})) as watch:
                watch.more_frames("door", 5)
        self.assertEqual(server.requested, ["stream=1"])
        self.assertEqual(self.events(), ["connected", "ended"])

    def test_another_size_does_not_interrupt_the_stream(self):
        with Server() as server:
            with Watch(self.configure({"door": {"url": server.url}})) as watch:
                watch.more_frames("door", 5)
                server.send("size 320x240")
                watch.more_frames("door", 40)
        self.assertEqual(self.events(), ["connected", "ended"])
        sizes = {(frame["width"], frame["height"]) for frame in self.frames()}
        self.assertEqual(sizes, {(160, 120), (320, 240)})

    def test_another_codec_is_found_after_a_reconnect(self):
        other = "mjpeg" if DEFAULT_CODEC == "h264" else "h264"
        with Server() as server:
            with Watch(self.configure({"door": {"url": server.url}})) as watch:
                watch.more_frames("door", 5)
                if server.send(f"codec {other}") != f"done codec {other}":
                    self.skipTest(f"no encoder for {other}")
                watch.camera_where("door", lambda camera: camera["reconnects"] == 1)
                watch.more_frames("door", 5)
        self.assertEqual(self.events(), ["connected", "lost", "connected", "ended"])

    def test_labels_vanish_with_the_camera(self):
        with Server() as server:
            path = self.configure({"door": {"url": server.url, "labels": "class 2", "threshold": 0,
                                            "top-k": 10, "appear-after": 0}})
            with Watch(path) as watch:
                watch.more_frames("door")
                server.send("drop")
                watch.camera_where("door", lambda camera: camera["reconnects"] == 1)
                watch.more_frames("door")
        self.assertEqual(self.events(), ["connected", "appeared", "vanished", "lost",
                                         "connected", "appeared", "vanished", "ended"])
        reasons = [line.get("reason") for line in self.read_log()
                   if line.get("event") == "vanished"]
        self.assertEqual(reasons, ["camera lost", None])

    def test_a_stalled_camera_is_detected(self):
        with Server() as server:
            path = self.configure({"door": {"url": server.url}}, **{
                "stall-timeout": 0.7, "connect-timeout": 2})
            with Watch(path) as watch:
                watch.more_frames("door", 5)
                server.send("stall")
                watch.message(r"camera door, rtsp:\S*: no frame for 0.7 s; next attempt in")
                # Reconnecting fails, too. Which side gives up first depends on the camera.
                watch.message("camera door, .*: (no frame within 2 s|Could not re)")
                server.send("resume")
                watch.more_frames("door", 5)
        self.assertIn("lost", self.events())


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, format, *arguments):
        pass


class BadCameras(WatchTest):
    """A bad camera must not disturb a good one that is watched at the same time."""

    def check(self, keys, message, *, recovered=None, url=None, **environment):
        """Checks the message about a bad camera. url: of that camera; recovered: repairs it."""
        with Server() as good:
            path = self.configure({"bad": {"url": url, **keys}, "good": {"url": good.url}})
            with Watch(path, **environment) as watch:
                found = watch.message("camera bad, .*: " + message)
                watch.more_frames("good", 10)
                if recovered:
                    recovered()
                    watch.more_frames("bad", 5)
        self.assertEqual(self.events("good"), ["connected", "ended"])
        return found

    def waiting(self, reason):
        """Returns the first event about a bad camera that cannot be reached."""
        event = next(line for line in self.read_log() if line.get("event") == "waiting")
        self.assertEqual(event["stream_id"], "bad")
        self.assertRegex(event["reason"], reason)
        return event

    def test_nobody_there(self):
        message = "cannot connect to 127.0.0.1, port 1: connection refused"
        self.check({}, message, url="rtsp://127.0.0.1:1/none")
        waiting = self.waiting(message)
        self.assertEqual(waiting["attempts"], 1)
        self.assertGreater(waiting["retry_after"], 0)
        self.assertLess(waiting["waiting_since"], waiting["wall_clock"])
        # The same reason again is no news.
        self.assertEqual(self.events("bad"), ["waiting"])

    def test_nobody_there_over_http(self):
        self.check({}, "cannot connect to 127.0.0.1, port 1: connection refused",
                   url="http://127.0.0.1:1/none")

    def test_unknown_name(self):
        with self.assertRaises(OSError):
            socket.getaddrinfo("no-such-camera.invalid", 554)
        self.check({}, "(no address found for|cannot look up) the name no-such-camera.invalid",
                   url="rtsp://no-such-camera.invalid/stream")

    def test_a_camera_that_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as camera:
            self.check({"connect-timeout": 0.5}, "no frame within 0.5 s",
                       url=f"rtsp://127.0.0.1:{camera.getsockname()[1]}/stream")
        self.waiting("no frame within 0.5 s")

    def test_a_port_of_another_service(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), QuietHandler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.check({}, r"the answer is not RTSP \(is the port right\?\)",
                       url=f"rtsp://127.0.0.1:{server.server_address[1]}/stream")
            server.shutdown()

    def test_the_status_shows_since_when_a_camera_is_away(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = str(probe.getsockname()[1])
        path = self.configure({"door": {"url": f"rtsp://127.0.0.1:{port}/camera"}})
        with Watch(path) as watch:
            away = watch.camera_where("door", lambda camera: camera["attempts"] > 1)
            with Server("--port", port):
                playing = watch.camera_where("door", lambda camera: camera["frames"] > 0)
            lost = watch.camera_where("door", lambda camera: camera["attempts"] > 0)
        self.assertRegex(away["waiting_since"], r"^\d{4}-\d\d-\d\dT.*Z$")
        self.assertEqual((playing["waiting_since"], playing["attempts"]), (None, 0))
        self.assertGreater(lost["waiting_since"], away["waiting_since"])
        # A further event says that the reason has changed.
        self.assertEqual([event for event, _ in itertools.groupby(self.events())],
                         ["waiting", "connected", "lost", "waiting"])

    def test_no_such_path(self):
        with Server() as server:
            self.check({}, r"stream not found \(is the path", url=server.url + "s")

    def test_refused_credentials(self):
        self.write("secret", "eve:wrong\n", 0o600)
        with Server(VITGATE_CAMERA_USER="eve", VITGATE_CAMERA_PASSWORD="a b") as server:
            message = self.check({"credentials-file": "secret", "retry-most": 60},
                              "the camera refuses the credentials", url=server.url)
        self.waiting("the camera refuses the credentials")
        # The wait is long from the first time: from half the maximum to the maximum.
        self.assertGreaterEqual(float(message.split("next attempt in ")[1].split()[0]), 30)
        self.assertNotIn("wrong", message)

    def test_credentials_that_become_valid(self):
        self.write("secret", "eve:wrong\n", 0o600)
        with Server(VITGATE_CAMERA_USER="eve", VITGATE_CAMERA_PASSWORD="a b") as server:
            self.check({"credentials-file": "secret"}, "the camera refuses the credentials",
                       url=server.url, recovered=lambda: self.write("secret", "eve:a b\n", 0o600))

    def test_credentials_from_the_environment(self):
        with Server(VITGATE_CAMERA_USER="eve", VITGATE_CAMERA_PASSWORD="a b") as server:
            path = self.configure({"door": {"url": server.url, "credentials-env": "DOOR"}})
            with Watch(path, DOOR="eve:a b") as watch:
                watch.more_frames("door", 3)

    def test_missing_credentials(self):
        with Server(VITGATE_CAMERA_USER="eve", VITGATE_CAMERA_PASSWORD="a b") as server:
            self.check({}, "the camera requires credentials, but none are set", url=server.url)

    def test_no_video(self):
        with Server() as server:
            server.send("no-video")
            self.check({}, "the camera sends no video", url=server.url,
                       recovered=lambda: server.send(f"codec {DEFAULT_CODEC}"))

    def test_only_udp(self):
        with Server("--udp-only") as server:
            self.check({}, r"the camera does not send over TCP \(set transport=auto\)",
                       url=server.url)
            with Watch(self.configure({"bad": {"url": server.url, "transport": "auto"}})) as watch:
                watch.more_frames("bad", 5)

    def test_no_decoder(self):
        decoders = Gst.ElementFactory.list_get_elements(
            Gst.ELEMENT_FACTORY_TYPE_DECODER | Gst.ELEMENT_FACTORY_TYPE_MEDIA_VIDEO, 0)
        hidden = [d.get_name() for d in decoders if d.can_sink_any_caps(
            Gst.Caps.from_string("video/x-h264"))]
        if DEFAULT_CODEC != "h264":
            self.skipTest("no encoder for H.264")
        with Server() as server, Server("--codec", "mjpeg") as good:
            path = self.configure({"bad": {"url": server.url}, "good": {"url": good.url}})
            ranks = ",".join(f"{name}:NONE" for name in hidden)
            with Watch(path, GST_PLUGIN_FEATURE_RANK=ranks) as watch:
                watch.message("camera bad, .*: GStreamer has no decoder for the camera's video "
                           r"\(video/x-h264\)")
                watch.more_frames("good", 10)

    def test_a_file_that_is_not_a_model(self):
        model = self.write("model.safetensors", "nonsense")
        with Server() as server:
            self.check({"model": model}, ".*model.safetensors: is not a safetensors file; ",
                       url=server.url)

    def test_a_file_that_is_not_a_clip(self):
        self.check({}, ".*", url="file://" + self.write("clip.mp4", "nonsense" * 1000))

    def test_a_missing_file(self):
        self.check({}, ".*No such file", url="file:///none.mp4")

    def test_a_file_without_video(self):
        path = self.path("sound.mkv")
        play_file("audiotestsrc num-buffers=10 ! matroskamux ! filesink name=file", path)
        self.check({}, "the camera sends no video", url="file://" + path)


def thread_name(folder):
    """Returns the name of a thread, or that of a pool's thread if it has ended."""
    try:
        with open(f"{folder}/comm", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return "pool-"


class Threads(WatchTest):
    def test_a_decoder_has_no_threads_of_its_own(self):
        """Each further camera adds six: four of rtspsrc, one that infers, one that watches."""
        with Server("--fps", "5") as server:
            def count(cameras):
                path = self.configure({str(i): {"url": server.url} for i in range(cameras)})
                with Watch(path) as watch:
                    for i in range(cameras):
                        watch.more_frames(str(i), 3)
                    tasks = f"/proc/{watch.process.pid}/task"
                    # GLib's pools keep their threads for a while.
                    return sum(not thread_name(f"{tasks}/{task}").startswith("pool-")
                               for task in os.listdir(tasks))

            self.assertLessEqual(count(4) - count(1), 3 * 6)


class Reconnects(WatchTest):
    def counts(self, watch):
        folder = f"/proc/{watch.process.pid}"
        return [len(os.listdir(f"{folder}/{name}")) for name in ("task", "fd")]

    def test_a_camera_that_is_lost_again_and_again(self):
        """The camera is dropped, or killed and restarted, in turn. Nothing accumulates."""
        server = Server()
        lost = 0
        try:
            with Watch(self.configure({"door": {"url": server.url}})) as watch:
                first = watch.more_frames("door", 3)
                before = self.counts(watch)
                for lost in range(1, RECONNECTS + 1):
                    if lost % 2:
                        server.send("drop")
                    else:
                        server.process.kill()
                        server.process.wait(LIMIT)
                        server.__exit__()
                        server = Server("--port", server.port)
                    watch.camera_where("door", lambda camera: camera["reconnects"] >= lost)
                    watch.more_frames("door", 3)
                after = self.counts(watch)
                last = watch.status_where(lambda status: True)
        finally:
            server.__exit__()
        print(f"{lost} reconnects; threads and files {before} to {after}, "
              f"memory {last['memory'] / 1e6:.1f} MB, {last['cameras'][0]['frames']} frames")
        self.assertGreater(last["cameras"][0]["frames"], first["frames"])
        for old, new in zip(before, after):
            self.assertLessEqual(new, old + 4)
        events = [event for event in self.events() if event != "waiting"]
        self.assertEqual(events, ["connected", "lost"] * ((len(events) - 2) // 2)
                         + ["connected", "ended"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
