"""Draws charts in a common style, and the chart of tests/bench/peers: the engine compared
with ONNX Runtime, and pipelines compared with onnxinference.

Import it before anything is measured: without matplotlib it exits the program.
"""

import photographs

try:
    import matplotlib
except ImportError:
    photographs.skip("python3-matplotlib is not installed")
matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10})
OURS, THEIRS = "#2a6f97", "#b0b0b0"


def save(figure, path):
    figure.savefig(path, metadata={"Date": None})


def label(row):
    return ", ".join(filter(None, (row["name"], row["precision"])))


def draw_bars(axes, rows, values, title, form):
    colours = [OURS if row["name"].startswith("vitgate") else THEIRS for row in rows]
    bars = axes.barh([label(row) for row in rows], values, color=colours)
    axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(title, loc="left")
    axes.tick_params(labelsize=8)


def draw(found, path):
    engine = [row for row in found["engine"] if (row["threads"], row["batch_size"]) == (1, 1)]
    pipelines = found.get("pipelines") or []
    plots = [(engine, [row["ms_per_image"]["mean"] for row in engine],
              "ms per image: 1 thread, batch 1 (less is better)", "{:.1f}")]
    if pipelines:
        analysed = [row for row in pipelines if row["precision"]]  # without "decoding alone"
        plots.append((analysed, [row["frames_per_second"] for row in analysed],
                      f"frames/s of a pipeline, {found['cpus']} cores (more is better)", "{:.0f}"))
        plots.append((pipelines, [row["peak_bytes"] / 1e6 for row in pipelines],
                      "peak memory of a pipeline, MB (less is better)", "{:.0f}"))
    figure, axes = plt.subplots(len(plots), 1, figsize=(8, 1 + 0.3 * sum(len(p[0]) for p in plots)),
                                height_ratios=[len(p[0]) for p in plots], squeeze=False,
                                layout="constrained")
    for each, plot in zip(axes[:, 0], plots):
        draw_bars(each, *plot)
    figure.suptitle(f"{found['cpu']}, {found['date']}", fontsize=8)
    save(figure, path)
