"""vitgatejson and vitgateoverlay in whole pipelines, as users write them.

Environment: see fixture.h and test_pipeline.py.
"""

import json
import locale
import os
import socket
import subprocess
import tempfile
import unittest

from test_pipeline import LIMIT, MODEL, Gst, Run, need

SOURCE = "videotestsrc num-buffers={} pattern=ball ! video/x-raw,format={},width=101,height=77"


class Lines(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "lines.jsonl")

    def tearDown(self):
        self.folder.cleanup()

    def read(self, line):
        """Runs the pipeline, and returns the lines it has written to {file}."""
        run = Run(line.format(file=self.file))
        self.assertEqual(run.errors, [])
        with open(self.file, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def test_a_file_holds_a_line_for_each_frame(self):
        need("filesink")
        frames = self.read(f"{SOURCE.format(12, 'NV12')} ! vitgate model={MODEL} top-k=3 ! "
                           "vitgatejson stream-id=door ! filesink location={file}")
        self.assertEqual([frame["frame"] for frame in frames], list(range(12)))
        for frame in frames:
            self.assertEqual((frame["version"], frame["stream_id"]), (1, "door"))
            self.assertEqual((frame["width"], frame["height"]), (101, 77))
            self.assertNotIn("wall_clock", frame, "a clip has none")
            (result,) = frame["results"]
            self.assertEqual(len(result["classes"]), 3)
            for member in ("label", "index", "score"):
                self.assertEqual(result[member], result["classes"][0][member])
            self.assertEqual(result["age"], 0)
            self.assertGreater(result["compute"]["ratio"], 0)
            self.assertGreater(result["compute"]["gmacs"], 0)
            self.assertGreater(result["compute"]["time"], 0)

    def test_lines_match_the_meta(self):
        need("filesink", "tee", "queue")
        run = Run(f"{SOURCE.format(12, 'NV12')} ! vitgate model={MODEL} inference-interval=5 ! "
                  "tee name=t t. ! queue ! fakesink name=meta "
                  f"t. ! queue ! vitgatejson ! filesink location={self.file}")
        self.assertEqual(run.errors, [])
        with open(self.file, encoding="utf-8") as lines:
            written = [json.loads(line)["results"][0] for line in lines]
        self.assertEqual(len(written), 12)
        for line, meta in zip(written, run.results["meta"]):
            self.assertEqual(line["model"], meta["model-name"])
            self.assertEqual(line["class_count"], meta["class-count"])
            self.assertEqual(line["age"], meta["age"])
            self.assertEqual(line["compute"]["gmacs"], meta["gmacs"])
            for member, field in (("label", "labels"), ("index", "indices"), ("score", "scores")):
                self.assertEqual([c[member] for c in line["classes"]], meta[field])

    def test_looks_on_one_stream_are_told_apart(self):
        need("filesink")
        frames = self.read(f"{SOURCE.format(6, 'NV12')} ! "
                           f"vitgate model={MODEL} look=gate region=0,0,50%,100% threshold=0 ! "
                           f"vitgate model={MODEL} look=bin region=60,30,40,40 "
                           "inference-interval=3 ! vitgateoverlay ! vitgatejson ! "
                           "filesink location={file}")
        self.assertEqual(len(frames), 6)
        for number, frame in enumerate(frames):
            gate, bin_ = frame["results"]
            self.assertEqual((gate["look"], bin_["look"]), ("gate", "bin"))
            self.assertEqual([gate[side] for side in ("x", "y", "width", "height")],
                             [0, 0, 51, 77])
            self.assertEqual([bin_[side] for side in ("x", "y", "width", "height")],
                             [60, 30, 40, 40])
            self.assertEqual((gate["age"], bin_["age"]), (0, number % 3))

    def test_a_reader_that_holds_numbers_in_doubles_gets_exact_times(self):
        need("filesink")
        start = 1732561234567890123  # ns since 1970
        source = SOURCE.format(2, "NV12").replace("videotestsrc",
                                                  f"videotestsrc timestamp-offset={start}")
        exact = self.read(f"{source} ! vitgate model={MODEL} ! vitgatejson ! "
                          "filesink location={file}")
        with open(self.file, encoding="utf-8") as lines:
            frames = [json.loads(line, parse_int=float) for line in lines]
        self.assertEqual(exact[0]["timestamp"], start)
        self.assertNotEqual(int(frames[0]["timestamp"]), start)
        for frame, whole in zip(frames, exact):
            self.assertEqual(int(frame["timestamp_exact"]), whole["timestamp"])
            self.assertEqual(int(frame["duration"]), whole["duration"])

    def test_a_consumer_of_gvametaconvert_finds_the_result(self):
        need("filesink", "tee", "queue")
        run = Run(f"{SOURCE.format(3, 'NV12')} ! vitgate model={MODEL} ! tee name=t "
                  "t. ! queue ! fakesink name=meta t. ! queue ! vitgatejson format=dlstreamer "
                  f"source=ball tags=\"{{\\\"site\\\": 3}}\" ! filesink location={self.file}")
        self.assertEqual(run.errors, [])
        with open(self.file, encoding="utf-8") as lines:
            messages = [json.loads(line) for line in lines]
        self.assertEqual(len(messages), 3)
        for message, meta in zip(messages, run.results["meta"]):
            self.assertEqual(message["resolution"], {"width": 101, "height": 77})
            self.assertEqual((message["source"], message["tags"]), ("ball", {"site": 3}))
            found = [(value["label"], value["label_id"], value["confidence"],
                      value["model"]["name"])
                     for thing in message["objects"] for value in thing.values()
                     if isinstance(value, dict) and "model" in value]
            self.assertEqual(found, [(meta["label"], meta["index"], meta["score"],
                                      meta["model-name"])])

    def test_results_cross_a_socket_with_their_frames(self):
        need("filesink", "unixfdsink", "unixfdsrc")
        path = os.path.join(self.folder.name, "socket")
        sender = Gst.parse_launch(
            f"{SOURCE.format(-1, 'NV12')},framerate=25/1 ! identity sync=true ! "
            f"vitgate model={MODEL} ! unixfdsink socket-path={path} sync=false")
        sender.set_state(Gst.State.PLAYING)
        try:
            self.assertEqual(sender.get_state(LIMIT)[0], Gst.StateChangeReturn.SUCCESS)
            frames = self.read(f"unixfdsrc socket-path={path} num-buffers=3 ! vitgatejson ! "
                               "filesink location={file}")
        finally:
            sender.set_state(Gst.State.NULL)
        self.assertEqual(len(frames), 3)
        for frame in frames:
            self.assertEqual(len(frame["results"][0]["classes"]), 5)

    def test_a_live_source_has_the_time_of_day(self):
        need("filesink")
        source = SOURCE.format(3, "NV12").replace("videotestsrc", "videotestsrc is-live=true")
        frames = self.read(f"{source} ! vitgate model={MODEL} ! vitgatejson ! "
                           "filesink location={file}")
        self.assertEqual([frame["wall_clock_source"] for frame in frames], ["clock"] * 3)
        times = [frame["wall_clock"] for frame in frames]
        self.assertEqual(times, sorted(times))

    def test_the_locale_changes_no_number(self):
        need("filesink")
        made = subprocess.run(
            ["localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8",
             os.path.join(self.folder.name, "de_DE.UTF-8")], capture_output=True, check=False)
        if made.returncode > 1:
            self.skipTest("no locale with decimal commas can be made (package locales)")
        os.environ["LOCPATH"] = self.folder.name
        before = locale.setlocale(locale.LC_ALL)
        try:
            locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
            self.assertEqual(locale.localeconv()["decimal_point"], ",")
            frames = self.read(f"{SOURCE.format(2, 'NV12')} ! vitgate model={MODEL} ! "
                               "vitgatejson ! filesink location={file}")
        finally:
            locale.setlocale(locale.LC_ALL, before)
            del os.environ["LOCPATH"]
        score = frames[0]["results"][0]["score"]
        self.assertTrue(0 < score < 1, score)

    def test_only_changes_are_written(self):
        need("filesink")
        line = (f"{SOURCE.format(30, 'NV12')} ! vitgate model={MODEL} ! "
                "vitgatejson only-changes={} ! filesink location={{file}}")
        every, changes = self.read(line.format("false")), self.read(line.format("true"))
        labels = [frame["results"][0]["label"] for frame in every]
        expected = [i for i, label in enumerate(labels) if i == 0 or label != labels[i - 1]]
        self.assertEqual([frame["frame"] for frame in changes], expected)

    def test_a_paused_clip_continues(self):
        need("filesink", "tee", "queue")
        pipeline = Gst.parse_launch(
            f"{SOURCE.format(60, 'NV12')},framerate=25/1 ! vitgate model={MODEL} ! tee name=t "
            "t. ! queue ! fakesink sync=true "
            "t. ! queue ! vitgatejson only-changes=true ! fakesink sync=true")
        pipeline.set_state(Gst.State.PLAYING)
        for state in (Gst.State.PLAYING, Gst.State.PAUSED, Gst.State.PLAYING):
            pipeline.set_state(state)
            self.assertEqual(pipeline.get_state(LIMIT)[0], Gst.StateChangeReturn.SUCCESS, state)
        message = pipeline.get_bus().timed_pop_filtered(
            LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        pipeline.set_state(Gst.State.NULL)
        self.assertTrue(message and message.type == Gst.MessageType.EOS, "no EOS")


class Sockets(unittest.TestCase):
    def test_clients_read_lines(self):
        need("tcpserversink")
        pipeline = Gst.parse_launch(
            f"{SOURCE.format(-1, 'NV12')},framerate=25/1 ! identity sync=true ! "
            f"vitgate model={MODEL} ! vitgatejson ! "
            "tcpserversink name=server host=127.0.0.1 port=0")
        pipeline.set_state(Gst.State.PLAYING)
        try:
            self.assertEqual(pipeline.get_state(LIMIT)[0], Gst.StateChangeReturn.SUCCESS)
            port = pipeline.get_by_name("server").get_property("current-port")
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                lines = connection.makefile(encoding="utf-8")
                numbers = [json.loads(lines.readline())["frame"] for _ in range(5)]
        finally:
            pipeline.set_state(Gst.State.NULL)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 5)))


class Overlay(unittest.TestCase):
    def test_every_camera_format_is_drawn_on(self):
        for form in ("NV12", "I420", "YUY2", "UYVY", "RGB", "BGRx", "GRAY8"):
            with self.subTest(form):
                run = Run(f"{SOURCE.format(3, form)} ! vitgate model={MODEL} ! "
                          "vitgateoverlay name=overlay ! fakesink name=out")
                self.assertEqual(run.errors, [])
                self.assertNotIn(None, run.results["out"])
                stats = run.pipeline.get_by_name("overlay").get_property("stats")
                self.assertEqual(stats.get_uint64("drawn")[1], 3)

    def test_results_can_be_written_after_it(self):
        need("videoconvert")
        run = Run(f"{SOURCE.format(3, 'I420')} ! vitgate model={MODEL} ! vitgateoverlay ! "
                  "videoconvert ! video/x-raw,format=RGB ! vitgatejson ! fakesink")
        self.assertEqual(run.errors, [])


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
