"""The part of the benchmark of video that asks whether a stream sees what a fresh session sees: an
object that appears in a scene, and 3,000 frames of small motions."""

import os

import clips
import numpy as np

# Objects of so many patches, in pixels of a frame of 640x480.
OBJECTS = {1: (30, 30), 2: (60, 30), 4: (60, 60), 9: (90, 90)}
CROP = (110, 30, 420)  # what the network sees of a frame: left, top, side
FIRST = 3              # frames of a scene before the object appears
STILL, LIVE = 12, 51   # frames of a scene without and with motion; the second ends with a refresh
SOON = 5               # frames in which a new label should be there
DRIFT, EVERY = 3000, 25  # frames, and from one frame that a fresh session sees to the next
AUTO, EAGER, FRESH = "stream=1", "stream=1,eager=1", "stream=1,eager=1,fresh=1"


def backgrounds(folder, count):
    """Returns `count` frames of the real clips, spread over them, as RGB of the made clips' size."""
    found = []
    for name in ("bottle-detection", "car-detection"):
        clip = clips.prepare(name, folder, 0)
        frames = np.memmap(clip.path, "u1", "r").reshape(clip.frames, -1)
        for i in np.linspace(0, clip.frames - 1, (count + 1) // 2).astype(int):
            found.append(clips.cover(clips.picture(frames[i], clip.width, clip.height), clips.SIZE))
    return found[:count]


def paste(frame, thing, x, y):
    copy = frame.copy()
    copy[y:y + thing.shape[0], x:x + thing.shape[1]] = thing
    return copy


def scene(background, thing, rng, live):
    """Yields the frames of a scene in which an object appears for good. live: a third thing moves."""
    left, top, side = CROP
    x = left + int(rng.integers(side - thing.shape[1]))
    y = top + int(rng.integers(side - thing.shape[0]))
    mover = background[:clips.PATCH, :clips.PATCH][::-1]
    way = int(rng.integers(side - clips.PATCH))
    after = paste(background, thing, x, y)
    for i in range(LIVE if live else STILL):
        frame = after if i >= FIRST else background
        if live:
            frame = paste(frame, mover, left + 7 * i % (side - clips.PATCH), top + way)
        yield frame


def run(arguments, start, path, specs, each=0, which=None):
    """Returns (what video-runner printed, logits) of a file of frames.
    @each: frames of a scene; 0: there is one
    @which: numbers of the frames to run; None: all"""
    size = clips.SIZE[0] * clips.SIZE[1] * 3 // 2
    if which is not None:
        frames = np.memmap(path, "u1", "r").reshape(-1, size)
        path += ".some"
        with open(path, "wb") as file:
            for i in which:
                file.write(frames[i].tobytes())
    clip = clips.Clip("inserts", path, *clips.SIZE, os.path.getsize(path) // size)
    runner = start(arguments, arguments.model, "int8", clip, path + ".logits", specs, each)
    rows = runner.frames(clip.frames)
    logits = runner.end()
    os.unlink(path)
    os.unlink(path + ".logits")
    return rows, logits


def measure_scenes(arguments, start, folder, count, live, divergence, sure):
    """Returns the figures of `count` scenes for each contestant."""
    rng, n = np.random.default_rng(2), LIVE if live else STILL
    photos, sizes = clips.read_photographs(count, 3), list(OBJECTS.values())
    scenes = [(background, clips.cover(photos[i], sizes[i % len(sizes)]), int(rng.integers(1 << 30)))
              for i, background in enumerate(backgrounds(folder, count))]

    path = os.path.join(folder, "scenes.i420")
    clips.write((frame for background, thing, seed in scenes for frame in
                 scene(background, thing, np.random.default_rng(seed), live)), path)
    seen = [*range(FIRST - 1, FIRST + SOON + 1), n - 1]  # by fresh sessions
    names = {"streams": AUTO, "streams, eager": EAGER}
    _, fresh = run(arguments, start, path, [FRESH, ""],
                   which=[s * n + i for s in range(count) for i in seen])
    rows, logits = run(arguments, start, path, names.values(), n)
    fresh = fresh.reshape(count, len(seen), 2, -1)
    logits = logits.reshape(count, n, len(names), -1)
    found = {}
    for c, name in enumerate(names):
        passes = [[rows[s * n + i][c][4] for i in range(n)] for s in range(count)]
        found[name] = summarise(logits[:, :, c], fresh, passes, live, divergence, sure)
    return found


def margins(logits):
    """Returns the lead of the best class, in probability."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p = np.sort(p / p.sum(-1, keepdims=True), -1)
    return p[..., -1] - p[..., -2]


def summarise(logits, fresh, passes, live, divergence, sure):
    """Returns the figures of one contestant.
    @logits: [scene][frame][class]
    @fresh: [scene][before, from the first to soon, last][all tokens, merged as the dial says][class]
    @passes: [scene][frame]
    @sure: margin from which a fresh session counts as sure"""
    def last_of(kinds):  # the pass that gave the last result
        return [kind for kind in kinds if kind != "unchanged"][-1]

    count, sizes = len(logits), list(OBJECTS)
    last = [last_of(p) for p in passes]
    like = np.array([fresh[s, :, int(last[s] == "independent")] for s in range(count)])
    labels, expected = logits.argmax(-1), like.argmax(-1)[:, [0, -2, -1]]
    kl = divergence(logits[:, FIRST:FIRST + SOON + 1], like[:, 1:-1])
    refreshed = np.array([kind != "updated" for kind in last])
    event = expected[:, 1] != expected[:, 0]
    clear = event & (margins(like[:, -2]) > sure)
    soon = np.array([expected[s, 1] in labels[s, FIRST:FIRST + SOON + 1] for s in range(count)])
    at_once = labels[:, FIRST] == expected[:, 1]
    after = (labels[:, -1] == expected[:, -1])[refreshed]
    return {
        "scenes": count, "live": live,
        "refreshed": float(refreshed.mean()),
        "after refresh": float(after.mean()) if refreshed.any() else None,
        "not noticed": float(np.mean([p[FIRST] == "unchanged" for p in passes])),
        "events": int(event.sum()),
        "at once": float(at_once[event].mean()) if event.any() else None,
        "soon": float(soon[event].mean()) if event.any() else None,
        "sure events": int(clear.sum()),
        "sure, soon": float(soon[clear].mean()) if clear.any() else None,
        "kl": [float(value) for value in kl.mean(0)],
        "by patches": {str(sizes[k]): {
            "events": int(event[k::len(sizes)].sum()),
            "soon": float(soon[k::len(sizes)][event[k::len(sizes)]].mean())
            if event[k::len(sizes)].any() else None} for k in range(len(sizes))},
    }


def small_motions(n):
    """Yields frames in which three things walk at random over a photograph."""
    rng, photos = np.random.default_rng(4), clips.read_photographs(4, 5)
    still = clips.cover(photos[0], clips.SIZE)
    things = [clips.cover(photo, (2 * clips.PATCH, clips.PATCH)) for photo in photos[1:]]
    places = rng.integers(150, 350, (3, 2))
    for _ in range(n):
        frame = still
        places = np.clip(places + rng.integers(-3, 4, places.shape), 60, 400)
        for thing, (x, y) in zip(things, places):
            frame = paste(frame, thing, x, y)
        yield frame


def measure_drift(arguments, start, folder, divergence, frames):
    """Returns KL(fresh full pass, stream) in each fifth of the frames, and the GMACs of a frame."""
    path = os.path.join(folder, "drift.i420")
    clips.write(small_motions(frames), path)
    _, fresh = run(arguments, start, path, [FRESH], which=range(EVERY - 1, frames, EVERY))
    rows, logits = run(arguments, start, path, [EAGER])
    kl = divergence(logits[EVERY - 1::EVERY, 0], fresh[:, 0])
    same = logits[EVERY - 1::EVERY, 0].argmax(-1) == fresh[:, 0].argmax(-1)
    return {"frames": frames, "kl": [float(part.mean()) for part in np.array_split(kl, 5)],
            "same": [float(part.mean()) for part in np.array_split(same, 5)],
            "gmacs": float(np.mean([row[0][3] for row in rows]))}


def percent(value):
    return "–" if value is None else f"{100 * value:.1f} %"


def print_all(found):
    print("\n| scenes | contestant | refreshed at the end | label as fresh then | not noticed | label changes | "
          "new label at once | within 5 frames | where sure | KL by frame | by patches |\n" +
          11 * "|---" + "|")
    for rows in found["scenes"]:
        for name, row in rows.items():
            sizes = ", ".join(f"{size}: {percent(each['soon'])} of {each['events']}"
                              for size, each in row["by patches"].items())
            print(f"| {row['scenes']} {'live' if row['live'] else 'still'} | {name} | "
                  f"{percent(row['refreshed'])} | {percent(row['after refresh'])} | {percent(row['not noticed'])} | "
                  f"{row['events']} | {percent(row['at once'])} | {percent(row['soon'])} | "
                  f"{percent(row['sure, soon'])} of {row['sure events']} | "
                  f"{', '.join(f'{kl:.3f}' for kl in row['kl'])} | {sizes} |")
    drift = found["drift"]
    print(f"\nKL to a fresh full pass in fifths of {drift['frames']} frames: " +
          ", ".join(f"{kl:.4f}" for kl in drift["kl"]) + "; same label: " +
          ", ".join(percent(same) for same in drift["same"]))


def measure(arguments, start, folder, divergence, sure):
    few = arguments.scenes // 4
    return {"scenes": [measure_scenes(arguments, start, folder, count, live, divergence, sure)
                       for count, live in ((arguments.scenes, False), (few, True))],
            "drift": measure_drift(arguments, start, folder, divergence,
                                   DRIFT * arguments.scenes // 200)}
