#!/usr/bin/env python3
"""Tests vitgate import with a folder from a hub: what its configuration says is done or refused."""

import json
import os
import unittest

import colour_model
import dialects
from import_case import ImportCase


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

    def test_commands_open_a_folder_as_import_does(self):
        picture = self.path("picture.png")
        colour_model.write_picture(picture, (1, 0, 0))
        folder = self.write_folder(self.CONFIG, self.PIXELS)
        out = self.path("imported.safetensors")
        self.succeed("import", folder, "-o", out)
        found = [json.loads(self.succeed("classify", "--json", "-m", model, picture))
                 for model in (folder, out)]
        self.assertEqual(*(result["images"][0]["classes"] for result in found))
        self.assertIn("name ", found[0]["images"][0]["classes"][0]["label"])
        inspected = [json.loads(self.succeed("inspect", "--json", model))
                     for model in (folder, out)]
        self.assertEqual(*(model["preprocessing"] for model in inspected))
        os.rename(folder + "/model.safetensors", folder + "/other.safetensors")
        self.fail_with("vit-tiny: holds no model.safetensors", "classify", "-m", folder, picture)

    def test_a_config_that_is_not_json_is_rejected(self):
        folder = self.write_folder(self.CONFIG)
        with open(folder + "/config.json", "w", encoding="utf-8") as file:
            file.write("{")
        self.fail_with("config.json", "import", folder, "-o", self.path("out"))

    def test_an_empty_folder_is_reported(self):
        os.mkdir(self.path("empty"))
        self.fail_with("holds no model.safetensors", "import", self.path("empty"), "-o", "out")


if __name__ == "__main__":
    unittest.main()
