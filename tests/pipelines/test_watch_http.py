"""vitgate-watch with cameras that send JPEG frames over HTTP, which have no timestamps.

Environment: see watch_case.py.
"""

import unittest

from cameras import skip_all, Gst
from http_camera import HttpCamera, make_frames
from watch_case import Watch, WatchTest

for element in "souphttpsrc", "multipartdemux", "jpegdec":
    if Gst.ElementFactory.find(element) is None:
        skip_all(f"this machine has no element {element}")

FRAMES = make_frames("snow", 320, 240)  # of some 50 KB
SLOW = 4 * len(FRAMES[0])  # bytes per second, for four frames


class Http(WatchTest):
    def configure_camera(self, camera, **keys):
        return self.configure({"yard": {
            "url": camera.url, "labels": "class 2", "threshold": 0, "top-k": 10,
            "appear-after": 0.1, "connect-timeout": 10, "stall-timeout": 2, **keys}})

    def check_times(self):
        frames = self.frames("yard")
        times = [frame["running_time"] for frame in frames]
        self.assertEqual(times, sorted(set(times)))
        self.assertEqual(times, [frame["timestamp"] for frame in frames])
        # Four frames per second arrive.
        mean = (times[-1] - times[1]) / (len(times) - 2) / Gst.SECOND
        self.assertGreater(mean, 0.15)
        self.assertLess(mean, 1)

    def check_slow(self, lengths):
        with HttpCamera(FRAMES, rate=SLOW, lengths=lengths) as camera:
            with Watch(self.configure_camera(camera)) as watch:
                watch.message("camera yard: connected")
                # The first frame is there at once, not when megabytes have arrived.
                self.assertLess(camera.sent, 6 * len(FRAMES[0]))
                watch.more_frames("yard", 4)
        self.check_times()
        self.assertEqual(self.events(), ["connected", "appeared", "vanished", "ended"])
        appeared, vanished = (line for line in self.read_log() if "label" in line)
        self.assertLess(appeared["running_time"], 1.5 * Gst.SECOND)
        self.assertGreater(vanished["seconds"], 0.5)

    def test_a_slow_camera(self):
        self.check_slow(lengths=True)

    def test_a_slow_camera_that_does_not_say_how_long_a_frame_is(self):
        self.check_slow(lengths=False)

    def test_results_are_reused_up_to_their_maximum_age(self):
        with HttpCamera(FRAMES[:1], fps=20) as camera:
            path = self.configure_camera(camera, **{"reuse-threshold": 0.05, "max-age": 0.5})
            with Watch(path) as watch:
                watch.more_frames("yard", 30)
        results = [frame["results"][0] for frame in self.frames("yard")]
        self.assertEqual({result["state"] for result in results}, {"fresh", "unchanged"})
        self.assertLess(max(result["age_time"] for result in results), 0.5 * Gst.SECOND)

    def test_a_camera_that_stalls_and_resumes(self):
        with HttpCamera(FRAMES) as camera:
            with Watch(self.configure_camera(camera, **{"stall-timeout": 0.5})) as watch:
                watch.more_frames("yard", 5)
                camera.stalled.set()
                watch.message(r"camera yard, http:\S*: no frame for 0.5 s; next attempt in")
                camera.stalled.clear()
                watch.camera_where("yard", lambda status: status["reconnects"] > 0)
                watch.more_frames("yard", 5)
        self.assertIn("lost", self.events())


if __name__ == "__main__":
    unittest.main(verbosity=2)
