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
from command_case import CommandTest


class ImportCase(CommandTest):
    def write(self, entries, name="published.safetensors", metadata=None):
        path = self.path(name)
        colour_model.write_safetensors(path, entries, metadata or {"format": "pt"})
        return path

    def import_model(self, entries, *arguments):
        """Returns the output, and the tensors and description of the file written"""
        out = self.path("imported.safetensors")
        text = self.succeed(
            "import", self.write(entries), *dialects.HEADS_OPTION, "-o", out, *arguments
        )
        tensors, metadata = colour_model.read_safetensors(out)
        return text, tensors, json.loads(metadata["vitgate"])

    def assert_becomes(self, timm, entries):
        """Checks that @entries, with other names, are imported as the tensors of @timm"""
        text, tensors, description = self.import_model(entries)
        expected, _ = colour_model.read_safetensors(self.write(timm, "timm.safetensors"))
        self.assertEqual(tensors, expected)
        return text, description


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
        text = self.succeed("classify", "--model", self.write(entries), picture)
        self.assertEqual(text, self.succeed("classify", "--model", self.weights, picture))


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
        expected = self.succeed("classify", "--model", model, picture)
        timm = self.write(self.scaled(("ls1.gamma", "ls2.gamma")), "timm.safetensors")
        for names in (("ls1.gamma", "ls2.gamma"), ("gamma_1", "gamma_2")):
            with self.subTest(names[0]):
                text, tensors, description = self.import_model(self.scaled(names))
                self.assertIn("LayerScale", text)
                self.assertTrue(description["layer_scale"])
                self.assertEqual(tensors, colour_model.read_safetensors(timm)[0])
                self.assertEqual(self.succeed("classify", "--model", model, picture), expected)

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


class FolderTest(ImportCase):
    """A folder as downloaded from a hub: weights, config.json, preprocessor_config.json"""

    CONFIG = {
        "model_type": "vit",
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "image_size": 32,
        "patch_size": 8,
        "num_channels": 3,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "qkv_bias": True,
        "id2label": {str(i): f"name {i}" for i in range(5)},
    }
    PIXELS = {
        "do_resize": True,
        "size": {"height": 32, "width": 32},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 0.00392156862745098,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.3, 0.4],
    }

    def write_folder(self, config=None, pixels=None, entries=None):
        folder = self.path("vit-tiny")
        os.makedirs(folder, exist_ok=True)
        entries = entries or dialects.hugging_face(dialects.timm())
        self.write(entries, "vit-tiny/model.safetensors")
        for name, content in (("config", config), ("preprocessor_config", pixels)):
            path = os.path.join(folder, name + ".json")
            if os.path.exists(path):
                os.remove(path)
            if content is not None:
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(content, file)
        return folder

    def import_folder(self, *files, entries=None, arguments=()):
        out = self.path("imported.safetensors")
        self.succeed("import", self.write_folder(*files, entries), *arguments, "-o", out)
        return json.loads(colour_model.read_safetensors(out)[1]["vitgate"])

    def refuse(self, parts, config=None, pixels=None):
        folder = self.write_folder(config or self.CONFIG, pixels or self.PIXELS)
        out = self.path("out.safetensors")
        for part in parts:
            self.fail_with(part, "import", folder, "-o", out)
        self.assertFalse(os.path.exists(out))

    def test_everything_is_read_from_the_files_next_to_the_weights(self):
        description = self.import_folder(self.CONFIG, self.PIXELS)
        self.assertEqual(description["name"], "vit-tiny")
        self.assertEqual(description["head_dim"], 8)
        self.assertEqual(description["layer_norm_eps"], 1e-5)
        self.assertEqual(description["labels"], [f"name {i}" for i in range(5)])
        self.assertEqual(
            description["preprocessing"],
            {
                "fit": "squash",
                "resize": 32,
                "interpolation": "bilinear",
                "mean": [0.5, 0.4, 0.3],
                "std": [0.2, 0.3, 0.4],
            },
        )

    def test_placeholder_names_are_not_labels(self):
        config = {**self.CONFIG, "id2label": {str(i): f"LABEL_{i}" for i in range(5)}}
        self.assertNotIn("labels", self.import_folder(config, self.PIXELS))

    def test_crops_as_written_by_different_versions(self):
        for fit, resize, pixels in (
            ("squash", 36, {"size": 36, "do_center_crop": True, "crop_size": 32}),
            ("crop", 36, {"size": 36, "do_center_crop": True, "default_to_square": False}),
            ("crop", 36, {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}),
            ("crop", 36, {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
            ("squash", 32, {"size": {"height": 32, "width": 32}, "do_center_crop": False}),
            ("squash", 36, {"size": {"height": 36, "width": 36}, "do_center_crop": True}),
        ):
            with self.subTest(str(pixels)):
                pixels = {**pixels, "resample": 3}
                preprocessing = self.import_folder(self.CONFIG, pixels)["preprocessing"]
                self.assertEqual(preprocessing.get("fit", "crop"), fit)
                self.assertEqual(preprocessing["resize"], resize)
                self.assertEqual(preprocessing["interpolation"], "bicubic")
                self.assertEqual(preprocessing["mean"], [0.5, 0.5, 0.5])

    def test_each_processor_has_its_defaults(self):
        # What a number as size means, and the filter, if the file names only the processor.
        half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        known = {"size": 32, "do_center_crop": False, **half}
        for name, fit, interpolation in (
            ("ViTImageProcessor", "squash", "bilinear"),
            ("ViTFeatureExtractor", "squash", "bilinear"),
            ("DeiTImageProcessorFast", "squash", "bicubic"),
            ("CLIPImageProcessor", "crop", "bicubic"),
            ("BitImageProcessor", "crop", "bicubic"),
            ("ViTHybridImageProcessor", "crop", "bicubic"),
            ("SiglipImageProcessor", "squash", "bicubic"),
            ("ConvNextFeatureExtractor", "crop", "bicubic"),
        ):
            with self.subTest(name):
                field = "feature_extractor_type" if "Extractor" in name else "image_processor_type"
                pixels = {**known, field: name}
                preprocessing = self.import_folder(self.CONFIG, pixels)["preprocessing"]
                self.assertEqual(preprocessing.get("fit", "crop"), fit)
                self.assertEqual(preprocessing["interpolation"], interpolation)
                self.assertEqual(preprocessing["resize"], 36 if "Conv" in name else 32)
        # A DeiT crops without saying so, and squashes before it.
        pixels = {"image_processor_type": "DeiTImageProcessor", "size": 36, "crop_size": 32}
        preprocessing = self.import_folder(self.CONFIG, pixels)["preprocessing"]
        self.assertEqual((preprocessing["fit"], preprocessing["resize"]), ("squash", 36))
        self.assertEqual(preprocessing["mean"], [0.5] * 3)
        self.refuse(["'size' is absent, expected 32"],
                    pixels={"image_processor_type": "ViTImageProcessor"})
        self.refuse(["'image_mean' is absent"],
                    pixels={"image_processor_type": "CLIPImageProcessor", "size": 32})

    def test_large_images_of_convnext_s_processor_are_squashed(self):
        for size, fit, resize in ((384, "squash", 384), (376, "crop", 429)):
            pixels = {"size": {"shortest_edge": size}, "crop_pct": 0.875}
            entries = dialects.hugging_face(dialects.timm(image=size))
            config = {**self.CONFIG, "image_size": size}
            preprocessing = self.import_folder(config, pixels, entries=entries)["preprocessing"]
            self.assertEqual(preprocessing.get("fit", "crop"), fit)
            self.assertEqual(preprocessing["resize"], resize)

    def test_a_vit_without_a_processor_is_squashed(self):
        preprocessing = self.import_folder(self.CONFIG, None)["preprocessing"]
        self.assertEqual((preprocessing["fit"], preprocessing["resize"]), ("squash", 32))

    NAMES = [f"n{i}" for i in range(5)]
    TIMM = {
        "architecture": "vit_tiny_patch8_32",
        "num_classes": 5,
        "num_features": 32,
        "global_pool": "token",
        "label_names": NAMES,
        "label_descriptions": {name: "a " + name for name in NAMES},
        "pretrained_cfg": {
            "input_size": [3, 32, 32],
            "crop_pct": 0.9,
            "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "num_classes": 5,
        },
    }

    def import_timm(self, arguments=dialects.HEADS_OPTION, **changes):
        return self.import_folder({**self.TIMM, **changes}, None, entries=dialects.timm(),
                                  arguments=arguments)

    def refuse_timm(self, parts, **changes):
        folder = self.write_folder({**self.TIMM, **changes}, None, dialects.timm())
        for part in parts:
            self.fail_with(part, "import", folder, *dialects.HEADS_OPTION, "-o", self.path("out"))

    def test_crop_modes_of_timm(self):
        for mode, fit in (("center", "crop"), ("squash", "squash"), ("border", "letterbox")):
            cfg = {**self.TIMM["pretrained_cfg"], "crop_mode": mode}
            preprocessing = self.import_timm(pretrained_cfg=cfg)["preprocessing"]
            self.assertEqual(preprocessing.get("fit", "crop"), fit)
            self.assertEqual(preprocessing["resize"], 35)
        cfg = {**self.TIMM["pretrained_cfg"], "crop_mode": "random"}
        self.refuse_timm(["'crop_mode'", "expected center or squash or border"], pretrained_cfg=cfg)

    def test_arguments_of_timm_s_models(self):
        plain = self.import_timm()
        for arguments in (
            {},
            {"act_layer": "gelu", "img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 3},
            {"img_size": [32, 32], "class_token": True, "global_pool": "token", "drop_rate": 0.1},
            {"dynamic_img_size": True, "init_values": None, "norm_layer": None, "swiglu": False},
        ):
            with self.subTest(str(arguments)):
                self.assertEqual(self.import_timm(model_args=arguments), plain)
        heads = self.import_timm(arguments=(), model_args={"num_heads": 4})
        self.assertEqual(heads["head_dim"], 8)

    def test_an_argument_that_changes_the_network_is_refused(self):
        for name, value, expected in (
            ("act_layer", "quick_gelu", "expected gelu"),
            ("act_layer", "gelu_tanh", "expected gelu"),
            ("img_size", 48, "expected 32"),
            ("img_size", [32, 48], "expected 32"),
            ("embed_dim", 64, "expected 32"),
            ("depth", 12, "expected 3"),
            ("num_heads", "four", "a whole number"),
            ("class_token", False, "expected true"),
            ("global_pool", "map", "expected token or avg"),
            ("global_pool", "avg", "expected token"),
            ("qkv_bias", False, "expected true"),
            ("norm_layer", "rmsnorm", "expected no such argument"),
            ("pool_include_prefix", True, "expected no such argument"),
        ):
            with self.subTest(f"{name} {value}"):
                self.refuse_timm([f"model_args field '{name}' is", expected],
                                 model_args={name: value})
        self.refuse_timm(["'model_args' is 5, expected an object"], model_args=5)

    def test_a_folder_of_timm(self):
        names = self.NAMES
        description = self.import_timm()
        self.assertEqual(description["labels"], ["a " + name for name in names])
        self.assertEqual(description["label_ids"], names)
        self.assertEqual(description["preprocessing"]["resize"], 35)
        self.assertEqual(description["preprocessing"]["interpolation"], "bilinear")
        self.assertEqual(description["preprocessing"]["std"], [0.25, 0.25, 0.25])

    def test_the_engine_reads_the_files_next_to_a_model(self):
        folder = self.write_folder(self.CONFIG, self.PIXELS)
        found = json.loads(self.succeed("inspect", "--json", folder + "/model.safetensors"))
        self.assertEqual(found["blocks"][0]["heads"], 4)
        self.assertEqual(found["preprocessing"]["resize"], 32)

    def test_a_wrong_field_is_named_with_what_was_expected(self):
        for field, value, expected in (
            ("hidden_size", 64, "expected 32"),
            ("num_hidden_layers", 12, "expected 3"),
            ("num_attention_heads", 5, "do not divide into 5 heads"),
            ("intermediate_size", 128, "expected 64"),
            ("image_size", 224, "expected 32"),
            ("patch_size", 16, "expected 8"),
            ("num_channels", 1, "expected 3"),
            ("hidden_act", "quick_gelu", "expected gelu"),
            ("qkv_bias", False, "expected true"),
            ("layer_norm_eps", "small", "expected a number"),
            ("model_type", "swin", "expected vit or deit"),
            ("id2label", {"0": "one"}, "the length of field 'id2label' is 1, expected 5"),
        ):
            with self.subTest(field):
                parts = [expected] if field == "num_attention_heads" else [field, expected]
                self.refuse(parts, config={**self.CONFIG, field: value})

    def test_unsupported_pre_processing_is_rejected(self):
        for field, value, expected in (
            ("resample", 0, "expected 2 (bilinear) or 3 (bicubic)"),
            ("size", {"height": 32, "width": 48}, "equal height and width"),
            ("size", 48, "expected 32"),
            ("size", {"shortest_edge": 32, "longest_edge": 64}, "equal height and width"),
            ("size", {"max_height": 32, "max_width": 32}, "equal height and width"),
            ("do_rescale", False, "expected true"),
            ("do_rescale", "yes", "expected true or false"),
            ("do_resize", False, "expected true"),
            ("do_resize", 1, "expected true or false"),
            ("do_center_crop", "no", "expected true or false"),
            ("do_normalize", 0, "expected true or false"),
            ("do_pad", True, "expected false"),
            ("do_convert_grayscale", True, "expected false"),
            ("do_flip_channel_order", True, "expected false"),
            ("do_thumbnail", True, "expected false"),
            ("do_something_new", True, "expected false"),
            ("keep_aspect_ratio", True, "expected false"),
            ("image_processor_type", "DPTImageProcessor", "expected one of ViTImageProcessor"),
            ("feature_extractor_type", 5, "expected one of ViTImageProcessor"),
            ("image_mean", [0.5], "three numbers"),
        ):
            with self.subTest(field):
                self.refuse([field, expected], pixels={**self.PIXELS, field: value})

    def test_steps_that_are_off_or_change_nothing_are_accepted(self):
        plain = self.import_folder(self.CONFIG, self.PIXELS)
        more = {"do_pad": False, "do_flip_channel_order": None, "do_convert_rgb": True,
                "do_reduce_labels": False, "default_to_square": True, "input_data_format": None}
        self.assertEqual(self.import_folder(self.CONFIG, {**self.PIXELS, **more}), plain)

    def test_the_fit_can_be_chosen(self):
        for arguments, fit, resize in (
            ((), "squash", 32),
            (("--fit", "letterbox"), "letterbox", 32),
            (("--fit", "crop", "--resize", "40"), "crop", 40),
            (("--fit", "squash", "--resize", "36"), "squash", 36),
        ):
            found = self.import_folder(self.CONFIG, self.PIXELS, arguments=arguments)
            self.assertEqual(found["preprocessing"].get("fit", "crop"), fit)
            self.assertEqual(found["preprocessing"]["resize"], resize)
        folder = self.write_folder(self.CONFIG, self.PIXELS)
        self.fail_with('unknown fit "zoom"', "import", folder, "--fit", "zoom", "-o", "out")

    def test_inspect_tells_the_geometry(self):
        for arguments, part in (
            ((), "both sides resized to 32 (bilinear)"),
            (
                ("--fit", "letterbox"),
                "longer side resized to 32 (bilinear), the rest filled with the mean colour",
            ),
            (
                ("--fit", "crop", "--resize", "40"),
                "shorter side resized to 40 (bilinear), cropped to 32",
            ),
            (
                ("--fit", "squash", "--resize", "36"),
                "both sides resized to 36 (bilinear), cropped to 32",
            ),
        ):
            self.import_folder(self.CONFIG, self.PIXELS, arguments=arguments)
            text = self.succeed("inspect", self.path("imported.safetensors"))
            self.assertIn(part + ", patches", text)

    def test_a_config_that_is_not_json_is_rejected(self):
        folder = self.write_folder(self.CONFIG)
        with open(folder + "/config.json", "w", encoding="utf-8") as file:
            file.write("{")
        self.fail_with("config.json", "import", folder, "-o", self.path("out"))

    def test_an_empty_folder_is_reported(self):
        os.mkdir(self.path("empty"))
        self.fail_with("holds no model.safetensors", "import", self.path("empty"), "-o", "out")


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
