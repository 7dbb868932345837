#!/usr/bin/python3
"""Times whole pipelines in turns, on a machine with GStreamer's onnxinference (1.26): the
part of tests/bench/peers that runs in Debian 13. Prints a JSON array with one object for each
contestant.

usage: tests/bench/pipelines.py FOLDER ROUNDS

FOLDER holds clip.mp4, dense.safetensors, float32.onnx and int8.onnx.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
BUILD = os.path.join(ROOT, "build-bench")
os.environ.update(OPENBLAS_NUM_THREADS="1", GST_PLUGIN_PATH=os.path.join(BUILD, "gst-plugin"),
                  VITGATE_MODEL_DIR=os.path.join(ROOT, "models/shipped"))

import gi  # noqa: E402
import numpy as np  # noqa: E402

gi.require_version("Gst", "1.0")
gi.require_version("GstAnalytics", "1.0")
gi.require_version("GstPbutils", "1.0")
from gi.repository import Gst, GstAnalytics, GstPbutils  # noqa: E402

SIZE, RESIZE = 224, 256  # pixels of the models' input, and of the shorter side before the crop
DURATION = re.compile(r"Execution ended after (\d+):(\d+):([\d.]+)")


def clip_size(path):
    found = GstPbutils.Discoverer.new(10 * Gst.SECOND).discover_uri(Gst.filename_to_uri(path))
    video = found.get_video_streams()[0]
    return video.get_width(), video.get_height()


def make_pipelines(folder, same_pixels=False):
    """Returns {(name, precision): pipeline}. onnxinference gets the part of a frame that vitgate's
    resize and crop leave, scaled in one step. same_pixels: vitgate gets the same pixels."""
    width, height = clip_size(os.path.join(folder, "clip.mp4"))
    side = min(width, height) * SIZE // RESIZE
    x, y = (width - side) // 2, (height - side) // 2
    source = f"filesrc location={folder}/clip.mp4 ! decodebin"
    pixels = (f"videocrop left={x} right={width - side - x} top={y} bottom={height - side - y} "
              f"! videoconvertscale method=catrom ! video/x-raw,format=RGB,width={SIZE},height={SIZE}")

    def onnx(precision):
        return (f"{source} ! {pixels} ! onnxinference input-image-format=chw optimization-level=3 "
                f"model-file={folder}/{precision}.onnx ! fakesink name=sink")

    def vitgate(properties):
        before = f"{source} ! {pixels}" if same_pixels else source
        return (f"{before} ! vitgate fit=model temporal=off threads={os.cpu_count()} {properties} "
                "! fakesink name=sink")

    dense = f"model={folder}/dense.safetensors"
    return {
        ("onnxinference", "float32"): onnx("float32"),
        ("onnxinference", "int8"): onnx("int8"),
        ("vitgate, dense", "float32"): vitgate(f"{dense} precision=float32"),
        ("vitgate, dense", "int8"): vitgate(f"{dense} precision=int8"),
        ("vitgate, default model", "auto"): vitgate(""),
        ("decoding alone", ""): f"{source} ! fakesink name=sink",
    }


def watch_memory(process):
    """Returns the peak resident bytes, after the process has ended. (wait4() would include the
    memory of this process when it forked.)"""
    peak = 0
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
        peak = int(found[1]) * 1024 if found else peak
        time.sleep(0.02)
    return peak


def time_pipeline(pipeline):
    """Returns (seconds from the first frame to the end of the stream, peak bytes of memory)."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(["gst-launch-1.0", *pipeline.split()], stdout=output,
                                   stderr=subprocess.STDOUT)
        peak = watch_memory(process)
        output.seek(0)
        text = output.read()
    duration = DURATION.search(text)
    if process.returncode or not duration:
        sys.exit(f"{pipeline}: {text[-500:]}")
    hours, minutes, seconds = map(float, duration.groups())
    return 3600 * hours + 60 * minutes + seconds, peak


def best_class(buffer):
    """Returns the best class of a frame from vitgate's metadata or a tensor of logits, or None."""
    meta = buffer.get_custom_meta("VitgateMeta")
    if meta:
        return meta.get_structure().get_uint("index")[1]
    tensors = GstAnalytics.buffer_get_tensor_meta(buffer)
    if not tensors:
        return None
    data = tensors.get(0).data
    return int(np.frombuffer(data.extract_dup(0, data.get_size()), "<f4").argmax())


def find_labels(description):
    labels = []

    def see(_, info):
        labels.append(best_class(info.get_buffer()))
        return Gst.PadProbeReturn.OK

    pipeline = Gst.parse_launch(description)
    pipeline.get_by_name("sink").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, see)
    pipeline.set_state(Gst.State.PLAYING)
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, wanted)
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(f"{description}: {message.parse_error()}")
    return labels


def measure(folder, rounds):
    pipelines = make_pipelines(folder)
    runs = {key: [] for key in pipelines}
    for turn in range(rounds):
        for key in list(pipelines) if turn % 2 else reversed(list(pipelines)):
            runs[key].append(time_pipeline(pipelines[key]))
    labels = {key: find_labels(pipeline)
              for key, pipeline in make_pipelines(folder, same_pixels=True).items()}
    expected = labels["onnxinference", "float32"]
    return [{
        "name": key[0], "precision": key[1], "gstreamer": Gst.version_string(),
        "frames": len(expected),
        "frames_per_second": statistics.median(len(expected) / seconds for seconds, _ in some),
        "most_frames_per_second": max(len(expected) / seconds for seconds, _ in some),
        "peak_bytes": max(peak for _, peak in some),
        "same_labels": sum(a == b for a, b in zip(labels[key], expected)) / len(expected),
    } for key, some in runs.items()]


def build():
    if not os.path.exists(BUILD):
        subprocess.run(["meson", "setup", BUILD, ROOT], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "gst-plugin/libgstvitgate.so"], check=True,
                   stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    build()
    Gst.init(None)
    print(json.dumps(measure(os.path.abspath(sys.argv[1]), int(sys.argv[2]))))
