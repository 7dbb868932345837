"""Tests what commands make of photographs: orientation tags, formats and archives.

Usage: test_photographs.py [unittest's arguments]; $VITGATE is the command.
"""

import base64
import io
import json
import os
import random
import struct
import tarfile
import unittest
import zipfile
import zlib

from PIL import Image, ImageOps

import colour_model
import random_model
from command_case import CommandTest

ORIENTATION = 0x112  # EXIF's number of the tag


class OrientationTest(CommandTest):
    """Every command turns photographs upright by their tag, or ignores it"""

    def setUp(self):
        super().setUp()
        self.model = self.path("random.safetensors")
        random_model.write_teacher(self.model)

    def write_photographs(self, n):
        """Writes n photographs with all orientations, each three times: tagged, turned upright by
        PIL, and without its tag"""
        rng = random.Random(5)
        for i in range(n):
            name = f"{random_model.IDS[i % len(random_model.IDS)]}/{i:03}.png"
            plain, tagged = self.path("stored", name), self.path("tagged", name)
            upright = self.path("upright", name)
            for path in (plain, tagged, upright):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            random_model.write_picture(plain, rng)
            image = Image.open(plain)
            exif = image.getexif()
            exif[ORIENTATION] = i % 8 + 1
            image.save(tagged, exif=exif)
            ImageOps.exif_transpose(Image.open(tagged)).save(upright)

    def files(self, folder):
        return [os.path.join(place, name) for place, _, names in sorted(os.walk(self.path(folder)))
                for name in sorted(names)]

    def scores(self, folder, *arguments):
        text = self.succeed("classify", "--json", "--precision", "float32", "--model", self.model,
                            *arguments, *self.files(folder))
        return [image["classes"] for image in json.loads(text)["images"]]

    def assert_same(self, measure):
        """measure: returns what a command finds in a folder, with more arguments"""
        upright, stored = measure("upright"), measure("stored")
        self.assertNotEqual(upright, stored)
        self.assertEqual(measure("tagged"), upright)
        self.assertEqual(measure("tagged", "--no-orientation"), stored)

    def test_classify(self):
        self.write_photographs(8)
        self.assert_same(self.scores)

    def test_eval(self):
        self.write_photographs(40)

        def measure(folder, *arguments):
            text = self.succeed("eval", "--json", "--precision", "float32", "--data",
                                self.path(folder), *arguments, self.model)
            return [json.loads(text)[name] for name in ("images", "overall", "folders")]

        self.assert_same(measure)

    def test_import_measures_precisions(self):
        self.write_photographs(40)
        other = self.path("other.safetensors")
        random_model.write_teacher(other, seed=2)

        def measure(folder, *arguments):
            out = self.path("out.safetensors")
            self.succeed("import", self.model, "-o", out, "--reference", other, "--data",
                         self.path(folder), *arguments)
            _, metadata = colour_model.read_safetensors(out)
            return json.loads(metadata["vitgate"])["precision_agreement"]

        self.assert_same(measure)
        self.fail_with("--no-orientation needs --data", "import", self.model, "-o",
                       self.path("out.safetensors"), "--no-orientation")

    def trained(self, command, folder, *arguments):
        """Returns the tensors and what the provenance says of the orientation"""
        out = self.path(f"{folder}-{len(arguments)}-{command}.safetensors")
        result = self.run_command(command, "--data", self.path(folder), "--batch-size", "8", "-o",
                                  out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        tensors, metadata = colour_model.read_safetensors(out)
        return tensors, json.loads(metadata["vitgate"])["provenance"]["orientation"]

    def check_training(self, command, *arguments):
        self.write_photographs(24)
        upright, _ = self.trained(command, "upright", *arguments)
        stored, _ = self.trained(command, "stored", *arguments)
        self.assertNotEqual(upright, stored)
        self.assertEqual(self.trained(command, "tagged", *arguments), (upright, True))
        self.assertEqual(self.trained(command, "tagged", "--no-orientation", *arguments),
                         (stored, False))

    def test_train(self):
        self.check_training("train", "--from", self.model, "--steps", "2")

    def test_compress(self):
        self.check_training("compress", "--teacher", self.model, "--static-only", "--no-train",
                            "--precision", "float32")

    def test_a_run_resumes_only_with_the_same_orientation(self):
        self.write_photographs(8)
        run = ["train", "--from", self.model, "--data", self.path("tagged"), "--batch-size", "4",
               "--steps", "2", "-o", self.path("out.safetensors"), "--resume", self.path("run")]
        self.assertEqual(self.run_command(*run).returncode, 0)
        self.fail_with("orientation true, not false", *run, "--no-orientation")

    def test_a_photograph_of_a_phone(self):
        """A big-endian tag beside others in a JPEG file"""
        picture = self.path("picture.png")
        random_model.write_picture(picture, random.Random(1), side=64)
        image = Image.open(picture)
        exif = Image.Exif()
        exif.endian = ">"
        exif.update({0x10F: "maker", 0x110: "model", ORIENTATION: 6, 0x132: "2026:11:28 10:00:00"})
        content = io.BytesIO()
        image.save(content, "jpeg", exif=exif, quality=95)
        for folder in ("tagged", "upright"):
            os.makedirs(self.path(folder))
        with open(self.path("tagged", "a.jpg"), "wb") as file:
            file.write(content.getvalue())
        decoded = Image.open(io.BytesIO(content.getvalue()))
        ImageOps.exif_transpose(decoded).save(self.path("upright", "a.png"))
        for found, expected in zip(self.scores("tagged")[0], self.scores("upright")[0]):
            self.assertEqual(found["label"], expected["label"])
            # PIL's decoder rounds differently.
            self.assertAlmostEqual(found["score"], expected["score"], 2)


class ArchiveTest(CommandTest):
    """No file of an archive is skipped without a word"""

    NAMES = ["été/café.png", "日本/猫.png", "plain/Ω.png"]

    def setUp(self):
        super().setUp()
        self.model = self.complete_model()
        self.content = []
        for i, (_, *corner) in enumerate(colour_model.COLOURS[: len(self.NAMES)]):
            path = self.path(f"{i}.png")
            colour_model.write_picture(path, corner)
            with open(path, "rb") as file:
                self.content.append(file.read())
        lines = [f"{name}\t{i}\n" for i, name in enumerate(self.NAMES)]
        self.labels_tsv = ("file\tclass_index\n" + "".join(lines)).encode()

    def members(self):
        return [("labels.tsv", self.labels_tsv), *zip(self.NAMES, self.content)]

    def write_zip(self, name, hide_utf8=False):
        """hide_utf8: without the flag that says so, like old programs"""
        path = self.path(name)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in self.members():
                archive.writestr(member, content)
        if hide_utf8:
            with open(path, "rb") as file:
                data = bytearray(file.read())
            for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
                at = data.find(signature)
                while at >= 0:
                    flags = struct.unpack_from("<H", data, at + place)[0]
                    struct.pack_into("<H", data, at + place, flags & ~0x800)
                    at = data.find(signature, at + 4)
            with open(path, "wb") as file:
                file.write(data)

    def write_tar(self, name, layout, links=()):
        """links: (type, name, target) of members added at the end"""
        mode = "w:gz" if name.endswith("gz") else "w"
        with tarfile.open(self.path(name), mode, format=layout) as archive:
            for member, content in self.members():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            for kind, member, target in links:
                info = tarfile.TarInfo(member)
                info.type, info.linkname = kind, target
                archive.addfile(info)

    def evaluate(self, name, notes=0, locale="C"):
        result = self.run_command("eval", "--json", "--data", self.path(name), self.model,
                                  env={**os.environ, "LC_ALL": locale})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), notes, result.stderr)
        return json.loads(result.stdout), result.stderr

    def test_names_are_read_in_every_locale(self):
        self.write_zip("flagged.zip")
        self.write_zip("unflagged.zip", hide_utf8=True)
        self.write_tar("pax.tar", tarfile.PAX_FORMAT)
        self.write_tar("pax.tar.gz", tarfile.PAX_FORMAT)
        self.write_tar("gnu.tar", tarfile.GNU_FORMAT)
        for locale in ("C", "POSIX", "C.UTF-8"):
            for name in ("flagged.zip", "unflagged.zip", "pax.tar", "pax.tar.gz", "gnu.tar"):
                with self.subTest(f"{name} {locale}"):
                    found, _ = self.evaluate(name, locale=locale)
                    self.assertEqual((found["images"], found["overall"]["labelled"]), (3, 3))
                    self.assertEqual(found["overall"]["top1"], 100)

    def test_names_of_another_character_set_are_kept(self):
        with tarfile.open(self.path("old.tar"), "w", format=tarfile.USTAR_FORMAT,
                          encoding="latin-1") as archive:
            for i, content in enumerate(self.content):
                info = tarfile.TarInfo(f"été/{i}.png")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        for locale in ("C", "C.UTF-8"):
            found, _ = self.evaluate("old.tar", notes=1, locale=locale)  # classes are unknown
            self.assertEqual(found["images"], 3)

    def test_links_are_followed_or_named(self):
        links = ((tarfile.LNKTYPE, "plain/again.png", self.NAMES[1]),
                 (tarfile.LNKTYPE, "plain/lost.png", "nowhere.png"),
                 (tarfile.SYMTYPE, "plain/soft.png", "Ω.png"),
                 (tarfile.FIFOTYPE, "plain/pipe.png", ""))
        for name in ("links.tar", "links.tar.gz"):
            self.write_tar(name, tarfile.PAX_FORMAT, links)
            for locale in ("C", "C.UTF-8"):
                with self.subTest(f"{name} {locale}"):
                    found, notes = self.evaluate(name, notes=3, locale=locale)
                    self.assertEqual((found["images"], found["skipped"]), (4, 3))
                    self.assertIn("skipped plain/lost.png: is a hard link", notes)
                    self.assertIn("skipped plain/soft.png: is a symbolic link", notes)
                    self.assertIn("skipped plain/pipe.png: is not a regular file", notes)

    def test_dangling_links_in_a_folder_are_named(self):
        self.write_colours("data")
        os.symlink("nowhere.png", self.path("data", "lost.png"))
        found, notes = self.evaluate("data", notes=2)  # and that the classes are unknown
        self.assertEqual((found["images"], found["skipped"]), (8, 1))
        self.assertIn("skipped lost.png: cannot read: No such file", notes)


class FormatTest(CommandTest):
    """Image files of less common kinds"""

    # Green pictures of 40 x 36 pixels by heif-enc and avifenc, compressed and in base 85.
    HEIF = {
        "a.heic":
        "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>UfpKkaYDppk1Sn>t<P<^K3<a6VB@AeQuOPD|7tCS;Vu8$*M2Hd"
        "%1{EM_k(ra9%m`$-H~{4tAzBzO!dMJ)2vIoA0oIq9mj*Xg6v#<s0;vG1$tX)UWIz%GD@iZPOaU=(WEK<^0O@"
        "U+1<Cn9x(uk=nUT2w?p(PK41fOq_`$%y&#VA6O~QeZhw=Y^kOF3g2_OQ9<aRMRC;}z5oERC=WELnivQB&TWZ"
        "BLg0s;mKAR#cJs038b=E8We_&_Jn5|PZ}f>fx54p59NrUAsD&=DxetjGijFmrH#d@Yq(kP8cVV7M?fGBGeQF"
        "}Hwaic-^HA)b<%n+^^)P>8AJLPA_hgK<6Q1KZC^f7);G$^U;;XaE1TcKWOO&x?Kl0N?di%m",
        "a.avif":
        "c-muNU{FXasVqn=%S>Yc0uY^>nP!-qnV9D5Xy^zO`jnemlE?r78W|}$MNl?FL1uCZ0}{x|OoAE1SCCnf3l?M"
        "qV!6zm{A3Wv1;l5Bh%!n6X*H0UnVETMaJ5oEPAU_Wmsn<C=$xOE54JKZv!JK|NPA}%B<BNZk<8+PRG7PfSOt"
        "g$3NkA)K?2Mi92`K3C$Y@XxlsYEMmRY?rzkHurvhj)F9TZxP)IzpAQ$E}pu<=gnVMOEOugKc#1bI}E=~*4^x"
        "hU06DbEHaiIn#4uuwmEg@$XI>(1jdY<-IPGxym0|3gtJ5T",
    }

    def setUp(self):
        super().setUp()
        self.model = self.complete_model()

    def classify(self, *names):
        text = self.succeed("classify", "--json", "--model", self.model,
                            *(self.path(name) for name in names))
        return [image["classes"][0]["label"] for image in json.loads(text)["images"]]

    def write_gif(self, name, keep=None):
        """Writes a GIF of a red frame in the middle of a canvas that is otherwise empty; keep:
        how many of its bytes"""
        frame = Image.new("P", (20, 18), 1)
        frame.putpalette([0, 0, 0, 245, 10, 10] + [0] * 762)
        content = io.BytesIO()
        frame.save(content, "gif")
        data = bytearray(content.getvalue())
        struct.pack_into("<HH", data, 6, 40, 36)
        struct.pack_into("<HH", data, data.index(b"\x2c") + 1, 10, 9)
        with open(self.path(name), "wb") as file:
            file.write(data[:keep])
        canvas = Image.new("RGB", (40, 36))
        canvas.paste(frame.convert("RGB"), (10, 9))
        canvas.save(self.path(name + ".png"))
        return len(data)

    def test_a_gif_frame_smaller_than_its_canvas(self):
        length = self.write_gif("a.gif")
        scores = json.loads(self.succeed("classify", "--json", "--model", self.model,
                                         self.path("a.gif"), self.path("a.gif.png")))["images"]
        self.assertEqual(scores[0]["classes"], scores[1]["classes"])
        for missing in (1, 3, length // 4):
            self.write_gif("cut.gif", keep=length - missing)
            self.fail_with("cut.gif", "classify", "--model", self.model, self.path("cut.gif"))

    def test_webp(self):
        picture = Image.new("RGB", (40, 36), (10, 245, 10))
        picture.save(self.path("a.webp"), lossless=True)
        with open(self.path("a.webp"), "rb") as file:
            data = file.read()
        with open(self.path("cut.webp"), "wb") as file:
            file.write(data[:-3])
        if "no loader" in self.run_command("classify", "--model", self.model,
                                           self.path("a.webp")).stderr:
            self.skipTest("the package webp-pixbuf-loader is not installed")
        self.assertEqual(self.classify("a.webp"), ["green"])
        # Newer versions of the loader find it out by themselves.
        error = self.run_command("classify", "--model", self.model, self.path("cut.webp")).stderr
        self.assertRegex(error, "cut.webp: (is truncated|WebP decoder failed)")
        self.fail_with("cut.webp: ", "classify", "--model", self.model, self.path("cut.webp"))

    def test_heic_and_avif(self):
        for name, text in self.HEIF.items():
            with self.subTest(name):
                with open(self.path(name), "wb") as file:
                    file.write(zlib.decompress(base64.b85decode(text)))
                result = self.run_command("classify", "--model", self.model, self.path(name))
                if result.returncode and any(part in result.stderr
                                             for part in ("no loader", "cannot be decoded")):
                    self.skipTest("no loader of HEIC and AVIF files with a decoder is installed")
                self.assertEqual(self.classify(name), ["green"])

    def test_a_broken_heic_gives_one_line(self):
        with open(self.path("a.heic"), "wb") as file:
            file.write(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x10metaabcdefgh" * 9)
        self.fail_with("a.heic: ", "classify", "--model", self.model, self.path("a.heic"))

    def test_a_missing_loader_is_named(self):
        """Without any loader that is not part of gdk-pixbuf"""
        cache = self.path("loaders.cache")
        with open(cache, "w", encoding="utf-8"):
            pass
        for name, start, parts in (
            ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", ("WebP", "webp-pixbuf-loader")),
            ("a.heic", b"\0\0\0\x18ftypheic", ("HEIC", "heif-gdk-pixbuf")),
            ("a.avif", b"\0\0\0\x18ftypavif", ("AVIF", "heif-gdk-pixbuf")),
            ("a.jxl", b"\xff\x0a", ("JPEG XL", "no loader")),
        ):
            with self.subTest(name):
                with open(self.path(name), "wb") as file:
                    file.write(start + bytes(64))
                for part in parts:
                    self.fail_with(part, "classify", "--model", self.model, self.path(name),
                                   env={**os.environ, "GDK_PIXBUF_MODULE_FILE": cache})


if __name__ == "__main__":
    unittest.main()
