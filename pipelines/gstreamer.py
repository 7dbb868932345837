"""Shared by the programs in this folder: starts GStreamer with vitgate, from the build beside this
folder if vitgate is not installed."""

import os
import sys


def introspect(library, package):
    """Prepares the import of a library from gi.repository. Exits if it is not installed.

    package: Debian's name of the package with its typelib
    """
    try:
        import gi
        gi.require_version(library, "1.0")
    except (ImportError, ValueError):
        sys.exit(f"{os.path.basename(sys.argv[0])}: {library} for Python is not installed. On "
                 f"Debian, run: apt-get install python3-gi {package}")


introspect("Gst", "gir1.2-gstreamer-1.0")
from gi.repository import Gst  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")


def next_command():
    """Returns the command that makes the build."""
    if os.path.exists(f"{BUILD}/build.ninja"):
        return f"meson compile -C {BUILD}"
    return f"meson setup {BUILD} {ROOT} && meson compile -C {BUILD}"


def start():
    """Initialises GStreamer. ValueError if there is no vitgate."""
    Gst.init(None)
    if Gst.ElementFactory.find("vitgate"):
        return
    plugin = f"{BUILD}/gst-plugin/libgstvitgate.so"
    if not os.path.exists(plugin):
        raise ValueError(f"vitgate is neither installed nor built. Run: {next_command()}")
    Gst.Registry.get().scan_path(os.path.dirname(plugin))
    if not Gst.ElementFactory.find("vitgate"):
        raise ValueError(f"{plugin} cannot be loaded. For the reason, run: "
                         f"gst-inspect-1.0 {plugin}")
    os.environ.setdefault("VITGATE_MODEL_DIR", f"{ROOT}/models/shipped")
