"""Imports GStreamer for the Python tests, by introspection only. Without it they are skipped.

Environment: see fixture.h. VITGATE_TEST_SANITIZED names a sanitizer that the plugin is built with
and that Python cannot load.
"""

import os
import sys

MODEL = os.environ["VITGATE_TEST_MODEL"]


def skip_all(reason):
    print("skipped:", reason)
    sys.exit(77)


if os.environ.get("VITGATE_TEST_SANITIZED"):
    skip_all(f"Python cannot load a plugin with {os.environ['VITGATE_TEST_SANITIZED']}")
try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    skip_all(f"packages python3-gi and gir1.2-gstreamer-1.0: {error}")

Gst.init(None)


def need_library(name, package):
    """Requires another library of gi.repository, or skips the tests."""
    try:
        gi.require_version(name, "1.0")
    except ValueError as error:
        skip_all(f"package {package}: {error}")
