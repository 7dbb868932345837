#!/usr/bin/env python3
"""Checks that no room includes one above it, and that no two units use each other in a circle.

ROOMS lists every folder with C sources, from the top down. A file includes headers of its own room
and of rooms below it, written from the component's root ("file/json.h"), and each such path names
exactly one file. A unit is a C file with its header.

Usage: tests/layers.py [ROOT]    ROOT: a checkout; default: the one this file is in
"""

import os
import re
import sys

# "": the component's own folder. Everything may include the engine's public header.
ROOMS = {
    "engine": ["", "labels", "image", "network/families", "network", "file", "kernels/x86",
               "kernels/arm", "kernels", "base"],
    "models": ["commands", "teach", "train/run", "train/dial", "train/gates", "train/cut", "train/learn",
               "train/network", "report", "write", "data", "base"],
    "gst-plugin": ["", "classify", "overlay", "json", "common"],
    "pipelines/watch": ["", "page/parts", "page/api", "page/teach", "page/pictures", "page", "page/http",
                        "camera", "output", "fleet", "model", "config", "base"],
}
USES_ENGINE = ["models", "gst-plugin"]
PUBLIC = "engine/vitgate.h"
# A library of their own, for every component.
SHARED = ["engine/base/clean-text.h", "engine/base/json-write.h", "pipelines/collect/pick/picker.h"]

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def sources(root, component):
    """Yields the path, from the root, of every C file of the component."""
    for folder, _, names in os.walk(os.path.join(root, component)):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), root)


def room_of(component, path):
    return os.path.relpath(os.path.dirname(path), component).lstrip(".")


def unit_of(path):
    return os.path.splitext(path)[0]


def check_rooms(component, path, target):
    """Returns what is wrong with an include of @target in @path, or None."""
    rooms = ROOMS[component]
    room, other = room_of(component, path), room_of(component, target)
    if room not in rooms:
        return f"{path}: its folder is not in the list of rooms"
    if other in rooms and rooms.index(other) < rooms.index(room):
        return f"{path}: includes {target}, and {other or component} is above {room}"
    return None


def find_circles(graph):
    """Returns every group of units that reach each other, as sorted lists."""
    def reach(unit, seen):
        for other in graph.get(unit, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    reached = {unit: reach(unit, set()) for unit in graph}
    groups = {tuple(sorted(other for other in reached[unit] if unit in reached.get(other, ())))
              for unit in graph if unit in reached[unit]}
    return sorted(groups)


def check(root):
    """Returns a list of everything that is wrong."""
    faults, graph = [], {}
    for component in ROOMS:
        places = [component] + (["engine"] if component in USES_ENGINE else [])
        for path in sources(root, component):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                includes = INCLUDE.findall(file.read())
            for include in includes:
                candidates = [os.path.join(place, include) for place in places]
                candidates += [shared for shared in SHARED
                               if shared.endswith("/" + include) and shared not in candidates]
                found = [p for p in candidates if os.path.isfile(os.path.join(root, p))]
                if len(found) != 1:
                    faults.append(f'{path}: "{include}" names {len(found)} files, expected one')
                    continue
                graph.setdefault(unit_of(path), set())
                if unit_of(path) != unit_of(found[0]) and found[0] != PUBLIC:
                    graph[unit_of(path)].add(unit_of(found[0]))
                if found[0].startswith(component + "/") and found[0] != PUBLIC:
                    faults.append(check_rooms(component, path, found[0]))
    faults += ["these use each other: " + ", ".join(group) for group in find_circles(graph)]
    return [fault for fault in faults if fault]


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    faults = check(root)
    print("\n".join(faults) or "every include runs down")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
