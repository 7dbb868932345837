"""Plays one gray frame through elements, for tests of what they do to its metadata.

Environment: see fixture.h and test_pipeline.py.
"""

from test_pipeline import LIMIT, Gst

WIDTH, HEIGHT = 320, 240
CAPS = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=25/1"


def play_frame(elements, attach, read):
    """Plays a frame through @elements. attach(frame) is called before, read(frame) after them.

    Returns what read() returns.
    """
    found = []
    pipeline = Gst.parse_launch(f"appsrc name=source format=time caps={CAPS} ! {elements} ! "
                                "fakesink name=out signal-handoffs=true")
    pipeline.get_by_name("out").connect("handoff",
                                        lambda sink, buffer, pad: found.append(read(buffer)))
    pipeline.set_state(Gst.State.PLAYING)
    frame = Gst.Buffer.new_allocate(None, WIDTH * HEIGHT * 3 // 2, None)
    frame.memset(0, 100, frame.get_size())
    frame.pts = 0
    attach(frame)
    source = pipeline.get_by_name("source")
    source.emit("push-buffer", frame)
    source.emit("end-of-stream")
    message = pipeline.get_bus().timed_pop_filtered(
        LIMIT, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message and message.type == Gst.MessageType.EOS, "the pipeline did not end"
    return found[0]
