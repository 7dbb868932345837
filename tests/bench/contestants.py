"""The programs that the benchmark of peers compares: libvitgate on its models, and ONNX Runtime on
the dense one. Each is a process that answers each line with one line (README.md)."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "vitgate-bench")
ONNXRUNTIME_NODE = "1.30.0"
PAUSE = 0.02  # seconds, so that spinning threads of the contestant before go to sleep

# Tolerance of float32 logits, for sums in another order; share of images whose best class must stay
# the same in int8.
LOGITS_TOLERANCE, SAME_LABELS = 1e-3, 0.9

sys.path.insert(0, os.path.join(HERE, "../reference"))
import photographs  # noqa: E402

try:
    import onnx_file
except ImportError:
    photographs.skip("python3-onnx is not installed")
import pil  # noqa: E402


@dataclass
class Contestant:
    """A contestant: one line of the table."""
    name: str
    precision: str
    model: str = ""        # a model of vitgate; "": the dense one
    process: object = None
    version: str = ""
    rounds: list = field(default_factory=list)  # [round][batch] ms per image

    def ask(self, command=None):
        if command:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else None


def default_field():
    shipped = os.path.join(ROOT, "models", "shipped")
    return [
        Contestant("vitgate", "float32"),
        Contestant("vitgate", "bf16"),
        Contestant("vitgate", "int8"),
        Contestant("vitgate, imagenet1k", "int8",
                   os.path.join(shipped, "deit-tiny-imagenet1k.safetensors")),
        Contestant("vitgate, domain20", "int8",
                   os.path.join(shipped, "deit-tiny-domain20.safetensors")),
        Contestant("ONNX Runtime", "float32"),
        Contestant("ONNX Runtime", "int8"),
    ]


def install_onnxruntime():
    """Installs ONNX Runtime if necessary. Returns the folder of node modules."""
    folder = os.path.join(CACHE, f"onnxruntime-node-{ONNXRUNTIME_NODE}")
    if not (shutil.which("node") and shutil.which("npm")):
        photographs.skip("nodejs or npm is not installed")
    if not os.path.exists(os.path.join(folder, "installed")):
        os.makedirs(folder, exist_ok=True)
        if subprocess.run(["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit",
                           "--no-fund", "--silent",
                           f"onnxruntime-node@{ONNXRUNTIME_NODE}"], check=False).returncode:
            photographs.skip("npm cannot install onnxruntime-node")
        open(os.path.join(folder, "installed"), "w", encoding="ascii").close()
    return os.path.join(folder, "node_modules")


def command_of(contestant, arguments, folder, data, threads, batch):
    """Returns (command, environment variables to add)."""
    numbers = [str(threads), str(batch)]
    if contestant.name.startswith("vitgate"):
        runner = os.path.join(arguments.build, "tests/bench/engine-runner")
        photographs.need(runner)
        return [runner, contestant.model or arguments.model, data, *numbers,
                contestant.precision], {}
    path = os.path.join(folder, f"{contestant.precision}-{batch}.onnx")
    if not os.path.exists(path):
        onnx_file.onnx.save(onnx_file.build(arguments.model, batch, contestant.precision), path)
    return (["node", os.path.join(HERE, "onnxruntime-runner.js"), path, data, *numbers],
            {"NODE_PATH": install_onnxruntime()})


def write_input(model, count, path):
    """Writes photographs as the network's input, float32 [count, 3, S, S]."""
    size = onnx_file.read_model(model)[-1]
    images = []
    for _, image, _ in photographs.read(count):
        pixels = np.asarray(pil.resize_and_crop(image, size * 8 // 7, size, "bicubic"), float)
        images.append((pixels / 255 - pil.IMAGENET_MEAN) / pil.IMAGENET_STD)
    np.stack(images).transpose(0, 3, 1, 2).astype("<f4").tofile(path)


def check_logits(contestants, count):
    """Exits if a contestant on the dense model computes other logits than the first one."""
    first = None
    for c in contestants:
        if c.model:
            continue
        logits = np.array(c.ask("logits")["logits"]).reshape(count, -1)
        first = logits if first is None else first
        difference = np.abs(logits - first).max()
        same = (logits.argmax(1) == first.argmax(1)).mean()
        if same < SAME_LABELS or (c.precision == "float32" and difference > LOGITS_TOLERANCE):
            sys.exit(f"peers: {c.name} in {c.precision} computes other logits: they differ by "
                     f"{difference:.2g}, and {100 * same:.0f} % of the labels are the same")


def start(stack, contestant, command, variables):
    """Starts a contestant. Returns whether it runs: the CPU may not have the precision."""
    contestant.process = stack.enter_context(subprocess.Popen(
        command, env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    stack.callback(contestant.process.kill)
    ready = contestant.ask()
    if ready:
        contestant.version = ready["ready"]
    return ready is not None


def measure(arguments, folder, threads, batch):
    """Times all contestants, and returns those that run."""
    count = -(-arguments.images // batch) * batch
    data = os.path.join(folder, f"{count}.f32")
    write_input(arguments.model, count, data)
    with contextlib.ExitStack() as stack:
        contestants = [c for c in default_field()
                       if start(stack, c, *command_of(c, arguments, folder, data, threads, batch))]
        check_logits(contestants, count)
        runs = count // batch
        for contestant in contestants:
            contestant.ask(f"time {runs}")
        for i in range(arguments.rounds):
            for contestant in contestants if i % 2 else reversed(contestants):
                time.sleep(PAUSE)
                contestant.rounds.append(
                    [x / batch for x in contestant.ask(f"time {runs}")["ms"]])
    return contestants
