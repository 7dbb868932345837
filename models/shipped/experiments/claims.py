#!/usr/bin/python3
"""Tests the paper's claims on twenty classes.

    models/shipped/experiments/claims.py train [ARM[:SEED]…]
        trains arms and measures them. This takes hours. If it is killed, run it again.
    models/shipped/experiments/claims.py report
        writes results/*.svg and README.md from results/

Every arm sees the same photographs for the same number of steps. Environment: $VITGATE, the command
(default: build/models/vitgate); $DATA, the folder with weights and photographs (default:
../shared/data); $WORK, where checkpoints and models go (default: build/experiments).
"""

import json
import os
import subprocess
import sys

import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
VITGATE = os.environ.get("VITGATE", os.path.join(ROOT, "build", "models", "vitgate"))
DATA = os.environ.get("DATA", os.path.join(ROOT, "..", "shared", "data"))
WORK = os.environ.get("WORK", os.path.join(ROOT, "build", "experiments"))
RESULTS = os.path.join(HERE, "results")

STEPS = 300  # of 64 images
PRECISION = "int8"  # for all measurements; the precision that files recommend differs by arm
BATCHES = (1, 2, 8, 32, 64, 128)
SHUFFLES = (1, 2, 3)
DIAL = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)

# Gates that decide for whole images, as in the paper.
MODULE = ["--gates", "module"]
# No merging: as in the paper, only the gates are dynamic.
UNCONTROLLED = ["--static-target", "0.55", "--target", "0.35", "--no-merging"]
UNIFIED = UNCONTROLLED + MODULE

# The static ratio of the compensated cut that an arm starts from; None: the dense teacher.
CUTS = {"static": "0.35", "dynamic": None, "merging": None}
CUT = "0.55"
ARMS = {
    "none": UNIFIED + ["--granularity", "batch", "--sub-groups", "none"],
    "even": UNIFIED + ["--granularity", "batch", "--sub-groups", "even:8"],
    "random": UNIFIED + ["--granularity", "batch", "--sub-groups", "random"],
    "recursive": UNIFIED + ["--granularity", "batch", "--sub-groups", "recursive"],
    "sample": UNIFIED,
    "static": ["--static-target", "0.35", "--target", "0.35", "--static-only"],
    "dynamic": ["--static-target", "1", "--target", "0.35", "--no-merging"] + MODULE,
    # Only the bias of such a gate learns, and one step moves it by at most the learning rate.
    "constant-gates": UNCONTROLLED + ["--gates", "constant", "--gate-rate", "5e-2", "--fixed-dial"],
    "random-gates": UNCONTROLLED + ["--gates", "random"],
    "merging": ["--static-target", "1", "--target", "0.35", "--no-gates"],
    "everything": ["--static-target", "0.55", "--target", "0.35"] + MODULE,
    "everything-0.25": ["--static-target", "0.55", "--target", "0.25"] + MODULE,
    "everything-0.50": ["--static-target", "0.55", "--target", "0.5"] + MODULE,
}


def call(*arguments):
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    return subprocess.run([VITGATE, *arguments], check=True, env=environment,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout


def make_teacher():
    teacher = os.path.join(WORK, "deit-tiny.safetensors")
    if not os.path.exists(teacher):
        call("import", "--labels", os.path.join(DATA, "imagenet_synsets.txt"),
             os.path.join(DATA, "deit_tiny_patch16_224.safetensors"), "-o", teacher)
    return teacher


def compress(out, *arguments):
    """Makes the model unless it exists. Returns its path."""
    if not os.path.exists(out):
        call("compress", "--teacher", make_teacher(), "--data", os.path.join(DATA, "train.tar"),
             "--folder", "imagenet20", "--classes",
             os.path.join(ROOT, "models", "shipped", "recipes", "domain20.txt"), *arguments,
             "--resume", out + ".training", "-o", out)
    return out


def cut(ratio):
    return compress(os.path.join(WORK, f"cut-{ratio}.safetensors"), "--static-target", ratio,
                    "--target", ratio, "--static-only", "--no-train", "--precision", "float32")


def train(name, seed):
    ratio = CUTS.get(name, CUT)
    return compress(os.path.join(WORK, f"{name}-{seed}.safetensors"),
                    *(["--from", cut(ratio)] if ratio else []), *ARMS[name], "--labels", "0.5",
                    "--learning-rate", "5e-4", "--steps", str(STEPS), "--seed", str(seed))


def evaluate(model, *arguments):
    """Returns Top-1 and compute on the 500 photographs of val.tar with the twenty classes."""
    found = json.loads(call("eval", "--json", "--data", os.path.join(DATA, "val.tar"), "--folder",
                            "ilsvrc20", "--threads", "2", "--precision", PRECISION, *arguments,
                            model))
    return {"top1": found["overall"]["top1"], "gmacs": found["gmacs"]["mean"],
            "gmacs_min": found["gmacs"]["min"], "gmacs_max": found["gmacs"]["max"],
            "gate_usage": found["gate_usage"]}


def resident_bytes(model):
    """Returns the peak memory of a process that classifies one photograph after another."""
    process = subprocess.Popen(
        [VITGATE, "eval", "--data", os.path.join(DATA, "val.tar"), "--folder", "ilsvrc20",
         "--precision", PRECISION, model],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(status, "vitgate eval")
    return usage.ru_maxrss * 1024


def measure(name, model):
    found = json.loads(call("inspect", "--json", model))
    result = {"arm": name, "arguments": ARMS[name], "steps": STEPS,
              "parameters": found["parameters"], "gmacs_whole": found["gmacs"]["model"],
              "file_bytes": os.path.getsize(model), "resident_bytes": resident_bytes(model),
              "default": evaluate(model), "blocks": found["blocks"],
              "gate_spread": found["provenance"].get("gate_spread")}
    dial = found["dial"]
    if dial:
        result["dial"] = [dict(evaluate(model, "--compute", str(r)), compute=r) for r in DIAL
                          if dial["min_compute"] <= r <= dial["max_compute"]]
    if any(block["attention_gate"] or block["mlp_gate"] for block in found["blocks"]):
        result["batches"] = [
            dict(evaluate(model, "--granularity", "batch", "--batch-size", str(size), "--shuffle",
                          str(shuffle)), batch=size, shuffle=shuffle)
            for size in BATCHES for shuffle in SHUFFLES]
    return result


def run(name, seed):
    path = os.path.join(RESULTS, f"{name}-{seed}.json")
    if os.path.exists(path):
        return
    result = dict(measure(name, train(name, seed)), seed=seed)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    os.replace(path + ".part", path)
    print(f"{name} (seed {seed}): Top-1 {result['default']['top1']:.1f} at "
          f"{result['default']['gmacs']:.3f} GMACs", flush=True)


def main():
    os.makedirs(WORK, exist_ok=True)
    os.makedirs(RESULTS, exist_ok=True)
    if sys.argv[1:2] == ["report"]:
        report.write(HERE)
    elif sys.argv[1:2] == ["train"]:
        for arm in sys.argv[2:] or [f"{name}:{seed}" for seed in (1, 2) for name in ARMS]:
            name, _, seed = arm.partition(":")
            run(name, int(seed or 1))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
