"""vitgate in whole pipelines, with results read through introspection only.

Environment: see introspection.py. VITGATE_TEST_DATA is the folder of the real clip and photographs.
"""

import os
import struct
import sys
import tarfile
import tempfile
import unittest

from introspection import MODEL, Gst, need_library

need_library("GstVideo", "gir1.2-gst-plugins-base-1.0")
from gi.repository import GstVideo  # noqa: E402

DATA = os.environ.get("VITGATE_TEST_DATA", "")
SHIPPED = os.environ.get("VITGATE_TEST_SHIPPED_MODEL", "")
# The address sanitizer makes the network several times slower.
LIMIT = (300 if "ASAN_OPTIONS" in os.environ else 60) * Gst.SECOND


def items(structure, field):
    found, array = structure.get_array(field)
    assert found, field
    return [array.get_nth(i) for i in range(array.n_values)]


def read_result(buffer):
    """Returns the VitgateMeta of a buffer as a dictionary, or None if it has none."""
    meta = buffer.get_custom_meta("VitgateMeta")
    if meta is None:
        return None
    s = meta.get_structure()
    return {
        "label": s.get_string("label"),
        "index": s.get_uint("index")[1],
        "score": s.get_double("score")[1],
        "n-results": s.get_uint("n-results")[1],
        "labels": items(s, "labels"),
        "raw-labels": items(s, "raw-labels"),
        "indices": items(s, "indices"),
        "scores": items(s, "scores"),
        "class-count": s.get_uint("class-count")[1],
        "model-name": s.get_string("model-name"),
        "state": s.get_string("state"),
        "age": s.get_uint64("age")[1],
        "age-time": s.get_uint64("age-time")[1],
        "compute": s.get_double("compute")[1],
        "gmacs": s.get_double("gmacs")[1],
        "compute-ratio": s.get_double("compute-ratio")[1],
        "modules": s.get_string("modules"),
        "tokens": s.get_uint("tokens")[1],
        "inference-time": s.get_uint64("inference-time")[1],
    }


def need(*elements):
    for name in elements:
        if Gst.ElementFactory.find(name) is None:
            raise unittest.SkipTest(f"this machine has no element {name}")


def need_data(name):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"no {path}")
    return path


class Run:
    """Plays a pipeline to its end, and collects the result of each buffer at each fakesink."""

    def __init__(self, line, push=None):
        self.results = {}
        self.messages = []
        self.errors = []
        self.pipeline = Gst.parse_launch(line)
        iterator = self.pipeline.iterate_sinks()
        while True:
            state, sink = iterator.next()
            if state != Gst.IteratorResult.OK:
                break
            if sink.find_property("signal-handoffs"):
                self.results[sink.name] = []
                sink.set_property("signal-handoffs", True)
                sink.connect("handoff", self.on_frame)
        self.pipeline.set_state(Gst.State.PLAYING)
        if push:
            push(self.pipeline.get_by_name("source"))
        self.wait()
        vitgate = self.pipeline.get_by_name("vitgate")
        self.stats = vitgate.get_property("stats") if vitgate else None
        self.pipeline.set_state(Gst.State.NULL)

    def on_frame(self, sink, buffer, pad):
        self.results[sink.name].append(read_result(buffer))

    def wait(self):
        kinds = (Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.ELEMENT
                 | Gst.MessageType.LATENCY)
        while True:
            message = self.pipeline.get_bus().timed_pop_filtered(LIMIT, kinds)
            assert message, "the pipeline did not end"
            if message.type == Gst.MessageType.ELEMENT:
                self.messages.append(message)
            elif message.type == Gst.MessageType.LATENCY:
                self.pipeline.recalculate_latency()
            elif message.type == Gst.MessageType.ERROR:
                self.errors.append(message.parse_error())
                return
            else:
                return


SOURCE = "videotestsrc num-buffers=12 pattern=ball ! video/x-raw,format={},width=101,height=77"


class Metadata(unittest.TestCase):
    def test_every_field_can_be_read(self):
        run = Run(f"{SOURCE.format('NV12')} ! vitgate model={MODEL} top-k=3 ! fakesink name=out")
        results = run.results["out"]
        self.assertEqual(len(results), 12)
        for result in results:
            self.assertEqual(result["n-results"], 3)
            self.assertEqual(result["label"], result["labels"][0])
            self.assertEqual(result["index"], result["indices"][0])
            self.assertEqual(result["score"], result["scores"][0])
            self.assertEqual(len(result["scores"]), 3)
            self.assertGreater(result["class-count"], 3)
            self.assertTrue(result["model-name"])
            self.assertEqual(result["state"], "fresh")
            self.assertEqual(result["age"], 0)
            self.assertEqual(result["age-time"], 0)
            self.assertGreater(result["compute"], 0)
            self.assertGreater(result["gmacs"], 0)
            self.assertEqual(result["modules"], "111111")
            self.assertEqual(result["tokens"], 2 * 17)  # of both squares
            self.assertGreater(result["inference-time"], 0)

    def test_copies_keep_the_meta(self):
        need("videoconvert", "videoscale", "tee", "queue")
        run = Run(f"{SOURCE.format('I420')} ! vitgate model={MODEL} ! tee name=t "
                  "t. ! queue ! videoconvert ! video/x-raw,format=RGB ! fakesink name=converted "
                  "t. ! queue ! videoscale ! video/x-raw,width=50,height=40 ! fakesink name=scaled "
                  "t. ! queue ! fakesink name=plain")
        plain = run.results["plain"]
        self.assertEqual(len(plain), 12)
        self.assertNotIn(None, plain)
        self.assertEqual(run.results["converted"], plain)
        self.assertEqual(run.results["scaled"], plain)

    def test_branches_of_a_tee_see_only_their_own_results(self):
        need("tee", "queue")
        run = Run(f"{SOURCE.format('NV12')} ! tee name=t "
                  f"t. ! queue ! vitgate model={MODEL} ! fakesink name=analysed "
                  "t. ! queue ! fakesink name=display")
        self.assertNotIn(None, run.results["analysed"])
        self.assertEqual(run.results["display"], [None] * 12)

    def test_region_of_interest_can_be_read(self):
        found = []

        def on_frame(sink, buffer, pad):
            roi = GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, -1)
            s = roi.get_param("classification_layer_name:logits")
            found.append((s.get_string("label"), s.get_int("label_id")[1],
                          s.get_double("confidence")[1], roi.w, roi.h))

        pipeline = Gst.parse_launch(f"{SOURCE.format('NV12')} ! vitgate model={MODEL} ! "
                                    "fakesink name=out signal-handoffs=true")
        pipeline.get_by_name("out").connect("handoff", on_frame)
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(
            LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        pipeline.set_state(Gst.State.NULL)
        self.assertEqual(message.type, Gst.MessageType.EOS)
        self.assertEqual(len(found), 12)
        self.assertEqual(found[0][3:], (101, 77))
        self.assertGreater(found[0][2], 0)

    def test_messages_can_be_read(self):
        run = Run(f"{SOURCE.format('NV12')} ! vitgate model={MODEL} post-messages=true "
                  "inference-interval=4 ! fakesink name=out")
        self.assertEqual(len(run.messages), 3)
        ages = [result["age"] for result in run.results["out"]]
        self.assertEqual(ages, [0, 1, 2, 3] * 3)
        for i, message in enumerate(run.messages):
            s = message.get_structure()
            self.assertEqual(s.get_name(), "vitgate")
            self.assertEqual(items(s, "labels"), run.results["out"][4 * i]["labels"])
            self.assertGreaterEqual(s.get_uint64("running-time")[1], 0)

    def test_stats_can_be_read(self):
        run = Run(f"{SOURCE.format('NV12')} ! vitgate name=vitgate model={MODEL} ! fakesink")
        self.assertEqual(run.stats.get_uint64("frames")[1], 12)
        self.assertGreater(run.stats.get_uint64("p95-time")[1], 0)


class Pipelines(unittest.TestCase):
    def test_two_elements_in_a_row(self):
        run = Run(f"{SOURCE.format('NV12')} ! vitgate model={MODEL} ! vitgate model={MODEL} ! "
                  "fakesink name=out")
        self.assertNotIn(None, run.results["out"])

    def test_a_region_is_what_videocrop_leaves(self):
        need("videocrop")
        scene = ("videotestsrc num-buffers=6 pattern=zone-plate kx2=9 ky2=7 kt=1 ! "
                 "video/x-raw,format={},width=101,height=77")
        for form in ("I420", "NV12", "RGB"):
            for x, y, width, height in ((20, 10, 60, 50), (21, 11, 60, 50), (21, 11, 61, 51)):
                with self.subTest(form=form, x=x, width=width):
                    ends = f"right={101 - x - width} bottom={77 - y - height}"
                    vitgate = f"vitgate model={MODEL} threshold=0 top-k=10 temporal=on"
                    crop = Run(f"{scene.format(form)} ! videocrop left={x} top={y} {ends} ! "
                               f"{vitgate} ! fakesink name=out").results["out"]
                    region = Run(f"{scene.format(form)} ! {vitgate} "
                                 f"region={x},{y},{width},{height} ! fakesink name=out")
                    self.assertEqual(region.errors, [])
                    for a, b in zip(crop, region.results["out"], strict=True):
                        self.assertEqual((a["indices"], a["scores"], a["state"]),
                                         (b["indices"], b["scores"], b["state"]))

    def test_a_region_beyond_the_frame_ends_the_pipeline_with_one_error(self):
        run = Run(f"{SOURCE.format('NV12')} ! vitgate model={MODEL} region=60,0,60,60 ! "
                  "fakesink name=out")
        (error,) = run.errors
        self.assertIn("60,0,60,60 reaches beyond the frame of 101x77 pixels", error[0].message)
        self.assertEqual(run.results["out"], [])

    def test_overlays_beside_the_pixels_pass(self):
        need("textoverlay")
        run = Run(f"{SOURCE.format('NV12')} ! textoverlay text=hello ! vitgate model={MODEL} ! "
                  "fakesink name=out")
        self.assertNotIn(None, run.results["out"])

    def test_live_latency_is_reported(self):
        pipeline = Gst.parse_launch(
            "videotestsrc is-live=true num-buffers=10 ! video/x-raw,format=NV12,framerate=50/1 ! "
            f"vitgate name=vitgate model={MODEL} ! fakesink name=out sync=true")
        pipeline.set_state(Gst.State.PLAYING)
        reported = 0
        while True:
            message = pipeline.get_bus().timed_pop_filtered(
                LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.LATENCY)
            if message.type != Gst.MessageType.LATENCY:
                break
            reported += message.src.name == "vitgate"
            pipeline.recalculate_latency()
        self.assertEqual(message.type, Gst.MessageType.EOS)
        query = Gst.Query.new_latency()
        self.assertTrue(pipeline.query(query))
        live, minimum, maximum = query.parse_latency()
        worst = pipeline.get_by_name("vitgate").get_property("stats").get_uint64("worst-time")[1]
        pipeline.set_state(Gst.State.NULL)
        self.assertTrue(live)
        self.assertGreaterEqual(reported, 1)
        self.assertGreaterEqual(minimum, worst * 4 // 5)

    def test_seeks_keep_every_frame_labelled(self):
        results = []
        pipeline = Gst.parse_launch(
            "videotestsrc pattern=ball ! video/x-raw,format=NV12,framerate=25/1 ! "
            f"vitgate model={MODEL} inference-interval=7 ! fakesink name=out signal-handoffs=true")
        pipeline.get_by_name("out").connect("handoff",
                                            lambda s, b, p: results.append(read_result(b)))
        pipeline.get_by_name("out").connect("preroll-handoff",
                                            lambda s, b, p: results.append(read_result(b)))
        pipeline.set_state(Gst.State.PAUSED)
        self.assertEqual(pipeline.get_state(LIMIT)[0], Gst.StateChangeReturn.SUCCESS)
        for second in (5, 0, 1):
            self.assertTrue(pipeline.seek(
                1.0, Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE,
                Gst.SeekType.SET, second * Gst.SECOND, Gst.SeekType.SET, 10 * Gst.SECOND))
            self.assertEqual(pipeline.get_state(LIMIT)[0], Gst.StateChangeReturn.SUCCESS)
            self.assertEqual(results[-1]["age"], 0)
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(
            LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        pipeline.set_state(Gst.State.NULL)
        self.assertEqual(message.type, Gst.MessageType.EOS)
        self.assertEqual([result["age"] for result in results[-225:]],
                         [i % 7 for i in range(225)])

    def test_an_overloaded_branch_loses_no_frame(self):
        # A nanosecond is never enough.
        run = Run(f"{SOURCE.format('NV12')} ! tee name=tee ! queue ! fakesink name=display "
                  f"tee. ! queue ! vitgate name=vitgate model={MODEL} latency-budget=1 ! "
                  "fakesink name=out")
        self.assertEqual(len(run.results["display"]), 12)
        results = run.results["out"]
        self.assertEqual(len(results), 12)
        self.assertEqual(results[-1]["state"], "late")
        self.assertAlmostEqual(results[-1]["age-time"], results[-1]["age"] * Gst.SECOND / 30,
                               delta=1)
        self.assertEqual(run.stats.get_uint64("skipped")[1],
                         sum(result["state"] == "late" for result in results))

    def test_a_bad_model_posts_one_error(self):
        pipeline = Gst.parse_launch(f"{SOURCE.format('NV12')} ! vitgate model=/none ! fakesink")
        self.assertEqual(pipeline.set_state(Gst.State.PLAYING), Gst.StateChangeReturn.FAILURE)
        bus = pipeline.get_bus()
        error, _ = bus.pop_filtered(Gst.MessageType.ERROR).parse_error()
        self.assertIsNone(bus.pop_filtered(Gst.MessageType.ERROR))
        pipeline.set_state(Gst.State.NULL)
        self.assertTrue(error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_FOUND))
        self.assertIn("/none", error.message)


TAGS = ["rotate-0", "rotate-90", "rotate-180", "rotate-270",
        "flip-rotate-0", "flip-rotate-90", "flip-rotate-180", "flip-rotate-270"]


class Orientation(unittest.TestCase):
    """Frames are classified as videoflip video-direction=auto turns them. In GStreamer 1.22 videoflip
    leaves the tag as it is, and ignores the property method."""

    SOURCE = ("videotestsrc num-buffers=1 pattern=smpte ! video/x-raw,format=RGB,"
              "width=121,height=77,framerate=25/1")

    def compare(self, run):
        self.assertEqual(run.errors, [])
        tagged, turned = run.results["tagged"], run.results["turned"]
        self.assertEqual(len(tagged), 1)
        scores = dict(zip(turned[0]["indices"], turned[-1]["scores"]))
        for index, score in zip(tagged[0]["indices"], tagged[0]["scores"]):
            self.assertAlmostEqual(score, scores[index], delta=0.02)
        return scores

    def test_every_tag_means_what_it_means_to_videoflip(self):
        need("videoflip", "taginject")
        results = []
        for tag in TAGS:
            with self.subTest(tag=tag):
                scores = self.compare(Run(
                    f"{self.SOURCE} ! taginject tags=image-orientation={tag} ! tee name=t "
                    f"t. ! queue ! vitgate model={MODEL} top-k=1000 ! fakesink name=tagged "
                    "t. ! queue ! videoflip video-direction=auto "
                    f"! vitgate model={MODEL} top-k=1000 orientation=identity "
                    "! fakesink name=turned"))
                for other in results:
                    self.assertGreater(max(abs(other[i] - scores[i]) for i in scores), 0.04,
                                       "the picture looks the same to the model")
                results.append(scores)

    def write_clip_of_a_phone(self):
        """Writes a clip whose container says to rotate it clockwise."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        clip = os.path.join(folder.name, "phone.mov")
        run = Run(f"{self.SOURCE} ! videoconvert ! jpegenc ! qtmux ! filesink location={clip}")
        self.assertEqual(run.errors, [])
        with open(clip, "r+b") as file:
            # The matrix of the track header; GStreamer 1.22 writes no other than this.
            place = file.read().index(b"tkhd") + 44
            file.seek(place)
            self.assertEqual(struct.unpack(">9i", file.read(36)),
                             (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
            file.seek(place)
            file.write(struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 77 << 16, 0, 1 << 30))
        return clip

    def test_the_rotation_of_a_container_reaches_the_element(self):
        need("qtmux", "qtdemux", "jpegenc", "jpegdec", "videoconvert", "videoflip", "decodebin")
        run = Run(
            f"filesrc location={self.write_clip_of_a_phone()} ! decodebin ! tee name=t "
            f"t. ! queue ! vitgate model={MODEL} top-k=1000 ! fakesink name=tagged "
            "t. ! queue ! videoflip video-direction=auto "
            f"! vitgate model={MODEL} top-k=1000 orientation=identity ! fakesink name=turned "
            f"t. ! queue ! vitgate model={MODEL} orientation=identity ! fakesink name=lying")
        self.compare(run)
        tagged, lying = run.results["tagged"][0], run.results["lying"][0]
        self.assertGreater(abs(tagged["scores"][tagged["indices"].index(lying["index"])]
                               - lying["score"]), 0.04)


class RealData(unittest.TestCase):
    """The published DeiT-Tiny on real pictures."""

    def setUp(self):
        self.model = need_data("deit_tiny_patch16_224.safetensors")

    def test_every_frame_of_a_real_clip_is_labelled(self):
        need("decodebin", "qtdemux", "avdec_h264")
        clip = need_data("video/car-detection.mp4")
        labels = need_data("imagenet_synsets.txt")
        run = Run(f"filesrc location={clip} ! decodebin ! vitgate model={self.model} "
                  f"labels={labels} inference-interval=5 temporal=off ! fakesink name=out")
        results = run.results["out"]
        self.assertEqual(run.errors, [])
        self.assertEqual(len(results), 377)
        self.assertEqual([result["age"] for result in results], [i % 5 for i in range(377)])
        # DeiT often takes a car seen from straight above for a telephone, but not near frame 345.
        cars = {"minivan", "cab", "beach wagon", "sports car", "convertible", "limousine"}
        self.assertTrue(cars & {label.split(",")[0] for label in results[345]["raw-labels"]},
                        results[345]["raw-labels"])

    def test_photographs_are_recognised(self):
        need("jpegdec", "appsrc")
        expected, photographs = [], []
        with tarfile.open(need_data("val.tar")) as tar:
            for line in tar.extractfile("labels.tsv").read().decode().splitlines():
                name, index = line.split("\t")[:2]
                if name.startswith("objects1000/"):
                    expected.append((name, int(index)))
            expected = expected[::12]
            for name, _ in expected:
                photographs.append(tar.extractfile(name).read())

        def push(source):
            for i, photograph in enumerate(photographs):
                buffer = Gst.Buffer.new_wrapped(photograph)
                buffer.pts = i * Gst.SECOND
                source.emit("push-buffer", buffer)
            source.emit("end-of-stream")

        # Each photograph has another size, so the caps change from frame to frame.
        run = Run("appsrc name=source format=time caps=image/jpeg ! jpegdec ! "
                  f"vitgate model={self.model} ! fakesink name=out", push)
        results = run.results["out"]
        self.assertEqual(run.errors, [])
        self.assertEqual(len(results), len(expected))
        right = sum(result["index"] == index for result, (_, index) in zip(results, expected))
        # All 500 photographs reach 81.2 %. For 42, four standard errors less is 57 %.
        self.assertGreater(right / len(expected), 0.57)
        print(f"{right} of {len(expected)} photographs recognised", file=sys.stderr)


class Sides(unittest.TestCase):
    """Photographs at the left edge of frames of 1280x720, and the shipped model."""

    def setUp(self):
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("the address sanitizer makes the network several times slower")
        need("jpegdec", "appsrc", "videobox", "videoscale")
        self.expected, self.photographs = [], []
        with tarfile.open(need_data("train-more.tar")) as tar:
            lines = tar.extractfile("labels.tsv").read().decode().splitlines()[1:]
            for line in lines[::len(lines) // 16]:
                name, index = line.split("\t")[:2]
                self.expected.append(int(index))
                self.photographs.append(tar.extractfile(name).read())

    def push(self, source):
        for i, photograph in enumerate(self.photographs):
            buffer = Gst.Buffer.new_wrapped(photograph)
            buffer.pts = i * Gst.SECOND
            source.emit("push-buffer", buffer)
        source.emit("end-of-stream")

    def count(self, place, properties):
        """Returns how many photographs get their label, 480 pixels high and moved to @place."""
        run = Run("appsrc name=source format=time caps=image/jpeg ! jpegdec ! videoscale ! "
                  f"video/x-raw,width=480,height=480 ! videobox {place} top=-120 bottom=-120 "
                  f"fill=white ! video/x-raw,width=1280,height=720 ! "
                  f"vitgate model={SHIPPED} {properties} ! fakesink name=out", self.push)
        self.assertEqual(run.errors, [])
        return sum(result["index"] == index
                   for result, index in zip(run.results["out"], self.expected))

    def test_objects_at_the_edges_get_their_label(self):
        n = len(self.expected)
        for place in "right=-800", "left=-800":
            seen, cropped = self.count(place, ""), self.count(place, "fit=model")
            print(f"{place}: {seen} of {n} recognised, {cropped} with fit=model", file=sys.stderr)
            self.assertGreater(seen, n // 3)
            self.assertLess(cropped, seen - 3)


if __name__ == "__main__":
    # get_nth() is deprecated, but without gst-python there is no other way to read an array.
    unittest.main(verbosity=2, warnings="ignore")
