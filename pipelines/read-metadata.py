#!/usr/bin/python3
"""Prints the VitgateMeta of each frame of a clip. Needs only python3-gi.

usage: read-metadata.py CLIP [MODEL]
"""
import signal, sys
import gstreamer
from gi.repository import Gst
from terminal import clean

PIPELINE = "filesrc name=clip ! decodebin ! videoconvert ! vitgate name=vitgate ! fakesink name=end"

def read(pad, info):
    buffer = info.get_buffer()
    result = buffer.get_custom_meta("VitgateMeta").get_structure()
    label = result.get_string("label") or "(unsure)"
    score = result.get_double("score" if result.has_field("score") else "raw-score")[1]
    age, ratio = result.get_uint64("age")[1], result.get_double("compute-ratio")[1]
    seconds = buffer.pts / Gst.SECOND
    print(f"{seconds:8.3f} s  {score:4.0%}  {clean(label)}  (age {age}, compute {ratio:.2f})")
    return Gst.PadProbeReturn.OK

def main(clip, model=None):
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly with "| head"
    gstreamer.start()
    pipeline = Gst.parse_launch(PIPELINE)
    pipeline.get_by_name("clip").props.location = clip
    pipeline.get_by_name("vitgate").props.model = model
    pipeline.get_by_name("end").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, read)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(clean(f"read-metadata.py: {clip}: {message.parse_error()[0].message}"))

if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    try:
        main(*sys.argv[1:])
    except ValueError as error:
        sys.exit(f"read-metadata.py: {error}")
