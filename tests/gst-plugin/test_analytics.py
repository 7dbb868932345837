"""What GStreamer's own elements make of the results of vitgate. They need GStreamer 1.26.

Environment: see fixture.h and test_pipeline.py.
"""

import os
import unittest

from introspection import need_library
from one_frame import play_frame
from test_pipeline import MODEL, need

need_library("GstAnalytics", "gir1.2-gst-plugins-bad-1.0")
from gi.repository import GLib, GstAnalytics  # noqa: E402


def run(properties, kind, confidence):
    """Plays a frame with one detected object through a vitgate with @properties and the overlay.

    Returns the pixels, and the object's result if it was classified.
    """
    def attach(frame):
        relations = GstAnalytics.buffer_add_analytics_relation_meta(frame)
        relations.add_od_mtd(GLib.quark_from_string(kind), 60, 100, 120, 100, confidence)

    def read(frame):
        regions = frame.get_custom_meta("VitgateMeta").get_structure().get_array("regions")[1]
        result = None
        if regions.n_values > 0:
            region = regions.get_nth(0)
            result = region.get_string("label"), region.get_double("score")[1]
        return frame.extract_dup(0, frame.get_size()), result

    return play_frame(f"vitgate model={MODEL} threshold=0 inference-region=roi-list {properties} ! "
                      "objectdetectionoverlay", attach, read)


class ObjectDetectionOverlay(unittest.TestCase):
    def test_it_draws_the_best_class_and_its_score(self):
        need("objectdetectionoverlay")
        drawn, (label, score) = run("", "car", 0.5)
        # It writes "LABEL (c=SCORE)" for a class, and the same for a detection without one.
        expected, _ = run("object-class=none", label, score)
        other, _ = run("object-class=none", "car", 0.5)
        self.assertEqual(drawn, expected)
        self.assertNotEqual(drawn, other)


def classify(properties):
    """Returns the labels and levels that the frame's GstAnalyticsClsMtd has, best first."""
    def read(frame):
        relations = GstAnalytics.buffer_get_analytics_relation_meta(frame)
        found, classes = relations.get_cls_mtd(0)
        assert found
        return [(GLib.quark_to_string(classes.get_quark(i)), classes.get_level(i))
                for i in range(classes.get_length())]

    return play_frame(f"vitgate model={os.environ['VITGATE_TEST_TAUGHT_MODEL']} threshold=0 "
                      f"{properties}", lambda frame: None, read)


class Classification(unittest.TestCase):
    def test_a_frame_of_none_of_the_classes_is_unknown(self):
        ((label, level),) = classify("")
        self.assertEqual(label, "unknown")
        self.assertGreater(level, 0.95)
        others = classify("unknown-threshold=0 top-k=3")
        self.assertEqual(len(others), 3)
        self.assertNotIn("unknown", [label for label, _ in others])


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
