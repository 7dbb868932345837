#!/usr/bin/env python3
"""Tests models whose classes have probabilities of their own, so that any number may apply."""

import json
import os
import unittest

import colour_model
import dialects
import random_model
from command_case import CommandTest


class SigmoidCase(CommandTest):
    """A model with the classes red, green and blue, and pictures of one colour"""

    def setUp(self):
        super().setUp()
        self.model = self.path("channels.safetensors")
        weights = self.path("channel-weights.safetensors")
        labels = self.path("channels.txt")
        with open(labels, "w", encoding="utf-8") as file:
            file.write("".join(f"c{i}\t{name}\n" for i, name in enumerate(colour_model.CHANNELS)))
        colour_model.write_safetensors(weights, colour_model.channel_tensors())
        self.succeed("import", weights, "--activation", "sigmoid", "--labels", labels, "-o",
                     self.model)

    def shown(self, colour):
        """Returns the channels of a colour of the cube"""
        corner = next(corner for name, *corner in colour_model.COLOURS if name == colour)
        return {name for name, there in zip(colour_model.CHANNELS, corner) if there}

    def write_data(self, lists=None):
        """Writes the pictures and a labels.tsv; @lists: by colour, instead of what is true"""
        self.write_colours("data")
        lines = []
        for name, *corner in colour_model.COLOURS:
            channels = [str(i) for i, there in enumerate(corner) if there]
            lines.append((name + ".png", (lists or {}).get(name, ",".join(channels) or "-1"), "-"))
        self.write_labels_tsv("data", lines)

    def evaluate(self, *arguments, model=None, **options):
        return json.loads(self.succeed("eval", "--json", "--data", self.path("data"), *arguments,
                                       model or self.model, **options))


class ImportTest(CommandTest):
    def write_folder(self, n_classes=5, **config):
        """Writes a folder as downloaded from Hugging Face"""
        folder = self.path("hub")
        os.makedirs(folder, exist_ok=True)
        entries = dialects.timm()
        for part in ("weight", "bias"):
            shape, values = entries[f"head.{part}"]
            n = len(values) // shape[0] * n_classes
            entries[f"head.{part}"] = ([n_classes] + shape[1:], values[:n])
        entries = dialects.hugging_face(entries)
        colour_model.write_safetensors(folder + "/model.safetensors", entries)
        with open(folder + "/config.json", "w", encoding="utf-8") as file:
            heads = random_model.HEADS
            json.dump({"model_type": "vit", "num_attention_heads": heads, **config}, file)
        return folder

    def activation(self, *arguments):
        out = self.path("out.safetensors")
        self.succeed("import", *arguments, "-o", out)
        description = json.loads(colour_model.read_safetensors(out)[1]["vitgate"])
        found = json.loads(self.succeed("inspect", "--json", out))
        self.assertEqual(found["activation"], description.get("activation", "softmax"))
        return description.get("activation")

    def test_the_problem_type_decides(self):
        for problem, expected in (("multi_label_classification", "sigmoid"),
                                  ("single_label_classification", None), (None, None)):
            with self.subTest(problem):
                self.assertEqual(self.activation(self.write_folder(problem_type=problem)), expected)

    def test_other_problems_are_refused_with_the_name_of_the_field(self):
        for problem in ("regression", "ranking", 3):
            with self.subTest(problem):
                folder = self.write_folder(problem_type=problem)
                self.fail_with("'problem_type' is", "import", folder, "-o", self.path("out"))

    def test_a_single_class_has_a_sigmoid(self):
        for problem in (None, "single_label_classification"):
            folder = self.write_folder(n_classes=1, problem_type=problem)
            self.assertEqual(self.activation(folder), "sigmoid")
        self.fail_with("expected sigmoid for a single class", "import", folder, "--activation",
                       "softmax", "-o", self.path("out"))

    def test_the_option_decides_for_weights_that_do_not_say(self):
        self.assertIsNone(self.activation(self.weights))
        self.assertEqual(self.activation(self.weights, "--activation", "sigmoid"), "sigmoid")
        self.assertIn("each with a probability of its own",
                      self.succeed("inspect", self.path("out.safetensors")))
        self.fail_with('--activation is "relu"', "import", self.weights, "--activation", "relu",
                       "-o", self.path("out"))


class ClassifyTest(SigmoidCase):
    def classify(self, colour, *arguments):
        self.write_colours("data")
        text = self.succeed("classify", "--json", "--model", self.model, *arguments,
                            self.path("data", colour + ".png"))
        return json.loads(text)["images"][0]["classes"]

    def test_all_classes_above_a_half_are_listed(self):
        for colour, *_ in colour_model.COLOURS:
            with self.subTest(colour):
                classes = self.classify(colour)
                self.assertEqual({entry["label"] for entry in classes}, self.shown(colour))
                for entry in classes:
                    self.assertGreaterEqual(entry["score"], 0.5)

    def test_more_classes_than_five_are_listed(self):
        weights = self.path("eight.safetensors")
        colour_model.write_channels(weights, [0] * 8)
        self.model = weights
        self.assertEqual(len(self.classify("red")), 8)
        self.assertEqual(len(self.classify("red", "--top-k", "3")), 3)

    def test_the_threshold_can_be_set(self):
        self.assertEqual(len(self.classify("black", "--threshold", "0")), 3)
        self.assertEqual(self.classify("white", "--threshold", "1"), [])
        self.fail_with("--threshold must be from 0 to 1", "classify", "--threshold", "1.5", "x.png")

    def test_without_a_class_the_text_says_so(self):
        self.write_colours("data")
        text = self.succeed("classify", "--model", self.model, self.path("data", "black.png"))
        self.assertIn("no class reaches the threshold", text)

    def test_scores_are_the_sigmoids_of_a_softmax_model_s_logits(self):
        # With two classes, the softmax of (x, 0) is the sigmoid of x.
        entries = colour_model.channel_tensors([0, 1])
        entries["head.weight"] = ([2, 64], entries["head.weight"][1][:64] + [0.0] * 64)
        two, one = self.path("two.safetensors"), self.path("one.safetensors")
        colour_model.write_safetensors(two, entries)
        colour_model.write_safetensors(one, colour_model.channel_tensors([0]))
        for colour in ("red", "black"):
            self.model = two
            expected = next(e["score"] for e in self.classify(colour) if e["index"] == 0)
            self.model = one
            found = self.classify(colour, "--threshold", "0")
            self.assertAlmostEqual(found[0]["score"], expected, 6)


class EvalTest(SigmoidCase):
    def test_a_model_that_is_always_right(self):
        self.write_data()
        overall = self.evaluate()["overall"]
        self.assertEqual(overall["labelled"], 8)
        self.assertEqual(overall["mean_average_precision"], 100)
        self.assertEqual([entry["photographs"] for entry in overall["classes"]], [4, 4, 4])

    def test_mean_average_precision_with_wrong_labels(self):
        # Blue's scores, best first: of blue, cyan, magenta, white, then of the others. Red is said
        # to show it too, so the ranks of the five that show it are 1 to 4 and one below.
        self.write_data({"red": "0,2"})
        overall = self.evaluate()["overall"]
        found = {entry["label"]: entry["average_precision"] for entry in overall["classes"]}
        self.assertEqual((found["red"], found["green"]), (100, 100))
        self.assertIn(round(found["blue"], 6),
                      {round(100 * (4 + 5 / rank) / 5, 6) for rank in (5, 6, 7, 8)} - {100})
        self.assertAlmostEqual(overall["mean_average_precision"], (200 + found["blue"]) / 3, 6)

    def test_ids_may_be_listed_too(self):
        self.write_colours("data")
        self.write_labels_tsv("data", [("yellow.png", "-1", "c0, c1"), ("black.png", -1, "-"),
                                       ("white.png", -1, "c2,unknown,c0,c1")])
        overall = self.evaluate()["overall"]
        self.assertEqual(overall["labelled"], 3)
        self.assertEqual([entry["photographs"] for entry in overall["classes"]], [2, 2, 1])
        self.assertEqual(overall["mean_average_precision"], 100)

    def test_ids_alone_say_nothing_to_a_model_without_ids(self):
        model = self.path("nameless.safetensors")
        colour_model.write_channels(model)
        self.write_colours("data")
        with open(self.path("data", "labels.tsv"), "w", encoding="utf-8") as file:
            file.write("file\twnid\nred.png\tc0\nblue.png\tc2\nblack.png\t-\n")
        overall = self.evaluate(model=model)["overall"]
        self.assertEqual((overall["labelled"], overall["mean_average_precision"]), (1, None))
        self.assertEqual(self.evaluate()["overall"]["labelled"], 3)

    def test_folders_name_the_only_class(self):
        self.write_colours("data", [f"{name}/x.png" for name in ("none", "blue", "green", "cyan",
                                                                   "red", "a", "b", "c")])
        found = self.evaluate(notes=5)
        self.assertEqual(found["overall"]["labelled"], 8)
        self.assertEqual([entry["photographs"] for entry in found["overall"]["classes"]], [1, 1, 1])
        self.assertIsNone(found["folders"]["red"]["mean_average_precision"])

    def test_the_table_has_a_row_for_each_class(self):
        self.write_data()
        text = self.succeed("eval", "--data", self.path("data"), self.model)
        self.assertRegex(text, r"(?m)^all +8 +100\.0$")
        for name in colour_model.CHANNELS:
            self.assertRegex(text, rf"(?m)^{name} +4 +100\.0$")

    def test_the_reference_must_give_all_the_same_labels(self):
        self.write_data()
        self.assertEqual(self.evaluate("--reference", self.model)["agreement"], 100)
        entries = colour_model.channel_tensors()
        entries["head.bias"] = ([3], [0.0, 0.0, 100.0])
        other = self.path("other.safetensors")
        colour_model.write_safetensors(other, entries, {"activation": "sigmoid"})
        self.assertEqual(self.evaluate("--reference", other)["agreement"], 50)

    def test_a_list_is_an_error_if_classes_exclude_each_other(self):
        self.write_data()
        model = self.complete_model()
        for line in (("cyan.png", "1,2", "-"), ("cyan.png", "-1", "n00000001,n00000002")):
            self.write_labels_tsv("data", [line])
            self.fail_with("gives cyan.png several classes", "eval", "--data", self.path("data"),
                           model)

    def test_a_bad_list_is_named_with_its_line(self):
        for text in ("1,,2", "1,-1", "a,1"):
            with self.subTest(text):
                self.write_data({"cyan": text})
                self.fail_with("line 5: expected a class index", "eval", "--data",
                               self.path("data"), self.model)


class OtherCommandsTest(SigmoidCase):
    def test_an_export_keeps_the_activation(self):
        out = self.path("exported.safetensors")
        self.assertIn("sigmoid of its logit", self.succeed("export", self.model, "-o", out))
        self.assertEqual(colour_model.read_safetensors(out)[1]["activation"], "sigmoid")
        found = json.loads(self.succeed("inspect", "--json", out))
        self.assertEqual(found["activation"], "sigmoid")
        self.succeed("export", self.complete_model(), "-o", out)
        self.assertNotIn("activation", colour_model.read_safetensors(out)[1])

    def test_an_onnx_file_names_the_activation(self):
        out = self.path("exported.onnx")
        self.succeed("export", "--onnx", self.model, "-o", out)
        with open(out, "rb") as file:
            # Field 14 (metadata_props): key and value.
            entry = b"\x0a\x0aactivation\x12\x07sigmoid"
            self.assertIn(b"\x72" + bytes([len(entry)]) + entry, file.read())

    def test_an_unknown_activation_in_weights_is_refused(self):
        path = self.path("tanh.safetensors")
        colour_model.write_safetensors(path, colour_model.channel_tensors(), {"activation": "tanh"})
        self.fail_with("metadata 'activation' is \"tanh\"", "inspect", path)

    def test_training_is_refused(self):
        self.write_data()
        data = ["--data", self.path("data"), "-o", self.path("out")]
        for command in (["compress", "--teacher", self.model, "--target", "0.5", "--steps", "1"],
                        ["train", "--from", self.model, "--steps", "1"]):
            self.fail_with("activation sigmoid", *command, *data)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_a_fresh_head_needs_two_classes(self):
        self.write_data()
        with open(self.path("one.txt"), "w", encoding="utf-8") as file:
            file.write("red\n")
        variant = ["--variant", "deit-tiny-patch16-224", "--classes", self.path("one.txt")]
        self.fail_with("1 class, expected at least 2", "train", *variant, "--steps", "1", "--data",
                       self.path("data"), "-o", self.path("out"))

    def test_precisions_are_compared_by_all_labels(self):
        self.write_data()
        out, shifted = self.path("measured.safetensors"), self.path("shifted.safetensors")
        entries = colour_model.channel_tensors()
        entries["head.bias"] = ([3], [0.0, 0.0, 100.0])
        colour_model.write_safetensors(shifted, entries, {"activation": "sigmoid"})
        text = self.succeed("import", self.model, "--data", self.path("data"), "--reference",
                            shifted, "-o", out)
        # Half of the pictures have no blue, which the reference always finds.
        self.assertIn("products in float32: 50.0 %", text)


if __name__ == "__main__":
    unittest.main()
