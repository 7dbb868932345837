"""The RTSP camera for tests, and a plain client with vitgate, for the tests of this folder.

Environment: see tests/gst-plugin/test_pipeline.py.
"""

import os
import queue
import subprocess
import sys


def skip_all(reason):
    print("skipped:", reason)
    sys.exit(77)


if os.environ.get("VITGATE_TEST_SANITIZED"):
    skip_all(f"Python cannot load a plugin with {os.environ['VITGATE_TEST_SANITIZED']}")
try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    skip_all(f"packages python3-gi and gir1.2-gst-rtsp-server-1.0: {error}")

Gst.init(None)
for element in "rtspsrc", "intervideosrc", "jpegenc", "rtpjpegpay", "decodebin":
    if Gst.ElementFactory.find(element) is None:
        skip_all(f"this machine has no element {element}")

PIPELINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../pipelines")
MODEL = os.environ["VITGATE_TEST_MODEL"]
DEFAULT_CODEC = "h264" if any(
    map(Gst.ElementFactory.find, ("x264enc", "openh264enc"))) else "mjpeg"
LIMIT = 60  # seconds, of which a slow machine needs few


def plain_environment():
    """Our environment without what only a process that loads vitgate needs: the sanitizer."""
    environment = dict(os.environ)
    for name in "LD_PRELOAD", "GST_PLUGIN_PATH_1_0", "GST_REGISTRY_FORK":
        environment.pop(name, None)
    environment["GST_REGISTRY_1_0"] = os.environ.get("GST_REGISTRY_1_0", "registry") + ".plain"
    return environment


def run_program(name, *arguments, **environment):
    """A program of pipelines/ until it has ended."""
    run = subprocess.run([f"{PIPELINES}/{name}", *arguments], env={**os.environ, **environment},
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    assert "Traceback" not in run.stderr, run.stderr
    return run


def make_clip(path, **colours):
    """Frames of one colour after the other, 25 a second: how many by the pattern's name."""
    pipeline = Gst.parse_launch(
        "concat name=join ! jpegenc ! matroskamux ! filesink name=file "
        + "".join(f"videotestsrc num-buffers={frames} pattern={colour} ! video/x-raw,width=160,"
                  "height=120,framerate=25/1 ! join. " for colour, frames in colours.items()))
    pipeline.get_by_name("file").props.location = path
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        LIMIT * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message and message.type == Gst.MessageType.EOS


class Server:
    """pipelines/rtsp-camera-server, until the end of a with-block."""

    def __init__(self, *options, **environment):
        if "--codec" not in options:
            options += "--codec", DEFAULT_CODEC
        self.process = subprocess.Popen(
            [f"{PIPELINES}/rtsp-camera-server", "--size", "160x120", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**plain_environment(), **environment})
        word, self.url = self.process.stdout.readline().split() or ("", "")
        assert word == "ready"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()

    def tell(self, command):
        """Returns the camera's answer."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


class Client:
    """A plain client, until the end of a with-block: what it gets comes through a queue."""

    def __init__(self, url, protocol="tcp", **properties):
        self.events = queue.Queue()
        self.pipeline = Gst.parse_launch(
            f"rtspsrc name=camera latency=50 ! decodebin ! vitgate model={MODEL} "
            "! fakesink name=sink sync=false signal-handoffs=true")
        camera = self.pipeline.get_by_name("camera")
        properties.update(location=url, protocols=protocol)
        for name, value in properties.items():
            Gst.util_set_object_arg(camera, name.replace("_", "-"), value)
        self.pipeline.get_by_name("sink").connect("handoff", self.on_frame)
        bus = self.pipeline.get_bus()
        bus.enable_sync_message_emission()
        bus.connect("sync-message::eos", self.on_message)
        bus.connect("sync-message::error", self.on_message)

    def __enter__(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        return self

    def __exit__(self, *exception):
        self.pipeline.set_state(Gst.State.NULL)

    def on_frame(self, sink, buffer, pad):
        caps = pad.get_current_caps().get_structure(0)
        size = caps.get_int("width")[1], caps.get_int("height")[1]
        labelled = buffer.get_custom_meta("VitgateMeta") is not None
        found, memory = buffer.map(Gst.MapFlags.READ)
        brightness = memory.data[0]
        buffer.unmap(memory)
        self.events.put({"pts": buffer.pts, "size": size, "labelled": labelled,
                         "brightness": brightness})

    def on_message(self, bus, message):
        self.events.put(None if message.type == Gst.MessageType.EOS else message.parse_error()[0])

    def frame(self):
        """The next frame, a dictionary; RuntimeError where there comes none."""
        event = self.events.get(timeout=LIMIT)
        if not isinstance(event, dict):
            raise RuntimeError(f"the stream ended: {event.message if event else 'EOS'}")
        return event

    def frames(self, count):
        return [self.frame() for _ in range(count)]

    def frame_of(self, **fields):
        """The next frame that has these fields, among the next ten seconds or so."""
        for _ in range(250):
            frame = self.frame()
            if all(frame[name] == value for name, value in fields.items()):
                return frame
        raise RuntimeError(f"no frame with {fields}")

    def end(self):
        """Waits for the end of the stream: None for EOS, else the GLib.Error."""
        while True:
            event = self.events.get(timeout=LIMIT)
            if not isinstance(event, dict):
                return event

    def uses(self, factory):
        return self.pipeline.iterate_all_by_element_factory_name(factory).next()[1] is not None

    def wait_for_silence(self):
        """Until no frame has come for a second."""
        try:
            for _ in range(250):
                event = self.events.get(timeout=1)
                if not isinstance(event, dict):
                    raise RuntimeError(f"the stream ended: {event.message if event else 'EOS'}")
        except queue.Empty:
            return
        raise RuntimeError("the frames do not stop")
