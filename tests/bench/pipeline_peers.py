"""The part of the benchmark of peers that times whole pipelines. It needs GStreamer's
onnxinference, so it runs in a Debian 13 (tests/debian13), on files that are copied there."""

import json
import os
import shutil
import subprocess

import contestants
import onnx_file

CHROOT = os.environ.get("DEBIAN13") or os.path.join(os.path.dirname(contestants.CACHE), "vitgate",
                                                    "debian13")
CLIP = os.path.join(contestants.photographs.DATA, "video", "car-detection.mp4")
# The onnxinference of GStreamer 1.26 needs the kind of output in the model's metadata.
OUTPUT_KIND = ("logits", "classification-generic-out")


def write_files(folder, model, clip):
    os.makedirs(folder, exist_ok=True)
    shutil.copy(clip, os.path.join(folder, "clip.mp4"))
    shutil.copy(model, os.path.join(folder, "dense.safetensors"))
    for precision in ("float32", "int8"):
        graph = onnx_file.build(model, 1, precision, pixels=True)
        graph.metadata_props.add(key=OUTPUT_KIND[0], value=OUTPUT_KIND[1])
        onnx_file.onnx.save(graph, os.path.join(folder, f"{precision}.onnx"))


def measure(model, rounds, clip=CLIP):
    """Returns one object for each contestant, or prints the reason and returns None."""
    if not os.path.exists(clip):
        print(f"no pipelines: {clip} does not exist")
        return None
    debian13 = os.path.join(contestants.ROOT, "tests/debian13")
    prepared = subprocess.run([debian13, "true"], stderr=subprocess.PIPE, text=True, check=False)
    if prepared.returncode:
        print("no pipelines:", prepared.stderr.strip())
        return None
    write_files(os.path.join(CHROOT, "vitgate", "bench-files"), model, clip)
    done = subprocess.run([debian13, "tests/bench/pipelines.py", "bench-files", str(rounds)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print("no pipelines:", done.stderr.strip()[-500:])
        return None
    return json.loads(done.stdout)
