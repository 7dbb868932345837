#!/usr/bin/env python3
"""Tests vitgate teach on small models: what it makes of pictures. test_teach_data.py has tests of the pictures
themselves.

Usage: test_teach.py [unittest's arguments]; $VITGATE is the command.
"""

import json
import os
import random
import resource
import shutil
import signal
import unittest

import colour_model
import random_model
import t2t_model
from teach_case import COLOURS, TeachCase, describe


class TaughtModelTest(TeachCase):
    def test_new_pictures_get_their_class(self):
        self.write_data(names="{:02}0.png")
        found = self.teach()
        self.assertEqual([c["label"] for c in found["classes"]], ["closed", "half", "open"])
        self.assertEqual((found["pictures"], found["groups"], found["top1"]), (18, 18, 100))
        for label in ("closed", "open", "half"):
            for path in self.write_class(label, 3, folder="new", seed=99):
                self.assertEqual(self.best(path), label)

    def test_progress_for_programs(self):
        self.write_data(n=3)
        run = self.run_command("teach", "--model", self.model, "--data", self.data, "-o", self.out,
                               "--json", "--progress")
        lines = [json.loads(line) for line in run.stderr.splitlines()]
        self.assertEqual(run.returncode, 0)
        self.assertEqual({line["unit"] for line in lines}, {"files", "pictures", "folds"})
        pictures = [line for line in lines if line["unit"] == "pictures"]
        self.assertEqual(pictures[-1], {"done": 9, "total": 9, "unit": "pictures"})
        self.assertEqual(json.loads(run.stdout)["pictures"], 9)

    def test_everything_else_stays_as_in_the_base(self):
        self.write_data()
        before, old = describe(self.model)
        self.teach("--name", "my gate")
        after, new = describe(self.out)
        for name, entry in before.items():
            if not name.startswith("head."):
                self.assertEqual(after[name], entry, name)
        changed = ("name", "n_classes", "labels", "label_ids", "preprocessing")
        self.assertEqual({k: v for k, v in old.items() if k not in changed},
                         {k: v for k, v in new.items()
                          if k not in changed + ("unknown", "teach", "provenance")})
        self.assertEqual(new["preprocessing"], {**old["preprocessing"], "fit": "squash",
                                                "resize": old["image_size"]})
        self.assertEqual((new["name"], new["labels"]), ("my gate", ["closed", "half", "open"]))
        self.assertEqual((new["provenance"]["photographs"], new["provenance"]["top1"]), (18, 1))
        self.assertNotIn(self.data, json.dumps(new["provenance"]))

    def test_the_fit_is_kept_for_later_pictures(self):
        self.write_data()
        for fit in ("crop", "letterbox"):
            self.teach("--fit", fit)
            self.assertEqual(describe(self.out)[1]["preprocessing"].get("fit"), fit)
            self.teach("--add", model=self.out)
            self.assertEqual(describe(self.out)[1]["preprocessing"].get("fit"), fit)
        os.unlink(self.out)
        self.refuse("--fit: with --add", "--add", "--fit", "squash")
        for wrong in ("model", "wide"):
            self.refuse("--fit", "--fit", wrong)

    def test_the_same_pictures_give_the_same_file(self):
        self.write_data()
        self.teach()
        with open(self.out, "rb") as file:
            first = file.read()
        self.teach("--threads", "3")
        with open(self.out, "rb") as file:
            self.assertEqual(file.read(), first)

    def test_other_networks(self):
        self.write_data()
        weights = self.path("weights.safetensors")

        def distilled():
            return self.write_distilled()

        def t2t():
            t2t_model.write_weights(weights)
            return weights

        def mean():
            random_model.write_teacher(weights, pooling="mean")
            return weights

        def quantised():
            self.succeed("import", self.model, "--precision", "int8", "-o", weights)
            return weights

        def sigmoid():
            self.succeed("import", self.model, "--activation", "sigmoid", "-o", weights)
            return weights

        for make in (distilled, t2t, mean, quantised, sigmoid):
            with self.subTest(make.__name__):
                self.teach(model=make())
                info = json.loads(self.succeed("inspect", "--json", self.out))
                self.assertEqual(info["activation"], "softmax")
                scores = self.classify(self.path("data", "open", "00.png"))
                self.assertEqual(max(scores, key=scores.get), "open")
                self.assertAlmostEqual(sum(scores.values()), 1, 5)

    def test_both_heads_of_a_distilled_model_are_taught(self):
        self.write_data()
        self.teach(model=self.write_distilled())
        entries, _ = describe(self.out)
        self.assertEqual(entries["head_dist.weight"][1], [3, random_model.DIM])
        self.assertNotEqual(entries["head.weight"][2], entries["head_dist.weight"][2])

    def test_mirror_images_do_not_count_where_left_and_right_matter(self):
        rng = random.Random(6)
        for label in ("left", "right"):
            os.makedirs(self.path("data", label))
            for i in range(10):
                colours = [[rng.randrange(180, 256), rng.randrange(60), rng.randrange(60)],
                           [rng.randrange(60), rng.randrange(60), rng.randrange(180, 256)]]
                rows = [colours[(x < 20) == (label == "right")] for _ in range(40)
                        for x in range(40)]
                colour_model.write_png(self.path("data", label, f"{i}0.png"), 40,
                                       bytes(v for pixel in rows for v in pixel))
        self.assertEqual(self.teach()["views"], 1)

    def test_many_pictures_are_seen_once_each(self):
        def write(first, end):
            for i in range(first, end):
                label = ("dark", "light")[i % 2]
                os.makedirs(self.path("data", label), exist_ok=True)
                pixel = bytes([i % 2 * 128 + i // 2 % 100, i // 200, 7])
                colour_model.write_png(self.path("data", label, f"{i}.png"), 2, pixel * 4)

        write(0, 1000)
        found = self.teach("--group-by", "none")
        self.assertEqual((found["pictures"], found["views_seen"]), (1000, 2))
        write(1000, 1001)
        found = self.teach("--group-by", "none")
        self.assertEqual((found["pictures"], found["views_seen"], found["views"]), (1001, 1, 1))

    def test_the_score_for_unknown_pictures(self):
        self.write_data(12)
        self.write_class("empty", 6, folder="others")
        found = self.teach("--others", self.path("others"))
        self.assertEqual(found["unknown"]["others"], 6)
        self.assertGreater(found["unknown"]["auroc"], 0.5)
        self.assertLess(found["unknown"]["median"], found["unknown"]["limit"])
        self.assertIn("unknown.whitening", describe(self.out)[0])

    def test_the_text_names_what_matters(self):
        self.write_data(names="{:02}0.png")
        shutil.move(self.path("data", "open", "030.png"), self.path("data", "closed", "wrong.png"))
        text = self.succeed("teach", "--model", self.model, "--data", self.data, "-o", self.out)
        self.assertIn("18 pictures in 18 groups", text)
        self.assertRegex(text, r"Top-1 \d+\.\d % \(95 % interval")
        self.assertRegex(text, r"data/closed/wrong\.png: closed \d+ %, open \d+ %")
        self.assertIn("What would help most", text)
        self.assertIn("Written to " + self.out, text)


class AddTest(TeachCase):
    def scores(self, paths):
        return [self.classify(path) for path in paths]

    def check_close(self, found, expected):
        for one, other in zip(found, expected):
            self.assertEqual(one.keys(), other.keys())
            for label, score in one.items():
                self.assertAlmostEqual(score, other[label], delta=0.03)

    def test_teaching_in_two_steps_is_like_teaching_at_once(self):
        self.write_data(6)
        self.write_data(4, folder="more", seed=5, names="more{:02}.png")
        self.write_class("empty", 5, folder="more")
        probes = [p for label in COLOURS for p in self.write_class(label, 2, "new", seed=77)]
        once = self.teach("--data", self.path("more"))
        expected = self.scores(probes)
        self.teach()
        step = self.path("step.safetensors")
        os.rename(self.out, step)
        found = self.teach("--add", model=step, data=self.path("more"))
        self.assertEqual((found["pictures"], found["taught_before"]), (35, 18))
        self.assertEqual(describe(self.out)[1]["teach"]["base_bytes"],
                         describe(step)[1]["teach"]["base_bytes"])
        self.assertEqual([c["label"] for c in found["classes"]],
                         ["closed", "empty", "half", "open"])
        for member in ("classes", "views", "folds"):
            self.assertEqual(found[member], once[member])
        self.check_close(self.scores(probes), expected)

    def test_pictures_that_were_taught_before_count_once(self):
        self.write_data(4)
        self.teach()
        shutil.copy(self.out, self.path("step"))
        found = self.teach("--add", model=self.path("step"))
        self.assertEqual((found["pictures"], found["known"]), (12, 12))
        shutil.move(self.path("data", "open", "00.png"), self.path("data", "closed", "moved.png"))
        self.model = self.path("step")
        os.remove(self.out)
        self.refuse('shows "closed", but the model was taught the same picture as "open"', "--add")

    def test_one_picture_is_enough_for_a_known_class(self):
        self.write_data(4)
        self.teach()
        shutil.copy(self.out, self.path("step"))
        self.write_class("open", 1, folder="more", seed=4)
        self.assertEqual(self.teach("--add", model=self.path("step"),
                                    data=self.path("more"))["pictures"], 13)

    def test_models_that_store_nothing(self):
        self.write_data(4)
        self.refuse("stores no features, so --add cannot continue", "--add")
        self.teach("--forget-features")
        entries, description = describe(self.out)
        self.assertNotIn("teach", description)
        self.assertNotIn("teach.features", entries)
        forgetful = self.path("forgetful.safetensors")
        os.rename(self.out, forgetful)
        self.model = forgetful
        self.refuse("--forget-features", "--add")

    def test_a_damaged_record_is_an_error(self):
        self.write_data(4)
        self.teach()
        _, metadata = colour_model.read_safetensors(self.out)
        with open(self.out, "rb") as file:
            content = file.read()
        good = json.loads(metadata["vitgate"])["teach"]["hashes"]
        step = self.path("step.safetensors")
        for bad in ("x" + good[1:], ):
            with open(step, "wb") as file:
                file.write(content.replace(good.encode(), bad.encode()))
            os.remove(self.out)
            self.model = step
            self.refuse("metadata field 'teach' is not as vitgate teach writes it", "--add")

    def test_add_needs_the_model(self):
        self.write_data(4)
        self.fail_with("--add needs --model", "teach", "--data", self.data, "--add")


class MultiLabelTest(TeachCase):
    def write_several(self):
        """Pictures of red and green halves: both, one or none"""
        rng = random.Random(3)
        lines = []
        os.makedirs(self.data)
        for i in range(24):
            left, right = i % 2, i // 2 % 2
            colours = [(210, 30, 30) if left else (90, 90, 90),
                       (30, 210, 30) if right else (90, 90, 90)]
            rows = [[min(255, max(0, c + rng.randrange(-20, 20))) for c in colours[x >= 20]]
                    for _ in range(40) for x in range(40)]
            colour_model.write_png(self.path("data", f"{i:02}.png"), 40,
                                   bytes(v for pixel in rows for v in pixel))
            shown = ",".join(name for name, there in (("red", left), ("green", right)) if there)
            lines.append((f"{i:02}.png", -1, shown or "-"))
        return lines

    def test_labels_tsv_lists_several_classes(self):
        self.write_labels_tsv("data", self.write_several())
        found = self.teach("--multi-label")
        self.assertEqual((found["activation"], found["pictures"]), ("sigmoid", 24))
        self.assertEqual([c["pictures"] for c in found["classes"]], [12, 12])
        self.assertGreater(found["all_right"], 80)
        _, description = describe(self.out)
        self.assertEqual(len(description["thresholds"]), 2)
        self.assertNotIn("unknown", description)
        both = self.classify(self.path("data", "03.png"))
        self.assertGreater(min(both.values()), 0.5)
        self.assertLess(max(self.classify(self.path("data", "00.png")).values()), 0.5)

    def test_a_picture_may_be_in_several_folders(self):
        self.write_data(5, labels=("open", "closed"))
        for i in range(3):
            shutil.copy(self.path("data", "open", f"{i:02}.png"),
                        self.path("data", "closed", f"copy{i}.png"))
        found = self.teach("--multi-label")
        self.assertEqual(found["pictures"], 10)
        self.assertEqual({c["label"]: c["pictures"] for c in found["classes"]},
                         {"closed": 8, "open": 5})

    def test_several_classes_need_the_option(self):
        self.write_labels_tsv("data", self.write_several())
        self.refuse("--multi-label teaches classes that do not exclude each other")
        self.refuse("--others measures", "--multi-label", "--others", self.data)

    def test_adding_keeps_the_kind(self):
        self.write_labels_tsv("data", self.write_several())
        self.teach("--multi-label")
        shutil.copy(self.out, self.path("step"))
        found = self.teach("--add", model=self.path("step"))
        self.assertEqual((found["activation"], found["known"]), ("sigmoid", 24))


class FileTest(TeachCase):
    def test_a_full_disk_leaves_what_is_there(self):
        self.write_data(3)
        with open(self.out, "w", encoding="utf-8") as file:
            file.write("mine")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))

        self.fail_with(self.out, "teach", "--model", self.model, "--data", self.data, "-o",
                       self.out, preexec_fn=limit)
        with open(self.out, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")
        self.assertEqual([name for name in os.listdir(self.folder) if "taught" in name],
                         ["taught.safetensors"])

    def test_the_usual_name_is_not_replaced(self):
        self.write_data(3)
        arguments = ["teach", "--model", self.model, "--data", self.data]
        self.succeed(*arguments, cwd=self.folder)
        self.assertTrue(os.path.exists(self.out))
        self.fail_with("taught.safetensors: exists", *arguments, cwd=self.folder)
        self.succeed("teach", "--model", "taught.safetensors", "--add", "--data", self.data,
                     cwd=self.folder)

    def test_options_that_are_missing_or_wrong(self):
        self.write_data(3)
        self.fail_with("--data", "teach", "--model", self.model)
        self.refuse("--threads", "--threads", "0")
        self.refuse("absent", "--data", self.path("absent"))
        self.fail_with("absent", "teach", "--model", self.path("absent"), "--data", self.data,
                       "-o", self.out)
        self.fail_with("is a folder", "teach", "--model", self.model, "--data", self.data, "-o",
                       self.folder)

    def test_the_file_grows_little(self):
        self.write_data(40, labels=("open", "closed"))
        random_model.write_teacher(self.model, depth=12)
        found = self.teach()
        self.assertLess(found["bytes"], 1.05 * os.path.getsize(self.model))
        self.assertEqual(found["stored_pictures"], 80)


if __name__ == "__main__":
    unittest.main()
