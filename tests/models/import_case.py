"""Shared by the tests of vitgate import."""

import json

import colour_model
import dialects
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
