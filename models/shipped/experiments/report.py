"""Writes README.md and the plots from the raw results. Needs Debian's python3-matplotlib.
"""

import glob
import json
import os
import statistics

BATCHES = (1, 2, 8, 32, 64, 128)
GROUPS = {"none": "none", "even": "even, 8", "random": "random, 1-64", "recursive": "recursive",
          "sample": "each image alone"}


def load(folder):
    """Returns {arm: [result of each seed]}."""
    arms = {}
    for path in sorted(glob.glob(os.path.join(folder, "results", "*.json"))):
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        arms.setdefault(result["arm"], []).append(result)
    return arms


def mean(values):
    return statistics.fmean(values)


def batch_cell(results, size):
    rows = [row for result in results for row in result["batches"] if row["batch"] == size]
    return mean(row["top1"] for row in rows), mean(row["gmacs"] for row in rows)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def batch_table(arms):
    rows = []
    for arm, name in GROUPS.items():
        if arm not in arms:
            continue
        cells = [batch_cell(arms[arm], size) for size in BATCHES]
        spread = max(c[0] for c in cells) - min(c[0] for c in cells)
        seeds = [" → ".join(f"{batch_cell([result], size)[0]:.1f}"
                            for size in (BATCHES[0], BATCHES[-1])) for result in arms[arm]]
        rows.append([name] + [f"{t:.1f} ({g:.3f})" for t, g in cells] +
                    [f"{spread:.1f}", ", ".join(seeds)])
    return table(["sub-groups in training"] + [f"B = {b}" for b in BATCHES] +
                 ["spread", "each seed: B = 1 → 128"], rows)


def arm_rows(arms, names):
    rows = []
    for arm, name in names.items():
        if arm not in arms:
            continue
        results = arms[arm]
        default = [result["default"] for result in results]
        top1 = [row["top1"] for row in default]
        rows.append([
            name, str(len(results)),
            f"{mean(top1):.1f}" + (f" ({min(top1):.1f} to {max(top1):.1f})" if top1[1:] else ""),
            f"{mean(row['gmacs'] for row in default):.3f}",
            f"{min(row['gmacs_min'] for row in default):.3f} to "
            f"{max(row['gmacs_max'] for row in default):.3f}",
            f"{mean(result['parameters'] for result in results) / 1e6:.2f} M",
            f"{mean(result['resident_bytes'] for result in results) / 1e6:.1f} MB",
        ])
    return table(["arm", "seeds", "Top-1", "mean GMACs", "minimum to maximum", "parameters",
                  "resident memory"], rows)


PARTS = {"static": "static alone", "dynamic": "dynamic alone (gates)",
         "sample": "unified (static and gates)", "everything": "unified, with token merging"}
CONTROLS = {"sample": "learned gates", "constant-gates": "gates that see no input",
            "random-gates": "gates by a random rule", "merging": "token merging alone"}
CURVE = {"everything-0.25": "made for 0.25 of the teacher's GMACs",
         "everything": "made for 0.35", "everything-0.50": "made for 0.50"}
DIALS = {"everything-0.50": "unified, with merging, made for 0.50",
         "everything": "the same, made for 0.35", "everything-0.25": "the same, made for 0.25",
         "sample": PARTS["sample"], "merging": CONTROLS["merging"], "dynamic": PARTS["dynamic"]}


TOKENS = {"tokens-none": "merging alone", "tokens": "merging and token gates, as fitted",
          "tokens-joint": "the same, gates learn with the weights",
          "tokens-position": "the same gates, by position", "tokens-shuffled": "of another image",
          "tokens-random": "of random tokens"}


def token_table(arms, prefix):
    """Compares arms with token gates on photographs that none is trained on."""
    rows = []
    for name, text in TOKENS.items():
        for result in arms.get(prefix + name, []):
            held_out = result["held_out"]
            rows.append([text, str(result["seed"]), f"{held_out['divergence']:.3f}",
                         f"{held_out['top1']:.1f}", f"{held_out['gmacs']:.3f}",
                         f"{result['default']['top1']:.1f} ({result['default']['gmacs']:.3f})",
                         f"{result['parameters'] / 1e6:.2f} M"])
    return table(["arm", "seed", "divergence", "Top-1", "mean GMACs", "`ilsvrc20`", "parameters"],
                 rows)


# Lines differ by colour, dashes and markers, so that they can be told apart without colour.
STYLES = [
    {"color": color, "linestyle": dashes, "marker": marker, "markersize": 5}
    for color, dashes, marker in (
        ("#1f77b4", "-", "o"), ("#c25e00", (0, (6, 2)), "s"), ("#2a8a3a", (0, (2, 1.5)), "^"),
        ("#c1272d", (0, (7, 2, 1.5, 2)), "D"), ("#7a4fb0", (0, (1, 1)), "v"),
        ("#6b4a3a", (0, (7, 2, 1.5, 2, 1.5, 2)), "X"))]
SEPARATE = {"color": "#222222", "linestyle": "none", "marker": "s", "markersize": 10,
            "markerfacecolor": "none"}


def label_lines(axes, lines, gap):
    """Writes each line's name beside its right end, at least a @gap of the axis apart."""
    low, high = axes.get_ylim()
    ends = sorted(((line.get_ydata()[-1] - low) / (high - low), i) for i, line in enumerate(lines))
    places = []
    for height, _ in ends:
        places.append(max(height, places[-1] + gap) if places else height)
    for k in reversed(range(len(places))):  # pushes down those that do not fit
        places[k] = min(places[k], 0.98 if k == len(places) - 1 else places[k + 1] - gap)
    for place, (_, i) in zip(places, ends):
        line = lines[i]
        end = (line.get_xdata()[-1], line.get_ydata()[-1])
        axes.annotate(line.get_label(), end, (1.03, place), textcoords="axes fraction",
                      color=line.get_color(), va="center", fontsize=9, annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.6,
                                  "shrinkA": 2, "shrinkB": 5, "alpha": 0.7,
                                  "relpos": (0, 0.5)})


def plot_batches(arms, path):
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    lines = [axes.plot(BATCHES, [batch_cell(arms[arm], b)[0] for b in BATCHES], label=name,
                       **style)[0]
             for (arm, name), style in zip(GROUPS.items(), STYLES) if arm in arms]
    axes.set_xscale("log", base=2)
    axes.set_xticks(BATCHES, BATCHES)
    axes.set_xlabel("images that decide together (batch size in use)")
    axes.set_ylabel("Top-1, %")
    axes.set_title("sub-groups in training, by batch size in use", fontsize=10, loc="left")
    label_lines(axes, lines, 0.06)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def dial_points(results):
    """Returns {ratio: (Top-1, GMACs)} for the ratios that all seeds reach."""
    dials = [{row["compute"]: row for row in result["dial"]} for result in results]
    return {ratio: (mean(dial[ratio]["top1"] for dial in dials),
                    mean(dial[ratio]["gmacs"] for dial in dials))
            for ratio in sorted(set.intersection(*map(set, dials)))}


def plot_curve(arms, path):
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8.6, 4.6), layout="constrained")
    lines = []
    for (arm, name), style in zip(DIALS.items(), STYLES):
        if arm in arms:
            points = dial_points(arms[arm]).values()
            lines += axes.plot([gmacs for _, gmacs in points], [top1 for top1, _ in points],
                               label=name.replace("the same", "unified, with merging"), **style)
    separate = [(mean(r["default"]["gmacs"] for r in arms[arm]),
                 mean(r["default"]["top1"] for r in arms[arm])) for arm in CURVE if arm in arms]
    if separate:
        axes.plot(*zip(*separate), label="models with merging, at the ratio that each was "
                  "made for", **SEPARATE)
    axes.set_xlabel("mean GMACs of an image")
    axes.set_ylabel("Top-1, %")
    axes.set_title("each line: one model at the settings of its dial", fontsize=10, loc="left")
    axes.legend(handles=axes.get_lines()[len(lines):], fontsize=9, loc="lower right", frameon=False)
    label_lines(axes, lines, 0.06)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def dial_table(arms):
    dials = {arm: dial_points(arms[arm]) for arm in DIALS if arm in arms}
    ratios = sorted({ratio for dial in dials.values() for ratio in dial})
    rows = [[DIALS[arm], str(len(arms[arm]))] +
            ["{:.1f} ({:.3f})".format(*dial[ratio]) if ratio in dial else "" for ratio in ratios]
            for arm, dial in dials.items()]
    return table(["one model, dial at", "seeds"] + [f"{ratio:.2f}" for ratio in ratios], rows)


def write(folder):
    from matplotlib import rcParams
    rcParams["svg.hashsalt"] = "claims"  # the same plot, the same file
    arms = load(folder)
    plot_batches(arms, os.path.join(folder, "results", "batches.svg"))
    plot_curve(arms, os.path.join(folder, "results", "curve.svg"))
    with open(os.path.join(folder, "text.md"), encoding="utf-8") as file:
        text = file.read()
    for name, part in {
        "BATCHES": batch_table(arms), "PARTS": arm_rows(arms, PARTS),
        "CONTROLS": arm_rows(arms, CONTROLS), "CURVE": arm_rows(arms, CURVE),
        "DIAL": dial_table(arms), "QUICK": token_table(arms, "quick-"),
    }.items():
        text = text.replace("{" + name + "}", part)
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write(text)
