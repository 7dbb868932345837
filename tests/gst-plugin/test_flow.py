"""Whole pipelines with vitgate: branches, pauses, seeks, EOS and changes of state.

Environment: see test_pipeline.py.
"""

import os
import threading
import unittest

from test_pipeline import LIMIT, MODEL, Gst, need, read_result

SECONDS = LIMIT // Gst.SECOND


class Flow:
    """A pipeline that collects the results at its sink "out", until the end of a with-block."""

    def __init__(self, line):
        self.results, self.changed = [], threading.Condition()
        self.pipeline = Gst.parse_launch(line)
        self.sink = self.pipeline.get_by_name("out")
        self.sink.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.on_frame)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.pipeline.set_state(Gst.State.NULL)

    def on_frame(self, pad, info):
        with self.changed:
            self.results.append(read_result(info.get_buffer()))
            self.changed.notify_all()
        return Gst.PadProbeReturn.OK

    def wait_for_frames(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.results) >= count, SECONDS)

    def reach(self, state):
        self.pipeline.set_state(state)
        assert self.pipeline.get_state(LIMIT)[0] != Gst.StateChangeReturn.FAILURE

    def wait_for_end(self):
        message = self.pipeline.get_bus().timed_pop_filtered(
            LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        assert message and message.type == Gst.MessageType.EOS, message and message.parse_error()

    def ages(self):
        return [result["age"] for result in self.results]


class Branches(unittest.TestCase):
    FRAMES, LAG = 60, 10

    def test_a_display_branch_keeps_its_frames_beside_an_overloaded_one(self):
        """The analysed branch takes as long for a frame as the display takes for ten: it continues
        only when these have been shown. A display that waited for it would never show them, nor
        would one that waited for the other branch's first frame (async=false)."""
        need("tee", "queue")
        waits = []

        def overload(pad, info):
            with flow.changed:
                shown = len(flow.results)
                waits.append(flow.changed.wait_for(
                    lambda: len(flow.results) >= min(shown + self.LAG, self.FRAMES), SECONDS))
            return Gst.PadProbeReturn.OK

        with Flow(f"videotestsrc is-live=true num-buffers={self.FRAMES} name=source ! "
                  "video/x-raw,format=I420,width=64,height=48,framerate=50/1 ! tee name=t "
                  "t. ! queue ! fakesink name=out sync=true "
                  "t. ! queue leaky=downstream max-size-buffers=1 "
                  f"! vitgate name=vitgate model={MODEL} ! fakesink async=false") as flow:
            vitgate = flow.pipeline.get_by_name("vitgate")
            vitgate.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, overload)
            flow.reach(Gst.State.PLAYING)
            flow.wait_for_end()
            analysed = vitgate.get_property("stats").get_uint64("frames")[1]
        self.assertEqual(flow.results, [None] * self.FRAMES)
        self.assertNotIn(False, waits)
        self.assertGreaterEqual(analysed, 2)
        # One frame is being analysed and one is in the queue when the last one is shown.
        self.assertLessEqual(analysed, self.FRAMES // self.LAG + 2)


class Pauses(unittest.TestCase):
    def test_ages_continue_after_a_pause(self):
        with Flow("videotestsrc num-buffers=50 pattern=ball ! "
                  "video/x-raw,format=NV12,width=64,height=48,framerate=100/1 ! "
                  f"vitgate model={MODEL} inference-interval=7 "
                  "! fakesink name=out sync=true") as flow:
            for count in 5, 12, 30:
                flow.reach(Gst.State.PLAYING)
                flow.wait_for_frames(count)
                flow.reach(Gst.State.PAUSED)
            flow.reach(Gst.State.PLAYING)
            flow.wait_for_end()
            self.assertEqual(flow.ages(), [i % 7 for i in range(50)])


class Ends(unittest.TestCase):
    def test_eos_in_mid_stream_passes_at_once(self):
        with Flow("videotestsrc is-live=true ! video/x-raw,format=NV12,width=64,height=48 ! "
                  f"vitgate model={MODEL} inference-interval=100 ! fakesink name=out") as flow:
            flow.reach(Gst.State.PLAYING)
            flow.wait_for_frames(5)
            flow.pipeline.send_event(Gst.Event.new_eos())
            flow.wait_for_end()
            self.assertEqual(flow.ages(), list(range(len(flow.results))))

    def test_a_second_run_after_eos_starts_afresh(self):
        with Flow("videotestsrc num-buffers=5 ! video/x-raw,format=NV12,width=64,height=48 ! "
                  f"vitgate model={MODEL} inference-interval=100 ! fakesink name=out") as flow:
            for _ in range(2):
                flow.reach(Gst.State.PLAYING)
                flow.wait_for_end()
                flow.reach(Gst.State.READY)
            self.assertEqual(flow.ages(), [0, 1, 2, 3, 4] * 2)


class StatesAndSeeks(unittest.TestCase):
    LINE = ("videotestsrc pattern=ball ! video/x-raw,format=NV12,width=64,height=48,framerate=25/1 "
            f"! vitgate name=vitgate model={MODEL} inference-interval=5 "
            "! fakesink name=out sync={sync}")

    def seek(self, flow, rate, start, stop):
        flags = Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE
        self.assertTrue(flow.pipeline.seek(rate, Gst.Format.TIME, flags, Gst.SeekType.SET,
                                           start * Gst.SECOND, Gst.SeekType.SET,
                                           stop * Gst.SECOND))

    def test_seeks_while_playing_at_any_rate(self):
        """Each seek flushes: no frame after it carries a result from before."""
        flushed = []

        def on_event(pad, info):
            if info.get_event().type == Gst.EventType.FLUSH_STOP:
                with flow.changed:
                    flushed.append(len(flow.results))
            return Gst.PadProbeReturn.OK

        with Flow(self.LINE.format(sync="true")) as flow:
            flow.sink.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_FLUSH, on_event)
            flow.reach(Gst.State.PLAYING)
            for i, rate in enumerate([1.0, 4.0, 0.5, -1.0, 2.0] * 4):
                flow.wait_for_frames((flushed[-1] if flushed else 0) + 2)
                self.seek(flow, rate, 10 + i, 60 + i)
            flow.wait_for_frames(flushed[-1] + 2)
            self.assertEqual(len(flushed), 20)
            ages = flow.ages()
            for first in flushed:
                self.assertEqual(ages[first:first + 2], [0, 1])

    def test_a_seek_near_the_end_reaches_eos(self):
        with Flow(self.LINE.format(sync="false")) as flow:
            flow.reach(Gst.State.PAUSED)
            before = len(flow.results)
            self.seek(flow, 1.0, 5, 6)
            flow.reach(Gst.State.PLAYING)
            flow.wait_for_end()
            self.assertEqual(flow.ages()[before:], [i % 5 for i in range(25)])

    def test_states_in_any_order_leave_no_thread(self):
        def count_threads():
            return len(os.listdir("/proc/self/task"))

        states = [Gst.State.PAUSED, Gst.State.PLAYING, Gst.State.READY, Gst.State.PLAYING,
                  Gst.State.PAUSED, Gst.State.NULL, Gst.State.PLAYING, Gst.State.NULL,
                  Gst.State.READY, Gst.State.NULL]
        with Flow(self.LINE.format(sync="true")) as flow:
            flow.pipeline.get_by_name("vitgate").props.threads = 3
            counts = []
            for _ in range(5):
                for state in states:
                    seen = len(flow.results)
                    flow.reach(state)
                    if state == Gst.State.PLAYING:
                        flow.wait_for_frames(seen + 1)
                counts.append(count_threads())
        # GLib keeps one or two idle threads for some time; vitgate starts two each time.
        self.assertLess(counts[-1] - counts[0], 4)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
