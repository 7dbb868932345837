#!/usr/bin/python3
"""An RTSP camera whose frames carry their number, for measuring delays and lost frames.

usage: clock_camera.py [--size 640x360] [--fps 10] [--moving]

It sends test bars that stand still, or move sideways, with the frame's number in a corner as 16 black
or white squares. All its clients get the same encoded stream (H.264). It prints "ready URL"; then, for
each frame, "frame NUMBER TIME", where TIME is that of time.time() before it is encoded. Commands on
standard input: "pause" and "resume" (each is answered by "done"). It ends at the end of its input.
"""

import argparse
import sys
import threading
import time

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

SQUARE, SIDE = 8, 4  # pixels of a square; squares in a row
BARS = [180, 162, 131, 112, 84, 65, 35]  # luma
STEP = 6  # pixels for each frame of a moving picture
LAUNCH = ("( appsrc name=source is-live=true do-timestamp=true format=time caps=video/x-raw,format=I420,"
          "width={width},height={height},framerate={fps}/1 ! x264enc tune=zerolatency "
          "speed-preset=ultrafast key-int-max={interval} threads=1 "
          "! rtph264pay name=pay0 pt=96 config-interval=-1 )")


def draw_number(luma, number):
    for bit in range(SIDE * SIDE):
        y, x = SQUARE * (bit // SIDE), SQUARE * (bit % SIDE)
        luma[y:y + SQUARE, x:x + SQUARE] = 235 if number >> bit & 1 else 16


def read_number(picture):
    """picture: a PIL image as large as the frame"""
    return sum((picture.getpixel((SQUARE * (bit % SIDE) + SQUARE // 2,
                                  SQUARE * (bit // SIDE) + SQUARE // 2)) > 128) << bit
               for bit in range(SIDE * SIDE))


class Camera:
    def __init__(self, options):
        self.width, self.height = (int(side) for side in options.size.split("x"))
        self.source, self.number, self.paused, self.moving = None, 0, False, options.moving
        self.luma = numpy.empty((self.height, self.width), numpy.uint8)
        self.luma[:] = numpy.array(BARS, numpy.uint8)[
            numpy.arange(self.width) * len(BARS) // self.width]
        self.chroma = bytes([128]) * (self.width * self.height // 2)
        factory = GstRtspServer.RTSPMediaFactory(shared=True)
        factory.set_launch(LAUNCH.format(width=self.width, height=self.height, fps=options.fps,
                                         interval=5 * options.fps))
        factory.connect("media-configure", self.on_media)
        self.server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
        self.server.get_mount_points().add_factory("/camera", factory)
        self.server.attach(None)

    def on_media(self, factory, media):
        self.source = media.get_element().get_by_name("source")

    def push(self):
        if not self.source or self.paused:
            return True
        self.number = (self.number + 1) % 65536
        luma = numpy.roll(self.luma, STEP * self.number, 1) if self.moving else self.luma
        draw_number(luma, self.number)
        print("frame", self.number, time.time(), flush=True)
        self.source.emit("push-buffer", Gst.Buffer.new_wrapped(luma.tobytes() + self.chroma))
        return True

    def obey(self, command):
        self.paused = command == "pause"
        print("done", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--moving", action="store_true")
    options = parser.parse_args()
    Gst.init(None)
    camera, loop = Camera(options), GLib.MainLoop()
    print(f"ready rtsp://127.0.0.1:{camera.server.get_bound_port()}/camera", flush=True)
    GLib.timeout_add(1000 // options.fps, camera.push)

    def read_commands():
        for line in sys.stdin:
            GLib.idle_add(camera.obey, line.strip())
        GLib.idle_add(loop.quit)

    threading.Thread(target=read_commands, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
