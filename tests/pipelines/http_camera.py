"""A camera that sends JPEG frames over HTTP, for the tests in this folder."""

import base64
import threading
import time

from cameras import LIMIT, Gst
from http_server import HttpServer

BOUNDARY = "frame"


def make_frames(pattern, width, height, count=4):
    """Returns JPEG images as bytes."""
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers={count} pattern={pattern} ! video/x-raw,format=I420,"
        f"width={width},height={height} ! jpegenc ! appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    sink, frames = pipeline.get_by_name("sink"), []
    for _ in range(count):
        buffer = sink.emit("try-pull-sample", LIMIT * Gst.SECOND).get_buffer()
        frames.append(buffer.extract_dup(0, buffer.get_size()))
    pipeline.set_state(Gst.State.NULL)
    return frames


class HttpCamera(HttpServer):
    """Serves frames in a loop as multipart/x-mixed-replace, until the end of a with-block.

    rate: bytes per second of a connection, or None for no limit
    lengths: whether each part says how long it is
    certificate: PEM file with certificate and key, for https
    password: of the user eve, who alone may watch, or None for everyone
    """

    def __init__(self, frames, fps=25, rate=None, lengths=True, certificate=None, password=None):
        self.frames, self.fps, self.rate, self.lengths = frames, fps, rate, lengths
        self.stalled, self.ended = threading.Event(), threading.Event()
        self.sent = 0  # bytes, over all connections
        self.login = password and "Basic " + base64.b64encode(f"eve:{password}".encode()).decode()
        super().__init__(self.serve, certificate)
        self.url += "/video"

    def __exit__(self, *exception):
        self.ended.set()
        super().__exit__(*exception)

    def serve(self, handler):
        if self.login and handler.headers["Authorization"] != self.login:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.end_headers()
            return
        handler.send_response(200)
        handler.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        handler.end_headers()
        start, sent = time.monotonic(), 0
        for number in range(1 << 30):
            frame = self.frames[number % len(self.frames)]
            length = f"Content-Length: {len(frame)}\r\n" if self.lengths else ""
            part = (f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + frame
                    + b"\r\n")
            for at in range(0, len(part), 8192):
                if self.rate:
                    self.pause(start + sent / self.rate)
                handler.wfile.write(part[at:at + 8192])
                sent += len(part[at:at + 8192])
                self.sent += len(part[at:at + 8192])
            self.pause(start + (number + 1) / self.fps)
            while self.stalled.is_set():
                self.pause(time.monotonic() + 0.05)

    def pause(self, until):
        """Waits, since a camera's frames and a slow network take time."""
        if self.ended.wait(max(0, until - time.monotonic())):
            raise ConnectionError("the camera has ended")
