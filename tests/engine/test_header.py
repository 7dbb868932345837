"""The public header: its example compiles and runs, it compiles as C++, and structures can grow."""
import os
import re
import shlex
import subprocess
import tempfile
import unittest

CC = shlex.split(os.environ["VITGATE_CC"])
CXX = os.environ.get("VITGATE_CXX")
HEADER = os.environ["VITGATE_HEADER"]
LIBRARY = os.environ["VITGATE_LIBRARY"]
MODEL = os.environ["VITGATE_MODEL"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def pkg_config(*arguments):
    return subprocess.run(["pkg-config", *arguments, "glib-2.0"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def example():
    """Returns the lines of the example in the header's opening comment."""
    lines = []
    with open(HEADER, encoding="utf-8") as header:
        for line in header:
            if lines or "A complete example" in line:
                lines.append(line)
            if line.strip() == "*/":
                break
    return [line.removeprefix(" *").rstrip() for line in lines if line.startswith(" *   ")]


def with_threshold(threshold):
    lines = [re.sub(r"(top_k\(result, 1, )[^,]*", r"\g<1>" + threshold, line) for line in example()]
    assert any(threshold in line for line in lines)
    return lines


class Example(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def build(self, lines):
        source = os.path.join(self.folder, "example.c")
        program = os.path.join(self.folder, "example")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <vitgate.h>\n"
                       "static guint8 pixels[640 * 480 * 3];\n"
                       "int main(void)\n{\n" + "\n".join(lines) + "\n  return 0;\n}\n")
        folder = os.path.dirname(LIBRARY)
        subprocess.run([*CC, *WARNINGS, "-I" + os.path.dirname(HEADER), *pkg_config("--cflags"),
                        source, "-o", program, LIBRARY, "-Wl,-rpath," + folder,
                        *pkg_config("--libs")], check=True)
        return program

    def run_example(self, lines):
        return subprocess.run([self.build(lines)], cwd=self.folder, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def provide_model(self):
        os.symlink(MODEL, os.path.join(self.folder, "deit-tiny.safetensors"))

    def test_a_missing_model_is_reported(self):
        self.assertGreater(len(example()), 10)
        done = self.run_example(example())
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("deit-tiny.safetensors: no such file", done.stderr)

    def test_an_image_is_classified(self):
        self.provide_model()
        done = self.run_example(with_threshold("0.0f"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^\w+.*\n$")

    def test_no_class_may_pass(self):
        self.provide_model()
        done = self.run_example(with_threshold("2.0f"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "no class is likely\n")


CPP_SOURCE = """
#include <vitgate.h>
const char *classify(const guint8 *pixels, GError **error)
{
  g_autoptr(VitgateModel) model = vitgate_model_open("model", error);
  VitgateSessionOptions options = VitgateSessionOptions();
  options.threads = 2;
  g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, &options, error) : nullptr;
  if (!session)
    return nullptr;
  g_autoptr(VitgateStream) stream = vitgate_stream_new(model, NULL, NULL);
  VitgateImage image = VitgateImage();
  image.format = VITGATE_PIXELS_GRAY8;
  image.width = image.height = 8;
  image.planes[0] = pixels;
  image.strides[0] = 8;
  const VitgateResult *result = vitgate_session_classify(session, &image, 1, error);
  vitgate_stream_forget(stream);
  return result ? vitgate_precision_name(VITGATE_PRECISION_INT8) : g_quark_to_string(VITGATE_ERROR);
}
"""


@unittest.skipUnless(CXX, "there is no C++ compiler")
class Cpp(unittest.TestCase):
    def check(self, standard):
        # Warnings in GLib's headers do not matter here.
        flags = [flag.replace("-I", "-isystem", 1) for flag in pkg_config("--cflags")]
        done = subprocess.run([CXX, "-std=" + standard, *WARNINGS, "-I" + os.path.dirname(HEADER),
                               *flags, "-fsyntax-only", "-x", "c++", "-"], input=CPP_SOURCE,
                              text=True, check=False, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_cpp_11(self):
        self.check("c++11")

    def test_cpp_20(self):
        self.check("c++20")


class Layout(unittest.TestCase):
    def test_structures_have_room(self):
        with open(HEADER, encoding="utf-8") as header:
            text = header.read()
        for name in ("VitgateModelInfo", "VitgateBlockInfo", "VitgateImage",
                     "VitgateSessionOptions", "VitgateResult"):
            body = text[:text.index("} " + name + ";")].rsplit("typedef struct {", 1)[1]
            self.assertRegex(body.strip().splitlines()[-1], r"gpointer reserved\[\d\];", name)


if __name__ == "__main__":
    unittest.main()
