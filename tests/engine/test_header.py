"""The public header: its complete example compiles and runs, and C++ takes it without a warning."""
import os
import re
import shlex
import subprocess
import tempfile
import unittest

CC = shlex.split(os.environ["VITGATE_CC"])
HEADER = os.environ["VITGATE_HEADER"]
LIBRARY = os.environ["VITGATE_LIBRARY"]
MODEL = os.environ["VITGATE_MODEL"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def pkg_config(*arguments):
    return subprocess.run(["pkg-config", *arguments, "glib-2.0"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def example():
    """The lines of the example in the header's opening comment."""
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


if __name__ == "__main__":
    unittest.main()
