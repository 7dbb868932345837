"""Shared by tests of the command: a folder with a model, and functions that run the command.

$VITGATE is the command.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

import colour_model

VITGATE = os.environ.get("VITGATE", "vitgate")


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vitgate-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.weights = self.path("weights.safetensors")
        colour_model.write_model(self.weights)
        self.labels = self.path("labels.txt")
        with open(self.labels, "w", encoding="utf-8") as file:
            for pair in zip(colour_model.IDS, colour_model.LABELS):
                file.write("\t".join(pair) + "\n")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run_command(self, *arguments, **options):
        return subprocess.run(
            [VITGATE, *arguments],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=120,
            check=False,
            **options,
        )

    def succeed(self, *arguments, notes=0, **options):
        """Returns the output; expects @notes lines on stderr"""
        result = self.run_command(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), notes, result.stderr)
        return result.stdout

    def fail_with(self, part, *arguments, **options):
        """Expects exit status 1 and one line that names the sub-command and the mistake"""
        result = self.run_command(*arguments, **options)
        self.assertEqual(result.returncode, 1, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith(f"vitgate {arguments[0]}: "), lines[0])
        self.assertIn(part, lines[0])
        return result.stdout

    def complete_model(self, **options):
        model = self.path("model.safetensors")
        arguments = ["import", self.weights, "-o", model, "--labels", self.labels]
        for name, value in options.items():
            arguments += ["--" + name, value]
        self.succeed(*arguments)
        return model

    def write_colours(self, folder, names=None):
        """Writes one picture per colour to @folder; returns the file names"""
        os.makedirs(self.path(folder), exist_ok=True)
        files = []
        for index, (name, *corner) in enumerate(colour_model.COLOURS):
            file = f"{folder}/{names[index] if names else name + '.png'}"
            os.makedirs(os.path.dirname(self.path(file)), exist_ok=True)
            colour_model.write_picture(self.path(file), corner)
            files.append(file)
        return files

    def write_labels_tsv(self, folder, lines):
        with open(self.path(folder, "labels.tsv"), "w", encoding="utf-8") as file:
            file.write("file\tclass_index\twnid\n")
            for line in lines:
                file.write("\t".join(str(field) for field in line) + "\n")
