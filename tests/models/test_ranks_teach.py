"""Tests vitgate teach and vitgate import under mpirun: ranks that share out pictures write the file of one
process, bit by bit.

Usage: test_ranks_teach.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import random
import shutil
import unittest

import random_model
from ranks_case import MPIRUN, VITGATE, RanksCase
from teach_case import COLOURS, write_picture


class SharedPicturesCase(RanksCase):
    def setUp(self):
        super().setUp()
        rng = random.Random(5)
        for label in ("closed", "open", "half", "empty"):
            os.makedirs(self.path("data", label))
            for i in range(5):
                write_picture(self.path("data", label, f"{i:02}.png"), COLOURS[label], rng)
        self.others = self.path("others")
        shutil.move(self.path("data", "empty"), self.others)
        self.write_broken("data", "open", "99.png")

    def write_broken(self, *parts):
        with open(self.path(*parts), "wb") as file:
            file.write(b"no picture")

    def in_folders(self, call):
        """A call of two ranks, each in a folder of its own"""
        return [MPIRUN, "-n", "1", "--wdir", self.path("x"), *call, ":", "-n", "1", "--wdir",
                self.path("y"), *call]


class TeachTest(SharedPicturesCase):
    def teach(self, name, *more, data=None, model=None):
        return [VITGATE, "teach", "--model", model or self.teacher, "--data",
                data or self.path("data"), "-o", self.path(name), "--name", "n", "--json",
                "--threads", "1", *more]

    def report(self, n, call):
        result = self.succeed(n, call)
        report = json.loads(result.stdout)
        for key in [key for key in report if key == "model" or key.startswith("seconds")]:
            del report[key]
        return report, [line for line in result.stderr.splitlines() if line.startswith("vitgate")]

    def check(self, n, *more, **options):
        wanted = self.report(0, self.teach("out", *more, **options))
        one = self.bytes_of("out")
        self.assertEqual(self.report(n, self.teach("out", *more, **options)), wanted)
        self.assertEqual(self.bytes_of("out"), one)
        return wanted

    def test_teach_writes_the_file_of_one_process(self):
        self.write_broken("others", "98.png")
        report, notes = self.check(3, "--others", self.others)
        self.assertEqual(report["pictures"], 15)
        self.assertEqual(len(notes), 2)

    def test_teach_with_several_labels_and_more_ranks_than_pictures(self):
        shutil.rmtree(self.path("data", "half"))
        for label in ("open", "closed"):
            for i in range(2, 5):
                os.unlink(self.path("data", label, f"{i:02}.png"))
        os.unlink(self.path("data", "open", "99.png"))
        self.check(6, "--multi-label")

    def test_teach_goes_on_with_what_was_taught(self):
        self.succeed(0, self.teach("first"))
        shutil.move(self.others, self.path("data", "other"))
        self.check(2, "--add", model=self.path("first"))

    def test_fine_tuning_is_decided_by_the_first_rank(self):
        report, _ = self.report(2, self.teach("out", "--fine-tune", "5s", "--others", self.others))
        self.assertIsNotNone(report["fine_tuning"])

    def test_progress_counts_once(self):
        result = self.succeed(2, self.teach("out", "--progress"))
        lines = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        last = [line for line in lines if line["unit"] == "pictures"][-1]
        self.assertEqual((last["done"], last["total"]), (8, 8))

    def test_other_pictures_or_models_are_refused(self):
        call = self.teach("out", data="data")
        for place in ("x", "y"):
            shutil.copytree(self.path("data"), self.path(place, "data"))
        os.unlink(self.path("y", "data", "open", "00.png"))
        self.fail_with("rank 1 of 2 has other pictures", 0, self.in_folders(call))
        shutil.rmtree(self.path("y", "data"))
        self.fail_with("rank 1 of 2: data: ", 0, self.in_folders(call))
        call = self.teach("out", model="model.safetensors")
        shutil.copy(self.teacher, self.path("x", "model.safetensors"))
        random_model.write_teacher(self.path("y", "model.safetensors"), seed=7)
        self.fail_with("rank 1 of 2 has other contents of the model file", 0, self.in_folders(call))
        os.unlink(self.path("y", "model.safetensors"))
        self.fail_with("rank 1 of 2: model.safetensors", 0, self.in_folders(call))
        self.assertFalse(os.path.exists(self.path("out")))

    def test_errors_of_the_first_rank_are_those_of_all(self):
        self.fail_with("cannot ", 2, self.teach(os.path.join("missing", "out")))
        shutil.rmtree(self.path("data", "half"))
        shutil.rmtree(self.path("data", "open"))
        self.fail_with("only one class", 2, self.teach("out"))


class ImportTest(SharedPicturesCase):
    def call(self, name, *more, model=None):
        return [VITGATE, "import", model or self.teacher, "-o", self.path(name), *more]

    def test_import_writes_the_file_of_one_process(self):
        for n, more in ((2, ()), (3, ("--data", self.pictures, "--precision", "int8")),
                        (2, ("--data", self.pictures, "--reference", self.teacher))):
            wanted = self.succeed(0, self.call("model", *more))
            one = self.bytes_of("model")
            result = self.succeed(n, self.call("model", *more))
            self.assertEqual((result.stdout, self.bytes_of("model")), (wanted.stdout, one))
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("model")],
                         ["model"])

    def test_errors_of_one_rank_are_those_of_all(self):
        self.fail_with("cannot ", 2, self.call(os.path.join("missing", "out"), "--data",
                                               self.pictures))
        self.fail_with("nothing", 2, self.call("out", model=self.path("nothing")))
        for place in ("x", "y"):
            os.mkdir(self.path(place))
        shutil.copy(self.teacher, self.path("x", "in"))
        call = self.call("out", "--data", self.pictures, model="in")
        self.fail_with("rank 1 of 2: in: ", 0, self.in_folders(call))
        random_model.write_teacher(self.path("y", "in"), seed=7)
        self.fail_with("rank 1 of 2 has other contents of a model file", 0, self.in_folders(call))
        shutil.copy(self.teacher, self.path("y", "in"))
        shutil.copytree(self.pictures, self.path("x", "pictures"))
        self.fail_with("rank 1 of 2: pictures: ", 0,
                       self.in_folders(self.call("out", "--data", "pictures", model="in")))
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
