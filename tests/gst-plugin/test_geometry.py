"""The results of vitgate behind GStreamer's elements that change a frame's geometry.

Environment: see fixture.h and test_pipeline.py.
"""

import json
import unittest

from one_frame import play_frame
from test_pipeline import MODEL, GstVideo, need, read_result

PLACES = [(10, 20, 30, 40), (200, 100, 100, 90)]


def regions_of(buffer):
    """Returns the places in the VitgateMeta of a buffer, or None if it has none."""
    meta = buffer.get_custom_meta("VitgateMeta")
    if meta is None:
        return None
    regions = meta.get_structure().get_array("regions")[1]  # owns the regions
    return [tuple(regions.get_nth(i).get_uint(field)[1] for field in ("x", "y", "width", "height"))
            for i in range(regions.n_values)]


def places_of(buffer):
    """Returns the places of a buffer's regions of interest."""
    places = []
    while True:
        roi = GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, len(places) + 1)
        if roi is None:
            return places
        places.append((roi.x, roi.y, roi.w, roi.h))


def run(elements, read, region="roi-list"):
    """Classifies one frame with two regions. Returns what @read finds in it behind @elements."""
    need(*[element.split()[0] for element in elements.split(" ! ")
           if not element.startswith("video/")])

    def attach(frame):
        for number, place in enumerate(PLACES, start=1):
            GstVideo.buffer_add_video_region_of_interest_meta(frame, "car", *place).id = number

    return play_frame(f"vitgate model={MODEL} inference-region={region} ! {elements}", attach, read)


class Regions(unittest.TestCase):
    def test_regions_stay_where_nothing_moves(self):
        for elements in ("videoconvert ! video/x-raw,format=RGB", "videorate"):
            with self.subTest(elements):
                self.assertEqual(run(elements, regions_of), PLACES)

    def test_regions_follow_a_scaler(self):
        for elements, expected in (
                ("videoscale ! video/x-raw,width=160,height=120",
                 [(5, 10, 15, 20), (100, 50, 50, 45)]),
                ("videoscale ! video/x-raw,width=160,height=160",
                 [(5, 13, 15, 26), (100, 66, 50, 60)])):
            with self.subTest(elements):
                self.assertEqual(run(elements, regions_of), expected)
                self.assertEqual(run(elements, places_of), expected, "ROIs are elsewhere")

    def test_regions_are_never_in_a_wrong_place(self):
        # GStreamer up to 1.26 drops them. From 1.28 on it says where they went.
        for elements, expected in (
                ("videocrop left=100", [(100, 100, 100, 90)]),
                ("videobox left=-10", [(20, 20, 30, 40), (210, 100, 100, 90)]),
                ("videoflip video-direction=90r", []),
                ("videoflip video-direction=horiz", []),
                ("videoscale ! video/x-raw,width=160,height=160,pixel-aspect-ratio=1/1",
                 [(5, 30, 15, 20), (100, 70, 50, 45)])):
            with self.subTest(elements):
                self.assertIn(run(elements, regions_of), (None, expected))

    def test_lines_never_hold_a_wrong_place(self):
        def places(buffer):
            results = json.loads(buffer.extract_dup(0, buffer.get_size()))["results"]
            return [(region["x"], region["width"])
                    for result in results for region in result["regions"]]

        self.assertIn(run("videocrop left=100 ! vitgatejson", places), ([], [(100, 100)]))


class WholeFrames(unittest.TestCase):
    def test_results_survive_scaling(self):
        elements = "videoscale ! video/x-raw,width=160,height=160,pixel-aspect-ratio=1/1"
        self.assertTrue(run(elements, read_result, "full-frame")["label"])


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
