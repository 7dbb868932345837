#!/usr/bin/env python3
"""Installation: everything under the prefix, and all of it works where it was installed.

Environment: VITGATE_BUILD, a build folder without sanitizers; VITGATE_SOURCE, the tree.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.environ["VITGATE_BUILD"]
SOURCE = os.environ["VITGATE_SOURCE"]
PAGES = ["LICENSE", "NEWS.md", "README.md", "engine/FORMAT.md", "gst-plugin/META.md",
         "models/teaching.md", "pipelines/README.md", "vitgate-watch.conf"]
PROGRAM = """
#include <stdio.h>
#include <vitgate.h>

int main(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = vitgate_default_model_find(&error);
  g_autoptr(VitgateModel) model = path ? vitgate_model_open(path, &error) : NULL;
  if (!model)
    return fprintf(stderr, "%s\\n", error->message), 1;
  return printf("%u classes\\n", vitgate_model_get_info(model)->n_classes) < 0;
}
"""


def run(*command, **environment):
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            env={**os.environ, **environment})
    assert result.returncode == 0, (command, result.stdout[-2000:], result.stderr[-2000:])
    return result.stdout


def gstreamer(variable):
    return run("pkg-config", f"--variable={variable}", "gstreamer-1.0").strip()


class SetUp(unittest.TestCase):
    """Where a build folder would install."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="vitgate-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name

    def check_prefix(self, prefix, plugins, announced, *options):
        """Sets up a build folder. announced: whether it says where GStreamer finds the plugin"""
        build = f"{self.folder}/build"
        again = ["--reconfigure"] if os.path.exists(build) else []
        run("meson", "setup", *again, build, SOURCE, f"-Dprefix={prefix}", *options,
            HOME=self.folder)
        files = json.loads(run("meson", "introspect", "--installed", build)).values()
        self.assertIn(f"{plugins}/libgstvitgate.so", files)
        self.assertEqual([path for path in files if not path.startswith(prefix + "/")], [])
        with open(f"{build}/meson-private/vitgate.pc", encoding="utf-8") as file:
            self.assertIn(f"\npluginsdir={plugins}\n", file.read())
        with open(f"{build}/meson-private/install.dat", "rb") as file:
            self.assertEqual(b"GST_PLUGIN_PATH=" + plugins.encode() in file.read(), announced)

    def test_everything_goes_under_the_prefix(self):
        prefix = f"{self.folder}/.local"  # GStreamer searches a folder below it
        self.check_prefix(prefix, f"{prefix}/share/gstreamer-1.0/plugins", False)
        prefix = f"{self.folder}/prefix"
        self.check_prefix(prefix, f"{prefix}/lib/gstreamer-1.0", True, "-Dlibdir=lib")


class Installed(unittest.TestCase):
    """The build folder, installed with DESTDIR."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="vitgate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.output = run("meson", "install", "--no-rebuild", "-C", BUILD, "--destdir", cls.folder)
        options = json.loads(run("meson", "introspect", "--buildoptions", BUILD))
        cls.options = {option["name"]: option["value"] for option in options}
        cls.prefix = cls.options["prefix"]
        cls.libdir = cls.path(cls.options["libdir"])
        # As if it had been set up with this folder as the prefix.
        with open(f"{cls.libdir}/pkgconfig/vitgate.pc", encoding="utf-8") as file:
            text = file.read()
        os.mkdir(f"{cls.folder}/pkgconfig")
        with open(f"{cls.folder}/pkgconfig/vitgate.pc", "w", encoding="utf-8") as file:
            file.write(text.replace(f"prefix={cls.prefix}\n", f"prefix={cls.path('')}\n"))

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder + cls.prefix, name).rstrip("/")

    def pkg_config(self, *arguments):
        return run("pkg-config", *arguments, "vitgate",
                   PKG_CONFIG_PATH=f"{self.folder}/pkgconfig").strip()

    def run_installed(self, *command):
        return run(*command, LD_LIBRARY_PATH=self.libdir,
                   GST_PLUGIN_PATH_1_0=self.folder + self.pkg_config("--variable=pluginsdir"),
                   GST_REGISTRY_1_0=f"{self.folder}/registry.bin",
                   VITGATE_MODEL_DIR=self.pkg_config("--variable=modeldir"))

    def test_the_plugin_goes_where_gstreamer_looks_for_it(self):
        if self.prefix not in (gstreamer("prefix"), "/usr/local") or \
                self.options["gst-plugin-dir"]:
            self.skipTest(f"the prefix is {self.prefix}")
        self.assertEqual(self.pkg_config("--variable=pluginsdir"), gstreamer("pluginsdir"))
        self.assertNotIn("GST_PLUGIN_PATH", self.output)

    def test_the_element_is_found(self):
        text = self.run_installed("gst-inspect-1.0", "vitgate")
        self.assertRegex(text, rf"Filename +{self.folder}.*/libgstvitgate\.so")

    def test_programs_run(self):
        for name in "vitgate", "vitgate-watch", "vitgate-collect":
            self.assertRegex(self.run_installed(self.path(f"bin/{name}"), "--version"),
                             rf"^{name} \d")
        self.assertIn("--every", self.run_installed(self.path("bin/vitgate"), "help", "collect"))
        model = self.pkg_config("--variable=modeldir") + "/deit-tiny-imagenet1k.safetensors"
        self.assertIn("1000", self.run_installed(self.path("bin/vitgate"), "inspect", model))

    def test_a_program_is_compiled_with_pkg_config(self):
        with open(f"{self.folder}/program.c", "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        run("cc", "-o", f"{self.folder}/program", f"{self.folder}/program.c",
            *self.pkg_config("--cflags", "--libs").split())
        self.assertEqual(self.run_installed(f"{self.folder}/program"), "1000 classes\n")

    def test_man_pages(self):
        folder = self.path(f"{self.options['mandir']}/man1")
        if not os.path.isdir(folder):
            self.skipTest("built without help2man")
        text = self.run_installed(self.path("bin/vitgate"), "--help")
        names = re.findall(r"(?m)^  ([a-z]+)  +[a-z]", text)
        self.assertGreater(len(names), 9)
        for name in ["vitgate", "vitgate-watch"] + [f"vitgate-{name}" for name in names]:
            with open(f"{folder}/{name}.1", encoding="utf-8") as page:
                text = page.read().replace("\\-", "-")
            self.assertRegex(text, rf"\n{name} - [a-z].*\n\.SH SYNOPSIS\n\.B {name.split('-')[0]}")
            self.assertIn("--", text)

    def test_the_page_of_the_elements(self):
        path = self.path(f"{self.options['mandir']}/man7/vitgate-elements.7")
        if not os.path.exists(path):
            self.skipTest("built without gst-inspect-1.0")
        with open(path, encoding="utf-8") as page:
            text = page.read().replace("\\-", "-")
        for part in "latency-budget", "only-changes", "show-tokens":
            self.assertIn(f"\n  {part} ", text)
        self.assertNotIn(BUILD, text)

    def test_the_pages_and_the_licence(self):
        documents = self.path("share/doc/vitgate")
        for page in PAGES:
            self.assertTrue(os.path.isfile(f"{documents}/{page}"), page)
        with open(f"{documents}/README.md", encoding="utf-8") as file:
            for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", file.read()):
                self.assertTrue(os.path.isfile(f"{documents}/{picture}"), picture)


if __name__ == "__main__":
    unittest.main(verbosity=2)
