#!/usr/bin/python3
"""Tests the paper's claims on twenty classes.

    models/shipped/experiments/claims.py list
        lists the arms
    models/shipped/experiments/claims.py train [ARM[:SEED]…]
        trains arms and measures them: by default those without a prefix, with two seeds. This takes
        hours, and days for those named long-. If it is killed, run it again.
    models/shipped/experiments/claims.py report
        writes results/*.svg and README.md from results/

All arms of a scale see the same photographs for the same number of steps. Environment: $VITGATE,
the command (default: build/models/vitgate); $DATA, the folder with weights and photographs
(default: ../shared/data); $WORK, where checkpoints and models go (default: build/experiments).
"""

import collections
import json
import os
import subprocess
import sys
import tarfile

import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
VITGATE = os.environ.get("VITGATE", os.path.join(ROOT, "build", "models", "vitgate"))
DATA = os.environ.get("DATA", os.path.join(ROOT, "..", "shared", "data"))
WORK = os.environ.get("WORK", os.path.join(ROOT, "build", "experiments"))
RESULTS = os.path.join(HERE, "results")

# The scale of an arm is the prefix of its name. FEW stands for FEW_EACH photographs of each class.
Scale = collections.namedtuple("Scale", "steps batch_size data")
FEW, FEW_EACH = "few", 35
SCALES = {
    "long-": Scale(2400, 64, ["train.tar", "train-more.tar"]),  # 153,600 images
    "quick-": Scale(90, 16, [FEW]),
    "": Scale(300, 64, ["train.tar"]),
}
PRECISION = "int8"  # for all measurements; the precision that files recommend differs by arm
BATCHES = (1, 2, 8, 32, 64, 128)
SHUFFLES = (1, 2, 3)
DIAL = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)

# Gates that decide for whole images, as in the paper.
MODULE = ["--gates", "module"]
# No merging: as in the paper, only the gates are dynamic.
UNCONTROLLED = ["--static-target", "0.55", "--target", "0.35", "--no-merging"]
UNIFIED = UNCONTROLLED + MODULE
DYNAMIC = ["--static-target", "1", "--target", "0.35", "--no-merging"]

# The static ratio of the compensated cut that an arm starts from; None: the dense teacher.
CUTS = {"static": "0.35", "dynamic": None, "merging": None, "tokens-alone": None}
CUT = "0.55"
MODULE_ARMS = {
    "none": UNIFIED + ["--granularity", "batch", "--sub-groups", "none"],
    "even": UNIFIED + ["--granularity", "batch", "--sub-groups", "even:8"],
    "random": UNIFIED + ["--granularity", "batch", "--sub-groups", "random"],
    "recursive": UNIFIED + ["--granularity", "batch", "--sub-groups", "recursive"],
    "sample": UNIFIED,
    "static": ["--static-target", "0.35", "--target", "0.35", "--static-only"],
    "dynamic": DYNAMIC + MODULE,
    # Only the bias of such a gate learns, and one step moves it by at most the learning rate.
    "constant-gates": UNCONTROLLED + ["--gates", "constant", "--gate-rate", "5e-2", "--fixed-dial"],
    "random-gates": UNCONTROLLED + ["--gates", "random"],
    "merging": ["--static-target", "1", "--target", "0.35", "--no-gates"],
    "everything": ["--static-target", "0.55", "--target", "0.35"] + MODULE,
    "everything-0.25": ["--static-target", "0.55", "--target", "0.25"] + MODULE,
    "everything-0.50": ["--static-target", "0.55", "--target", "0.5"] + MODULE,
}


def token_arms(*start):
    """Returns arms with merging and gates that decide for each token: gates that stay as they are
    fitted, gates that learn with the weights, their controls, and merging alone."""
    return {
        "tokens": [*start, "--gates", "token"],
        "tokens-joint": [*start, "--gates", "token", "--learn-gates"],
        "tokens-random": [*start, "--gates", "random-tokens"],
        "tokens-shuffled": [*start, "--gates", "shuffled"],
        "tokens-position": [*start, "--gates", "position"],
        "tokens-none": [*start, "--gates", "none"],
    }


def group_arms():
    """Returns arms whose token gates decide for a batch. A position has one decision, so no token
    may merge."""
    start = UNCONTROLLED + ["--gates", "token"]
    kinds = {"none": "none", "even": "even:8", "random": "random", "recursive": "recursive"}
    return {"groups-sample": start} | {
        f"groups-{name}": start + ["--granularity", "batch", "--sub-groups", kind]
        for name, kind in kinds.items()}


TOKENS = ["--gates", "token"]
LONG_ARMS = MODULE_ARMS | group_arms() | token_arms("--static-target", "0.55", "--target", "0.35")
LONG_ARMS |= {
    "tokens-0.25": ["--static-target", "0.55", "--target", "0.25"] + TOKENS,
    "tokens-0.50": ["--static-target", "0.55", "--target", "0.5"] + TOKENS,
    "tokens-alone": DYNAMIC + TOKENS,
}
QUICK_ARMS = token_arms("--static-target", "1", "--target", "0.36", "--gate-images", "150",
                        "--fixed-dial")
ARMS = MODULE_ARMS | group_arms() | token_arms("--static-target", "0.55", "--target", "0.35") | {
    "tokens-0.25": ["--static-target", "0.55", "--target", "0.25", "--gates", "token"],
    "tokens-0.50": ["--static-target", "0.55", "--target", "0.5", "--gates", "token"],
}
QUICK_ARMS = token_arms("--static-target", "1", "--target", "0.36", "--gate-images", "150",
                        "--fixed-dial")
ARMS = MODULE_ARMS | {
    prefix + name: arguments for prefix, arms in (("long-", LONG_ARMS), ("quick-", QUICK_ARMS))
    for name, arguments in arms.items()}


def call(*arguments):
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    return subprocess.run([VITGATE, *arguments], check=True, env=environment,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout


def split_name(arm):
    """Returns the prefix of an arm's name, and the rest."""
    prefix = next(prefix for prefix in SCALES if arm.startswith(prefix))
    return prefix, arm[len(prefix):]


def make_teacher():
    teacher = os.path.join(WORK, "deit-tiny.safetensors")
    if not os.path.exists(teacher):
        call("import", "--labels", os.path.join(DATA, "imagenet_synsets.txt"),
             os.path.join(DATA, "deit_tiny_patch16_224.safetensors"), "-o", teacher)
    return teacher


def make_few():
    """Returns a folder with the first photographs of each class in train.tar."""
    folder = os.path.join(WORK, FEW)
    if os.path.exists(os.path.join(folder, "labels.tsv")):
        return folder
    with tarfile.open(os.path.join(DATA, "train.tar")) as archive:
        lines = archive.extractfile("labels.tsv").read().decode().splitlines()
        taken, counts = [lines[0]], collections.Counter()
        for line in sorted(lines[1:]):
            file, index, _ = line.split("\t")
            if file.startswith("imagenet20/") and counts[index] < FEW_EACH:
                counts[index] += 1
                os.makedirs(os.path.dirname(os.path.join(folder, file)), exist_ok=True)
                with open(os.path.join(folder, file), "wb") as photograph:
                    photograph.write(archive.extractfile(file).read())
                taken.append(line)
    with open(os.path.join(folder, "labels.tsv"), "w", encoding="utf-8") as file:
        file.write("\n".join(taken) + "\n")
    return folder


def compress(out, data, *arguments):
    """Makes the model unless it exists. Returns its path."""
    if not os.path.exists(out):
        paths = [make_few() if name == FEW else os.path.join(DATA, name) for name in data]
        call("compress", "--teacher", make_teacher(), *(f"--data={path}" for path in paths),
             "--folder", "imagenet20", "--classes",
             os.path.join(ROOT, "models", "shipped", "recipes", "domain20.txt"), *arguments,
             "--resume", out + ".training", "-o", out)
    return out


def cut(ratio):
    return compress(os.path.join(WORK, f"cut-{ratio}.safetensors"), SCALES[""].data,
                    "--static-target", ratio, "--target", ratio, "--static-only", "--no-train",
                    "--precision", "float32")


def train(arm, seed):
    prefix, name = split_name(arm)
    scale = SCALES[prefix]
    ratio = None if prefix == "quick-" else CUTS.get(name, CUT)
    return compress(os.path.join(WORK, f"{arm}-{seed}.safetensors"), scale.data,
                    *(["--from", cut(ratio)] if ratio else []), *ARMS[arm], "--labels", "0.5",
                    "--learning-rate", "5e-4", "--steps", str(scale.steps), "--batch-size",
                    str(scale.batch_size), "--seed", str(seed))


def evaluate(model, *arguments):
    """Returns Top-1 and compute on the 500 photographs of val.tar with the twenty classes."""
    found = json.loads(call("eval", "--json", "--data", os.path.join(DATA, "val.tar"), "--folder",
                            "ilsvrc20", "--threads", "2", "--precision", PRECISION, *arguments,
                            model))
    return {"top1": found["overall"]["top1"], "gmacs": found["gmacs"]["mean"],
            "gmacs_min": found["gmacs"]["min"], "gmacs_max": found["gmacs"]["max"],
            "gate_usage": found["gate_usage"]}


def diverge(model, *arguments):
    """Returns how far a model is from the teacher on 400 photographs that no arm trains on."""
    found = json.loads(call("eval", "--json", "--data", os.path.join(DATA, "train-more.tar"),
                            "--held-out", "--threads", "2", "--precision", PRECISION,
                            "--reference", cut("1"), *arguments, model))
    return {"divergence": found["divergence"], "top1": found["overall"]["top1"],
            "gmacs": found["gmacs"]["mean"]}


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


def measure_dial(result, dial, model, with_gates):
    """Adds accuracy along the dial; for a model with token gates also how it diverges from the
    teacher there, with its gates and with each control."""
    ratios = [r for r in DIAL if dial["min_compute"] <= r <= dial["max_compute"]]
    result["dial"] = [dict(evaluate(model, "--compute", str(r)), compute=r) for r in ratios]
    if with_gates:
        result["controls"] = [
            dict(diverge(model, "--compute", str(r), "--gate-control", control), compute=r,
                 control=control)
            for r in ratios for control in ("none", "random", "shuffled", "position")]


def measure(arm, model):
    prefix, _ = split_name(arm)
    found = json.loads(call("inspect", "--json", model))
    blocks, dial = found["blocks"], found["dial"]
    by_module = any(block["attention_gate"] or block["mlp_gate"] for block in blocks)
    by_token = any(block["attention_token_gate"] or block["mlp_token_gate"] for block in blocks)
    result = {"arm": arm, "arguments": ARMS[arm], "steps": SCALES[prefix].steps,
              "parameters": found["parameters"], "gmacs_whole": found["gmacs"]["model"],
              "file_bytes": os.path.getsize(model), "resident_bytes": resident_bytes(model),
              "default": evaluate(model), "blocks": blocks,
              "gate_spread": found["provenance"].get("gate_spread")}
    if prefix:
        result["held_out"] = diverge(model)
    if dial and prefix != "quick-":
        measure_dial(result, dial, model, prefix and by_token)
    if by_module or by_token and "--no-merging" in ARMS[arm]:
        result["batches"] = [
            dict(evaluate(model, "--granularity", "batch", "--batch-size", str(size), "--shuffle",
                          str(shuffle)), batch=size, shuffle=shuffle)
            for size in BATCHES for shuffle in SHUFFLES]
    return result


def run(arm, seed):
    path = os.path.join(RESULTS, f"{arm}-{seed}.json")
    if os.path.exists(path):
        return
    result = dict(measure(arm, train(arm, seed)), seed=seed)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    os.replace(path + ".part", path)
    print(f"{arm} (seed {seed}): Top-1 {result['default']['top1']:.1f} at "
          f"{result['default']['gmacs']:.3f} GMACs", flush=True)


def main():
    os.makedirs(WORK, exist_ok=True)
    os.makedirs(RESULTS, exist_ok=True)
    if sys.argv[1:2] == ["report"]:
        report.write(HERE)
    elif sys.argv[1:2] == ["list"]:
        print("\n".join(ARMS))
    elif sys.argv[1:2] == ["train"]:
        for arm in sys.argv[2:] or [f"{name}:{seed}" for seed in (1, 2) for name in MODULE_ARMS]:
            name, _, seed = arm.partition(":")
            if name not in ARMS:
                sys.exit(f"there is no arm \"{name}\"; claims.py list shows them")
            run(name, int(seed or 1))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
