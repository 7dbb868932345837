"""The RTSP test camera and a plain client with vitgate, for the tests in this folder.

Environment: see tests/gst-plugin/introspection.py.
"""

import os
import queue
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../gst-plugin"))
from introspection import MODEL, Gst, need_library, skip_all  # noqa: E402

need_library("GstRtspServer", "gir1.2-gst-rtsp-server-1.0")
from gi.repository import GLib, GstRtspServer  # noqa: E402

for element in "rtspsrc", "intervideosrc", "jpegenc", "rtpjpegpay", "decodebin":
    if Gst.ElementFactory.find(element) is None:
        skip_all(f"this machine has no element {element}")

PIPELINES = os.path.join(HERE, "../../pipelines")
LIMIT = 60  # seconds; even a slow machine needs only a few
ENCODERS = {"h264": ("x264enc", "openh264enc"), "h265": ("x265enc",), "mjpeg": ("jpegenc",)}


def has_encoder(codec):
    return any(map(Gst.ElementFactory.find, ENCODERS[codec]))


def need_codec(codec):
    if not has_encoder(codec):
        raise unittest.SkipTest(f"this machine has no encoder for {codec}")


DEFAULT_CODEC = "h264" if has_encoder("h264") else "mjpeg"


def plain_environment():
    """Returns the environment for processes that do not load vitgate: without the sanitizer."""
    environment = dict(os.environ)
    for name in "LD_PRELOAD", "GST_PLUGIN_PATH_1_0", "GST_REGISTRY_FORK":
        environment.pop(name, None)
    registry = os.path.join(tempfile.gettempdir(), "vitgate-registry")
    environment["GST_REGISTRY_1_0"] = os.environ.get("GST_REGISTRY_1_0", registry) + ".plain"
    return environment


def run_program(name, *arguments, **environment):
    """Runs a program of pipelines/ to its end."""
    run = subprocess.run([f"{PIPELINES}/{name}", *arguments], env={**os.environ, **environment},
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    assert "Traceback" not in run.stderr, run.stderr
    return run


def play_file(line, path, on_frame=None):
    """Plays a pipeline to its end. The path is set as location of its element "file".

    on_frame: handler for handoffs of its element "sink"
    """
    pipeline = Gst.parse_launch(line)
    pipeline.get_by_name("file").props.location = path
    if on_frame:
        sink = pipeline.get_by_name("sink")
        sink.props.signal_handoffs = True
        sink.connect("handoff", on_frame)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        LIMIT * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message and message.type == Gst.MessageType.EOS


def make_clip(path, **patterns):
    """Makes a clip of 25 frames per second, one pattern after the other.

    patterns: number of frames by the pattern's name
    """
    play_file("concat name=join ! jpegenc ! matroskamux ! filesink name=file "
              + "".join(f"videotestsrc num-buffers={frames} pattern={pattern} ! video/x-raw,"
                        "width=160,height=120,framerate=25/1 ! join. "
                        for pattern, frames in patterns.items()), path)


class Server:
    """Runs pipelines/rtsp-camera-server until the end of a with-block."""

    def __init__(self, *options, **environment):
        if "--codec" not in options:
            options += "--codec", DEFAULT_CODEC
        self.process = subprocess.Popen(
            [f"{PIPELINES}/rtsp-camera-server", "--size", "160x120", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**plain_environment(), **environment})
        word, self.url = self.process.stdout.readline().split() or ("", "")
        assert word == "ready"
        self.port = self.url.split(":")[2].split("/")[0]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()

    def send(self, command):
        """Sends a command. Returns the camera's answer."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


class ManyStreams:
    """An RTSP server in this process with several streams, until the end of a with-block.

    streams: elements up to the payloader; requested: names of the streams that clients set up
    """

    def __init__(self, *streams):
        self.requested = []
        self.loop = GLib.MainLoop()
        factory = GstRtspServer.RTSPMediaFactory(shared=True)
        factory.set_launch("( " + " ".join(
            f"{stream} name=pay{i} pt={96 + i}" for i, stream in enumerate(streams)) + " )")
        self.server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
        self.server.get_mount_points().add_factory("/camera", factory)
        self.server.connect("client-connected", self.on_client)
        self.server.attach(None)
        self.url = f"rtsp://127.0.0.1:{self.server.get_bound_port()}/camera"
        self.thread = threading.Thread(target=self.loop.run)

    def on_client(self, server, client):
        client.connect("setup-request", self.on_setup)

    def on_setup(self, client, context):
        self.requested.append(context.uri.abspath.rsplit("/", 1)[1])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.loop.quit()
        self.thread.join()


class Client:
    """A plain client, until the end of a with-block. It puts its frames and messages in a queue."""

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
        """Returns the next frame, a dictionary. Raises RuntimeError if the stream has ended."""
        event = self.events.get(timeout=LIMIT)
        if not isinstance(event, dict):
            raise RuntimeError(f"the stream ended: {event.message if event else 'EOS'}")
        return event

    def frames(self, count):
        return [self.frame() for _ in range(count)]

    def frame_of(self, **fields):
        """Returns the next frame with these fields, within about ten seconds."""
        for _ in range(250):
            frame = self.frame()
            if all(frame[name] == value for name, value in fields.items()):
                return frame
        raise RuntimeError(f"no frame with {fields}")

    def end(self):
        """Waits for the end of the stream. Returns None for EOS, otherwise the GLib.Error."""
        while True:
            event = self.events.get(timeout=LIMIT)
            if not isinstance(event, dict):
                return event

    def uses(self, factory):
        return self.pipeline.iterate_all_by_element_factory_name(factory).next()[1] is not None

    def wait_for_silence(self):
        """Waits until no frame has arrived for a second."""
        try:
            for _ in range(250):
                event = self.events.get(timeout=1)
                if not isinstance(event, dict):
                    raise RuntimeError(f"the stream ended: {event.message if event else 'EOS'}")
        except queue.Empty:
            return
        raise RuntimeError("the frames do not stop")
