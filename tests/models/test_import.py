#!/usr/bin/env python3
"""Tests vitgate import with the same network under the tensor names of every publisher."""

import json
import os
import pickle
import random
import unittest
import zipfile

import colour_model
import dialects
import random_model
from import_case import ImportCase


class NamesTest(ImportCase):
    def test_a_common_prefix_is_removed(self):
        timm = dialects.timm()
        for prefix in ("model.", "module.", "state_dict_ema.", "state_dict.module."):
            with self.subTest(prefix):
                text, description = self.assert_becomes(timm, dialects.prefixed(timm, prefix))
                self.assertIn(f"timm's names, all with the prefix {prefix}", text)
                self.assertEqual(description["layer_norm_eps"], 1e-6)

    def test_averaged_weights_are_preferred_to_the_last_weights(self):
        last, mean = dialects.timm(seed=1), dialects.timm(seed=2)
        both = {
            **dialects.prefixed(last, "state_dict."),
            **dialects.prefixed(mean, "state_dict_ema."),
            "optimizer.step": ([1], [7.0]),
        }
        text, _ = self.assert_becomes(mean, both)
        for name in ("optimizer.step", "state_dict.cls_token"):
            self.assertIn(name, text)

    def test_vit_of_hugging_face(self):
        timm = dialects.timm()
        text, description = self.assert_becomes(timm, dialects.hugging_face(timm))
        self.assertIn("Hugging Face's names (ViT)", text)
        self.assertEqual(description["layer_norm_eps"], 1e-12)

    def test_deit_of_hugging_face_with_and_without_teacher(self):
        for distilled in (False, True):
            with self.subTest(distilled=distilled):
                timm = dialects.timm(distilled=distilled)
                text, description = self.assert_becomes(
                    timm, dialects.hugging_face(timm, "deit")
                )
                self.assertIn("Hugging Face's names (DeiT)", text)
                self.assertEqual(description["distilled"], distilled)

    def test_a_distilled_deit_of_hugging_face_with_one_head(self):
        """DeiTForImageClassification: the head reads the class token, the other token has none"""
        one = dialects.timm(distilled=True)
        for part in ("weight", "bias"):
            del one[f"head_dist.{part}"]
        colour_model.write_picture(self.path("a.png"), (1, 0, 1))
        random_model.write_picture(self.path("b.png"), random.Random(3))

        def scores(model):
            text = self.succeed("classify", "--json", "--precision", "float32", "--model", model,
                                self.path("a.png"), self.path("b.png"))
            return [[(entry["index"], entry["score"]) for entry in image["classes"]]
                    for image in json.loads(text)["images"]]

        def complete(entries, name):
            out = self.path(name)
            self.succeed("import", self.write(entries), *dialects.HEADS_OPTION, "--name", "one",
                         "-o", out)
            return out

        model = complete(dialects.hugging_face(one, "deit"), "one.safetensors")
        _, metadata = colour_model.read_safetensors(model)
        description = json.loads(metadata["vitgate"])
        self.assertTrue(description["distilled"])
        self.assertFalse(description["distillation_head"])
        self.assertIn("distilled with one head", self.succeed("inspect", model))
        self.assertEqual(json.loads(self.succeed("inspect", "--json", model))["class_heads"], 1)
        two = complete(dialects.two_heads(one), "two.safetensors")
        # Hugging Face's norms have another epsilon than timm's.
        for path, eps in ((model, 1e-12), (two, 1e-6)):
            tensors, metadata = colour_model.read_safetensors(path)
            self.assertEqual(json.loads(metadata["vitgate"])["layer_norm_eps"], eps)
        found = scores(model)
        for image, expected in zip(found, scores(two)):
            for (index, score), (other, wanted) in zip(image, expected):
                self.assertEqual(index, other)
                self.assertAlmostEqual(score, wanted, 5)
        exported = self.path("exported.safetensors")
        self.succeed("export", model, "-o", exported)
        as_timm = self.write(dialects.two_heads(one), "as-timm.safetensors")
        self.assertEqual(colour_model.read_safetensors(exported)[0],
                         colour_model.read_safetensors(as_timm)[0])

    def test_a_missing_head_is_no_model_with_one_head(self):
        """Only Hugging Face's class DeiTForImageClassification has one head"""
        entries = dialects.timm(distilled=True)
        del entries["head_dist.weight"], entries["head_dist.bias"]
        with_teacher = dialects.hugging_face(dialects.timm(distilled=True), "deit")
        del with_teacher["distillation_classifier.weight"]
        for name, weights in (("timm", entries), ("Hugging Face", with_teacher)):
            with self.subTest(name):
                self.fail_with("'head_dist.weight' is missing", "import", self.write(weights),
                               *dialects.HEADS_OPTION, "-o", self.path("out.safetensors"))

    def test_tensors_that_a_classifier_does_not_use_are_skipped_and_named(self):
        timm = dialects.timm()
        entries = dialects.hugging_face(timm)
        entries["vit.pooler.dense.weight"] = ([2, 2], [0.0] * 4)
        entries["vit.embeddings.mask_token"] = ([1, 1, 2], [0.0] * 2)
        text, _ = self.assert_becomes(timm, entries)
        for name in ("vit.pooler.dense.weight", "vit.embeddings.mask_token"):
            self.assertIn(name, text)

    def test_weights_with_other_names_run_without_import(self):
        picture = self.path("picture.png")
        colour_model.write_picture(picture, (1, 0, 0))
        entries = dialects.prefixed(colour_model.tensors(), "module.")
        text = self.succeed("classify", "--model", self.write(entries), picture, notes=1)
        self.assertEqual(text, self.succeed("classify", "--model", self.weights, picture, notes=1))


class VariantTest(ImportCase):
    def scaled(self, names):
        timm = dialects.timm()
        for block in range(3):
            for i, name in enumerate(names):
                timm[f"blocks.{block}.{name}"] = ([32], [0.5 + i] * 32)
        return timm

    def folded(self):
        timm = dialects.timm()
        for block in range(3):
            for layer, scale in (("attn.proj", 0.5), ("mlp.fc2", 1.5)):
                for part in ("weight", "bias"):
                    shape, values = timm[f"blocks.{block}.{layer}.{part}"]
                    # The scale is applied to the value after rounding to float32.
                    timm[f"blocks.{block}.{layer}.{part}"] = shape, [
                        scale * dialects.as_float32(v) for v in values
                    ]
        return timm

    def test_layer_scale_is_stored_separately_and_counted_as_folded(self):
        picture, model = self.path("picture.png"), self.path("imported.safetensors")
        colour_model.write_picture(picture, (1, 0, 0))
        self.import_model(self.folded())
        expected = self.succeed("classify", "--model", model, picture, notes=1)
        timm = self.write(self.scaled(("ls1.gamma", "ls2.gamma")), "timm.safetensors")
        for names in (("ls1.gamma", "ls2.gamma"), ("gamma_1", "gamma_2")):
            with self.subTest(names[0]):
                text, tensors, description = self.import_model(self.scaled(names))
                self.assertIn("LayerScale", text)
                self.assertTrue(description["layer_scale"])
                self.assertEqual(tensors, colour_model.read_safetensors(timm)[0])
                self.assertEqual(expected,
                                 self.succeed("classify", "--model", model, picture, notes=1))

    def test_a_scale_that_does_not_fit_or_is_missing_is_named(self):
        entries = self.scaled(("ls1.gamma", "ls2.gamma"))
        entries["blocks.1.ls1.gamma"] = ([31], [1.0] * 31)
        arguments = [*dialects.HEADS_OPTION, "-o", "out"]
        part = "'blocks.1.ls1.gamma' is [31]"
        self.fail_with(part, "import", self.write(entries), *arguments)
        del entries["blocks.1.ls1.gamma"]
        part = "'blocks.1.ls1.gamma' is missing"
        self.fail_with(part, "import", self.write(entries), *arguments)

    def test_the_class_token_gets_a_position_of_zeros(self):
        timm = dialects.timm()
        shape, values = timm["pos_embed"]
        timm["pos_embed"] = ([1, shape[1] - 1, 32], values[32:])
        text, tensors, _ = self.import_model(timm)
        self.assertIn("has no position", text)
        _, shape, content = tensors["pos_embed"]
        self.assertEqual(shape, [1, 17, 32])
        self.assertEqual(content[: 4 * 32], bytes(4 * 32))

    def pooled(self):
        timm = dialects.timm()
        for part in ("weight", "bias"):
            timm["fc_norm." + part] = timm.pop("norm." + part)
        return timm

    def test_fc_norm_implies_the_mean_of_all_patches(self):
        text, _, description = self.import_model(self.pooled())
        self.assertEqual(description["pooling"], "mean")
        self.assertIn("mean of all patches", text)
        model = self.path("imported.safetensors")
        self.assertIn("17 tokens", self.succeed("inspect", model))

    def test_fc_norm_of_the_class_token_is_its_norm(self):
        with open(self.path("config.json"), "w", encoding="utf-8") as file:
            json.dump({"global_pool": "token"}, file)
        _, tensors, description = self.import_model(self.pooled())
        self.assertEqual(description["pooling"], "class-token")
        self.assertIn("norm.weight", tensors)

    def test_a_mean_of_normalised_tokens_is_rejected(self):
        with open(self.path("config.json"), "w", encoding="utf-8") as file:
            json.dump({"global_pool": "avg"}, file)
        entries = self.write(dialects.timm())
        part = "field 'global_pool' is \"avg\", expected token"
        self.fail_with(part, "import", entries, *dialects.HEADS_OPTION, "-o", "out")


class SizeTest(ImportCase):
    def test_another_image_size_changes_only_positions(self):
        timm = dialects.timm()
        text, tensors, description = self.import_model(timm, "--image-size", "48")
        self.assertIn("48 x 48", text)
        self.assertEqual(description["image_size"], 48)
        self.assertEqual(description["preprocessing"]["resize"], 54)
        expected, _ = colour_model.read_safetensors(self.write(timm))
        for name, entry in expected.items():
            if name != "pos_embed":
                self.assertEqual(tensors[name], entry, name)
        _, shape, content = tensors["pos_embed"]
        self.assertEqual(shape, [1, 37, 32])
        self.assertEqual(content[:128], expected["pos_embed"][2][:128])  # the class token's
        self.succeed("inspect", self.path("imported.safetensors"))

    def test_the_same_size_changes_nothing(self):
        timm = dialects.timm()
        _, tensors, _ = self.import_model(timm, "--image-size", "32")
        self.assertEqual(tensors, colour_model.read_safetensors(self.write(timm))[0])

    def test_invalid_sizes(self):
        path = self.write(dialects.timm())
        for size, part in (("50", "a multiple of the patch size 8"), ("-8", "--image-size")):
            with self.subTest(size):
                arguments = (*dialects.HEADS_OPTION, "--image-size", size, "-o", "out")
                self.fail_with(part, "import", path, *arguments)

    def test_a_size_beyond_memory_is_rejected_with_the_amount(self):
        timm = dialects.timm()
        timm["patch_embed.proj.weight"] = ([32, 3, 1, 1], [0.5] * 96)
        arguments = (*dialects.HEADS_OPTION, "--image-size", "4096", "-o", "out")
        text = self.fail_with("16777217 tokens, which need", "import", self.write(timm), *arguments)
        self.assertEqual(text, "")

    def test_every_usual_patch_size(self):
        for patch in (8, 14, 16, 32):
            with self.subTest(patch):
                timm = dialects.timm()
                n = 32 * 3 * patch * patch
                timm["patch_embed.proj.weight"] = ([32, 3, patch, patch], [0.01] * n)
                _, _, description = self.import_model(timm)
                self.assertEqual(description["patch_size"], patch)
                self.assertEqual(description["image_size"], 4 * patch)


class ShardsTest(ImportCase):
    def write_shards(self, **changes):
        """Writes two shards and their index; changes: of the index"""
        timm = dialects.timm()
        places = {}
        folder = self.path("sharded")
        os.makedirs(folder, exist_ok=True)
        for i in range(2):
            name = f"model-0000{i + 1}-of-00002.safetensors"
            part = dict(list(timm.items())[i::2])
            self.write(part, "sharded/" + name)
            places.update(dict.fromkeys(part, name))
        places.update(changes)
        with open(folder + "/model.safetensors.index.json", "w", encoding="utf-8") as file:
            json.dump({"metadata": {"total_size": 1}, "weight_map": places}, file)
        return timm, folder

    def test_shards_form_one_model(self):
        timm, folder = self.write_shards()
        out = self.path("out.safetensors")
        self.succeed("import", folder, *dialects.HEADS_OPTION, "-o", out)
        expected, _ = colour_model.read_safetensors(self.write(timm))
        self.assertEqual(colour_model.read_safetensors(out)[0], expected)

    def test_a_missing_shard_is_named(self):
        _, folder = self.write_shards()
        os.remove(folder + "/model-00002-of-00002.safetensors")
        part = "'model-00002-of-00002.safetensors' is missing"
        self.fail_with(part, "import", folder, "-o", "out")

    def test_a_shard_in_another_folder_is_rejected(self):
        _, folder = self.write_shards(cls_token="../published.safetensors")
        self.fail_with("'../published.safetensors'", "import", folder, "-o", "out")

    def test_a_tensor_missing_from_its_shard_is_named(self):
        first = "model-00001-of-00002.safetensors"
        _, folder = self.write_shards(**{"head.bias": first, "norm.bias": first})
        self.fail_with("is not in the shard", "import", folder, "-o", "out")


class ForeignTest(ImportCase):
    """Files in another format than expected"""

    def refuse(self, parts, content, name="weights.pth"):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content)
        for command in (["import", path, "-o", self.path("out")], ["inspect", path]):
            for part in parts:
                self.fail_with(part, *command)

    def test_pickles_are_recognised_and_not_opened(self):
        archive = self.path("archive")
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("archive/data.pkl", pickle.dumps({"a": 1}, protocol=2))
        with open(archive, "rb") as file:
            zipped = file.read()
        for content in (zipped, pickle.dumps({"model": list(range(100))}, protocol=2)):
            self.refuse(["pickled", "weights_only=True", "save_file"], content)

    def test_a_folder_with_only_a_pickle_is_reported(self):
        os.mkdir(self.path("hub"))
        with open(self.path("hub", "pytorch_model.bin"), "wb") as file:
            file.write(b"PK")
        self.fail_with("pytorch_model.bin: is pickled", "import", self.path("hub"), "-o", "out")

    def test_a_pointer_of_git_lfs_is_recognised(self):
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 88215936\n"
        self.refuse(["Git LFS pointer", "git lfs pull"], pointer, "model.safetensors")


class RefusalTest(ImportCase):
    def refuse(self, part, entries):
        out = self.path("out.safetensors")
        self.fail_with(part, "import", self.write(entries), *dialects.HEADS_OPTION, "-o", out)
        self.assertFalse(os.path.exists(out))

    def test_an_unknown_tensor_is_named(self):
        entries = dialects.hugging_face(dialects.timm())
        entries["vit.encoder.layer.0.attention.adapter.weight"] = ([2, 2], [0.0] * 4)
        self.refuse("vit.encoder.layer.0.attention.adapter.weight", entries)

    def test_another_family_is_reported_with_the_supported_ones(self):
        for prefix in ("swin.", "features.0."):
            with self.subTest(prefix):
                entries = dialects.prefixed(dialects.timm(), prefix)
                self.refuse("not a ViT, DeiT or T2T-ViT", entries)
                self.refuse(prefix, entries)
                self.refuse("expected a ViT or DeiT", entries)

    def test_two_networks_in_one_file_are_ambiguous(self):
        timm = dialects.timm()
        for other in (dialects.prefixed(timm, "module."), dialects.hugging_face(timm)):
            self.refuse("more than one network", {**timm, **other})

    def test_a_network_without_a_class_token_is_reported(self):
        entries = dialects.timm()
        del entries["cls_token"]
        self.refuse("'cls_token'", entries)

    def test_fewer_names_than_classes_are_rejected(self):
        with open(self.labels, "w", encoding="utf-8") as file:
            file.write("one\ntwo\n")
        path = self.write(dialects.timm())
        arguments = (*dialects.HEADS_OPTION, "--labels", self.labels, "-o", "out")
        self.fail_with("expected 5", "import", path, *arguments)

    def test_a_missing_key_is_named(self):
        entries = dialects.hugging_face(dialects.timm())
        del entries["vit.encoder.layer.1.attention.attention.key.bias"]
        self.refuse("blocks.1.attn.key.bias", entries)

    def test_a_network_without_a_head_is_reported(self):
        entries = dialects.hugging_face(dialects.timm())
        del entries["classifier.weight"], entries["classifier.bias"]
        self.refuse("no tensor 'head.weight'", entries)


if __name__ == "__main__":
    unittest.main()
