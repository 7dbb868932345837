"""gate-state with clips whose right half changes its colour. Environment: see cameras.py."""

import re
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from cameras import MODEL, PIPELINES, Gst, make_clip, run_program

SECOND = Gst.SECOND


def load_program():
    loader = SourceFileLoader("gate_state", f"{PIPELINES}/gate-state")
    program = module_from_spec(spec_from_loader("gate_state", loader))
    sys.path.insert(0, PIPELINES)
    loader.exec_module(program)
    return program


class Rules(unittest.TestCase):
    """Ten frames a second."""

    def setUp(self):
        self.state = load_program().State(SECOND, 2)
        self.time, self.changes = 0, []

    def see(self, count, opened):
        """opened: the probability of "open"; None: unknown"""
        for _ in range(count):
            classes = opened is not None and {"open": opened, "closed": 1 - opened}
            change = self.state.see(self.time, classes or None)
            if change:
                self.changes.append((*change[:2], change[2] / SECOND, self.time / SECOND))
            self.time += SECOND // 10

    def test_a_change_needs_a_lead_on_average(self):
        self.see(20, 0.1)
        self.see(3, 0.9)
        self.see(10, 0.1)
        self.see(20, 0.6)
        self.see(20, 0.9)
        self.assertEqual(self.changes[0], (None, "closed", 0, 1))
        self.assertEqual([change[:2] for change in self.changes[1:]], [("closed", "open")])

    def test_unknown(self):
        self.see(20, 0.1)
        self.see(19, None)
        self.see(1, 0.1)
        self.see(30, None)
        self.see(20, 0.1)
        self.assertEqual([change[:3] for change in self.changes],
                         [(None, "closed", 0), ("closed", "unknown", 4), ("unknown", "closed", 7)])

    def test_another_stream(self):
        self.see(20, 0.1)
        self.time = 0
        self.see(10, 0.9)
        self.assertEqual(len(self.changes), 1)
        self.see(1, 0.9)
        self.assertEqual(self.changes[1][:2], ("closed", "open"))


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clip = f"{folder.name}/clip.mkv"

    def run_clip(self, *options, **frames):
        make_clip(self.clip, **frames)
        return run_program("gate-state", "--model", MODEL, "--lead", "1", "--threshold", "0.3",
                           *options, self.clip)

    def test_a_line_for_each_change(self):
        run = self.run_clip("--region", "25%,0,50%,60", black=25, white=25)
        self.assertEqual(run.returncode, 0, run.stderr)
        first, second = run.stdout.splitlines()
        self.assertRegex(first, r"^0:00:00\.000  class \d  \d+%$")
        self.assertRegex(second, r"^0:00:01\.000  class \d -> class \d  \d+%$")

    def test_errors(self):
        for region, message in (("1,2,3", "has 3 numbers, expected x,y,width,height"),
                                ("0,0,161,120", "reaches beyond the frame of 160x120 pixels")):
            run = self.run_clip("--region", region, black=3)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
            self.assertRegex(run.stderr, "^gate-state: vitgate: .*" + re.escape(message))
        run = run_program("gate-state", "--model", "/none", self.clip)
        self.assertEqual(run.returncode, 1)
        self.assertIn("/none", run.stderr)
        run = run_program("gate-state", "--lead", "0.5", self.clip)
        self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
