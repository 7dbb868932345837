"""Shared by the programs for cameras: a source for a camera, a loop that plays pipelines, and error
messages."""

import os
import re
import signal
import sys
import time

from terminal import clean, hide, hide_url, warn

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstPbutils", "1.0")
from gi.repository import Gio, GLib, Gst, GstPbutils  # noqa: E402

WAIT = 200  # ms of delay for RTSP, so that late packets can be put in order
SILENCE = float(os.environ.get("VITGATE_CAMERA_SILENCE", 10))  # seconds without a picture
REFUSALS = {
    Gio.TlsCertificateFlags.BAD_IDENTITY: "it belongs to another host name",
    Gio.TlsCertificateFlags.EXPIRED: "it has expired",
    Gio.TlsCertificateFlags.NOT_ACTIVATED: "it is not valid yet",
    Gio.TlsCertificateFlags.REVOKED: "it was revoked",
    Gio.TlsCertificateFlags.INSECURE: "its algorithm is insecure",
    Gio.TlsCertificateFlags.UNKNOWN_CA: "no authority known to this machine signed it",
}
USER, PASSWORD = "VITGATE_CAMERA_USER", "VITGATE_CAMERA_PASSWORD"


class CameraPipeline:
    """A pipeline on one camera: an RTSP URL or a video device. ValueError for anything else.

    line: as for gst-launch-1.0, with {camera} for the source. RTSP uses TCP, so that a lost camera
    is noticed at once; rtspu:// uses UDP. The user and password may come from the environment
    instead of the URL.
    """

    def __init__(self, place, line):
        self.place, self.kinds, self.missing, self.refusals = place, [], [], []
        self.name = hide_url(place)
        self.over_rtsp = re.match(r"rtsp[stu]?://[^/]", place) is not None
        if not self.over_rtsp and not place.startswith("/dev/"):
            raise ValueError(f"{self.name}: expected an RTSP URL (rtsp://HOST/…) or a video device "
                             "(/dev/video0)")
        source = "rtspsrc" if self.over_rtsp else "v4l2src"
        self.pipeline = Gst.parse_launch(line.replace("{camera}", f"{source} name=camera"))
        self.set_up(self.pipeline.get_by_name("camera"))
        self.last_frame = None  # monotonic time
        self.pipeline.get_by_name("vitgate").get_static_pad("sink").add_probe(
            Gst.PadProbeType.BUFFER, self.on_frame)
        self.bus = self.pipeline.get_bus()
        self.bus.add_signal_watch()
        self.bus.connect("message::latency", lambda *_: self.pipeline.recalculate_latency())
        self.bus.connect("message::element", self.on_element)

    def set_up(self, camera):
        if not self.over_rtsp:
            camera.props.device = self.place
            return
        camera.props.location = self.place
        camera.props.latency = WAIT
        if not self.place.startswith("rtspu"):
            Gst.util_set_object_arg(camera, "protocols", "tcp+tls")
        for field, variable in ("user-id", USER), ("user-pw", PASSWORD):
            if variable in os.environ and "@" not in self.place:
                camera.set_property(field, os.environ[variable])
        camera.connect("select-stream", self.on_stream)
        camera.connect("accept-certificate", self.on_bad_certificate)

    def on_bad_certificate(self, camera, connection, certificate, flags):
        """Keeps what is wrong with the certificate of an rtsps:// camera, which stays refused."""
        self.refusals = [reason for flag, reason in REFUSALS.items() if flags & flag]
        return False

    def on_stream(self, camera, number, caps):
        """Selects only video, since nothing here plays sound."""
        kind = caps.get_structure(0).get_string("media")
        self.kinds.append(kind)
        return kind == "video"

    def on_frame(self, pad, info):
        self.last_frame = time.monotonic()
        return Gst.PadProbeReturn.OK

    def find_silence(self, start):
        """Returns an error message if the camera sends nothing any more, or None. The first frame
        after start may take twice as long."""
        now = time.monotonic()
        if self.last_frame is None:
            return (f"{self.name}: no frame within {2 * SILENCE:g} s"
                    if now - start > 2 * SILENCE else None)
        return (f"{self.name}: no frame for {SILENCE:g} s; is the camera still on?"
                if now - self.last_frame > SILENCE else None)

    def on_element(self, bus, message):
        if GstPbutils.is_missing_plugin_message(message):
            self.missing.append(GstPbutils.missing_plugin_message_get_description(message))

    def describe(self, message):
        """Returns an error message's text, with the name of the camera or element at fault."""
        error, element = message.parse_error()[0], message.src
        while element.get_parent() not in (self.pipeline, None):
            element = element.get_parent()
        if not element.get_name().startswith(("camera", "decodebin")):
            return f"{element.get_name()}: {error.message}"
        if self.refusals:
            return f"{self.name}: its certificate is refused: {', '.join(self.refusals)}"
        if self.missing:
            return f"{self.name}: GStreamer has no {', '.join(self.missing)} on this machine"
        if self.kinds and "video" not in self.kinds:
            return f"{self.name}: the camera sends no video, only {', '.join(self.kinds)}"
        if "video" in self.kinds and not self.place.startswith("rtspu") and error.matches(
                Gst.StreamError.quark(), Gst.StreamError.CODEC_NOT_FOUND):
            return f"{self.name}: the camera does not send over TCP (use rtspu:// for UDP)"
        if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_AUTHORIZED):
            return (f"{self.name}: the camera refuses the user and password (set them in the URL, "
                    f"or in ${USER} and ${PASSWORD})")
        if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.OPEN_READ_WRITE):
            return f"{self.name}: cannot connect (is the address right, and is the camera on?)"
        return f"{self.name}: {error.message}"


def play(program, pipelines, at_end=lambda: None):
    """Plays CameraPipelines until each has ended, failed or fallen silent, or until SIGINT or
    SIGTERM. If one fails, the others continue. at_end is called before they stop. Returns the exit
    status."""
    loop, playing, failures = GLib.MainLoop(), set(pipelines), []

    def end(pipeline, reason):
        warn(f"{program}: {reason}")
        pipeline.pipeline.set_state(Gst.State.NULL)
        playing.discard(pipeline)
        if not playing:
            loop.quit()

    def on_error(bus, message, pipeline):
        if pipeline in playing:
            failures.append(pipeline)
            end(pipeline, pipeline.describe(message))

    def on_eos(bus, message, pipeline):
        end(pipeline, f"{pipeline.name}: the stream has ended")

    def check_silence():
        for pipeline in list(playing):
            silence = pipeline.find_silence(start)
            if silence:
                failures.append(pipeline)
                end(pipeline, silence)
        return True

    start = time.monotonic()
    GLib.timeout_add(200, check_silence)
    for number in signal.SIGINT, signal.SIGTERM:
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    for pipeline in pipelines:
        pipeline.bus.connect("message::error", on_error, pipeline)
        pipeline.bus.connect("message::eos", on_eos, pipeline)
        pipeline.pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    at_end()
    for pipeline in pipelines:
        pipeline.pipeline.set_state(Gst.State.NULL)
    return 1 if failures else 0


def run(program, main):
    """Exits with main's exit status, or with one line that says which input was wrong."""
    try:
        sys.exit(main())
    except (GLib.Error, ValueError) as error:
        sys.exit(hide(clean(f"{program}: {getattr(error, 'message', error)}")))
