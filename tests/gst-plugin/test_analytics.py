"""What GStreamer's own elements make of the results of vitgate. They need GStreamer 1.26.

Environment: see fixture.h and test_pipeline.py.
"""

import unittest

from introspection import need_library
from test_pipeline import LIMIT, MODEL, Gst, need

need_library("GstAnalytics", "gir1.2-gst-plugins-bad-1.0")
from gi.repository import GLib, GstAnalytics  # noqa: E402

WIDTH, HEIGHT = 320, 240
CAPS = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=25/1"


def run(properties, kind, confidence):
    """Plays a frame with one detected object through a vitgate with @properties and the overlay.

    Returns the pixels, and the object's result if it was classified.
    """
    found = []

    def on_frame(sink, buffer, pad):
        regions = buffer.get_custom_meta("VitgateMeta").get_structure().get_array("regions")[1]
        result = None
        if regions.n_values > 0:
            region = regions.get_nth(0)
            result = region.get_string("label"), region.get_double("score")[1]
        found.append((buffer.extract_dup(0, buffer.get_size()), result))

    pipeline = Gst.parse_launch(f"appsrc name=source format=time caps={CAPS} ! "
                                f"vitgate model={MODEL} inference-region=roi-list {properties} ! "
                                "objectdetectionoverlay ! fakesink name=out signal-handoffs=true")
    pipeline.get_by_name("out").connect("handoff", on_frame)
    pipeline.set_state(Gst.State.PLAYING)
    frame = Gst.Buffer.new_allocate(None, WIDTH * HEIGHT * 3 // 2, None)
    frame.memset(0, 100, frame.get_size())
    frame.pts = 0
    relations = GstAnalytics.buffer_add_analytics_relation_meta(frame)
    relations.add_od_mtd(GLib.quark_from_string(kind), 60, 100, 120, 100, confidence)
    source = pipeline.get_by_name("source")
    source.emit("push-buffer", frame)
    source.emit("end-of-stream")
    message = pipeline.get_bus().timed_pop_filtered(
        LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message and message.type == Gst.MessageType.EOS, "the pipeline did not end"
    return found[0]


class ObjectDetectionOverlay(unittest.TestCase):
    def test_it_draws_the_best_class_and_its_score(self):
        need("objectdetectionoverlay")
        drawn, (label, score) = run("", "car", 0.5)
        # It writes "LABEL (c=SCORE)" for a class, and the same for a detection without one.
        expected, _ = run("object-class=none", label, score)
        other, _ = run("object-class=none", "car", 0.5)
        self.assertEqual(drawn, expected)
        self.assertNotEqual(drawn, other)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
