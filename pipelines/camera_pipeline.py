"""Shared by the programs for cameras: a source for a camera, a loop that plays pipelines, and error
messages."""

import os
import re
import signal
import sys
import time
from urllib.parse import unquote, urlsplit

from gstreamer import Gst, introspect
from terminal import clean, hide, hide_url, warn

introspect("GstPbutils", "gir1.2-gst-plugins-base-1.0")
from gi.repository import Gio, GLib, GstPbutils  # noqa: E402

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
CAMERA_HELP = "rtsp://…, http://…, /dev/video… or a file"
USER, PASSWORD = "VITGATE_CAMERA_USER", "VITGATE_CAMERA_PASSWORD"


SOURCES = {r"rtsp[stu]?://[^/]": "rtspsrc", r"https?://[^/]": "souphttpsrc", "file:///": "filesrc",
           "/dev/": "v4l2src"}


def find_source(place):
    """Returns the element that reads a camera or file."""
    for pattern, source in SOURCES.items():
        if re.match(pattern, place):
            return source
    if os.path.isfile(place):
        return "filesrc"
    raise ValueError(f"{hide_url(place)}: there is no such file. Expected a file, an RTSP or HTTP "
                     "URL (rtsp://HOST/…), or a video device (/dev/video0)")


class CameraPipeline:
    """A pipeline on one camera: an RTSP or HTTP URL, a video device or a file. ValueError for
    anything else.

    line: as for gst-launch-1.0, with {camera} for the source. RTSP uses TCP, so that a lost camera
    is noticed at once; rtspu:// uses UDP. The user and password may come from the environment
    instead of the URL.
    """

    def __init__(self, place, line):
        self.place, self.kinds, self.missing, self.refusals = place, [], [], []
        self.name, self.source = hide_url(place), find_source(place)
        self.over_rtsp = self.source == "rtspsrc"
        self.has_answered = self.source != "souphttpsrc"
        self.pipeline = Gst.parse_launch(line.replace("{camera}", f"{self.source} name=camera"))
        self.pipeline.connect("deep-element-added", self.on_added)
        for decoder in self.find_all("decodebin"):
            decoder.connect("pad-added", self.on_decoded)
        self.set_up(self.pipeline.get_by_name("camera"))
        self.last_frame = None  # monotonic time
        self.pipeline.get_by_name("vitgate").get_static_pad("sink").add_probe(
            Gst.PadProbeType.BUFFER, self.on_frame)
        self.bus = self.pipeline.get_bus()
        self.bus.add_signal_watch()
        self.bus.connect("message::latency", lambda *_: self.pipeline.recalculate_latency())
        self.bus.connect("message::element", self.on_element)

    def find_all(self, factory):
        elements, found = self.pipeline.iterate_all_by_element_factory_name(factory), []
        elements.foreach(found.append)
        return found

    def set_up(self, camera):
        if self.source == "v4l2src":
            camera.props.device = self.place
        elif self.source == "filesrc":
            is_url = self.place.startswith("file://")
            camera.props.location = unquote(urlsplit(self.place).path) if is_url else self.place
        else:
            camera.props.location = self.place
            self.log_in(camera)
        if self.over_rtsp:
            self.set_up_rtsp(camera)

    def log_in(self, camera):
        user, password = os.environ.get(USER), os.environ.get(PASSWORD)
        authority = urlsplit(self.place).netloc
        if "@" in authority:
            if self.over_rtsp:
                return  # rtspsrc reads them from the URL
            login, _, host = authority.rpartition("@")
            user, _, password = (unquote(part) for part in login.partition(":"))
            camera.props.location = self.place.replace(authority, host, 1)
        if user is not None:
            camera.props.user_id = user
        if password is not None:
            camera.props.user_pw = password

    def set_up_rtsp(self, camera):
        camera.props.latency = WAIT
        if not self.place.startswith("rtspu"):
            Gst.util_set_object_arg(camera, "protocols", "tcp+tls")
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

    def on_decoded(self, decoder, pad):
        if not self.over_rtsp:
            self.kinds.append(pad.query_caps().get_structure(0).get_name().split("/")[0])

    def on_added(self, pipeline, parent, element):
        # Otherwise JPEG over HTTP starts only after megabytes.
        if element.get_factory() and element.get_factory().get_name() == "multipartdemux":
            element.props.single_stream = True

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
        structure = message.get_structure()
        if structure.get_name() == "http-headers":
            self.has_answered = structure.get_uint("http-status-code")[1] > 0
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
            lacks = "the file has" if self.source == "filesrc" else "the camera sends"
            return f"{self.name}: {lacks} no video, only {', '.join(self.kinds)}"
        if "video" in self.kinds and not self.place.startswith("rtspu") and error.matches(
                Gst.StreamError.quark(), Gst.StreamError.CODEC_NOT_FOUND):
            return f"{self.name}: the camera does not send over TCP (use rtspu:// for UDP)"
        if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_AUTHORIZED):
            return (f"{self.name}: the camera refuses the user and password (set them in the URL, "
                    f"or in ${USER} and ${PASSWORD})")
        if not self.has_answered or error.matches(Gst.ResourceError.quark(),
                                                  Gst.ResourceError.OPEN_READ_WRITE):
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
