#!/usr/bin/env python3
"""Tests vitgate compress with a taught model as the teacher.

Usage: test_compress_taught.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import unittest

from teach_case import TeachCase, describe


class CompressTaughtTest(TeachCase):
    def test_a_taught_model_becomes_smaller(self):
        self.write_data(12)
        self.teach("--group-by", "none", "--fit", "crop")
        student = self.path("student.safetensors")
        run = self.run_command("compress", "--teacher", self.out, "--data", self.data, "--steps",
                               "20", "--batch-size", "8", "--threads", "1", "--target", "0.6",
                               "-o", student)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("do not hold for the student; run vitgate teach on the result", run.stderr)
        entries, found = describe(student)
        taught = describe(self.out)[1]
        for field in ("labels", "activation", "preprocessing"):
            self.assertEqual(found.get(field), taught.get(field), field)
        self.assertFalse({"unknown", "teach", "thresholds"} & set(found))
        self.assertFalse([name for name in entries if name.startswith(("unknown.", "teach."))])
        self.check_labels(student)
        again = json.loads(self.succeed("teach", "--model", student, "--data", self.data, "-o",
                                        student, "--json", "--group-by", "none"))
        self.assertEqual(again["top1"], 100)
        self.assertIn("unknown", describe(student)[1])
        self.check_labels(student)

    def check_labels(self, model):
        for label in ("closed", "half", "open"):
            for path in self.write_class(label, 3, folder="new", seed=99):
                self.assertEqual(self.best(path, model), label)
        result = json.loads(self.succeed("eval", model, "--data", self.path("new"), "--json"))
        self.assertEqual(result["overall"]["top1"], 100)


if __name__ == "__main__":
    unittest.main()
