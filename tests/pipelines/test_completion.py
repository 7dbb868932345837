"""The completion for bash. Environment: VITGATE_COMPLETION, the script; VITGATE_COMMAND,
VITGATE_WATCH and VITGATE_COLLECT, the programs."""

import os
import pty
import re
import shlex
import subprocess
import tempfile
import unittest

SCRIPT = os.environ["VITGATE_COMPLETION"]
COMMAND = os.environ["VITGATE_COMMAND"]
PROGRAMS = {"vitgate": COMMAND, "vitgate-watch": os.environ["VITGATE_WATCH"],
            "vitgate-collect": os.environ["VITGATE_COLLECT"]}
SUB_COMMANDS = ["import", "inspect", "classify", "eval", "train", "teach", "compress", "export",
                "bench", "collect"]


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


class Completion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vitgate-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.makedirs(f"{self.folder}/shipped")
        os.makedirs(f"{self.folder}/here/photographs")
        for name in "shipped/large one.safetensors", "here/my.safetensors", "here/notes.txt":
            with open(f"{self.folder}/{name}", "w", encoding="utf-8"):
                pass
        os.makedirs(f"{self.folder}/bin")
        for name, program in PROGRAMS.items():
            os.symlink(program, f"{self.folder}/bin/{name}")

    def run_bash(self, *arguments, **keys):
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "--norc", "--noprofile", *arguments], cwd=f"{self.folder}/here", timeout=60,
            env={**os.environ, "PATH": path, "VITGATE_MODEL_DIR": f"{self.folder}/shipped"}, **keys)

    def complete(self, line):
        """Returns the completions of the line's last word."""
        words = [word for word in re.split(r"(=)| ", line) if word is not None]
        if words[-2:] == ["=", ""]:
            words.pop()
        words = [word for word in words[:-1] if word] + words[-1:]
        script = (f". {shlex.quote(SCRIPT)}; COMP_WORDS=({shlex.join(words)}); "
                  f"COMP_CWORD={len(words) - 1}; _vitgate {words[0]}; "
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        result = self.run_bash("-c", script, capture_output=True, text=True, check=True)
        self.assertEqual(result.stderr, "")
        return sorted(result.stdout.split("\n")[:-1])

    def test_sub_commands(self):
        extra = ["--help", "--version", "help"]
        self.assertEqual(self.complete("vitgate "), sorted(SUB_COMMANDS + extra))
        self.assertEqual(self.complete("vitgate te"), ["teach"])
        self.assertEqual(self.complete("vitgate help "), sorted(SUB_COMMANDS))

    def test_options(self):
        for command in SUB_COMMANDS:
            text = output(COMMAND, command, "--help")
            wanted = sorted(set(re.findall(r"(?m)^  (?:-., )?(--[a-z-]+=?)", text)))
            if command != "collect":  # another program, which is found beside the command
                self.assertEqual(self.complete(f"vitgate {command} --"), wanted, command)
        self.assertEqual(self.complete("vitgate compress --static"),
                         ["--static-only", "--static-target="])
        self.assertEqual(self.complete("vitgate-watch --st"), ["--status"])
        self.assertEqual(self.complete("vitgate-collect --cre"),
                         ["--credentials-env=", "--credentials-file="])

    def test_models(self):
        models = ["large one", "my.safetensors", "photographs"]
        for line in "vitgate inspect ", "vitgate classify --model=", "vitgate classify -m ":
            found = [re.sub(r".*/(.*)\.safetensors", r"\1", name) for name in self.complete(line)]
            self.assertEqual(found, models, line)
        self.assertEqual(self.complete("vitgate inspect m"), ["my.safetensors"])

    def test_files(self):
        files = ["my.safetensors", "notes.txt", "photographs"]
        for line in "vitgate classify ", "vitgate import --labels=", "vitgate-watch --check ":
            self.assertEqual(self.complete(line), files, line)
        self.assertEqual(self.complete("vitgate-collect -o "), ["photographs"])

    def test_commands_of_a_fleet(self):
        commands = ["drain", "list", "put", "rm", "status", "undrain"]
        self.assertEqual(self.complete("vitgate-watch --fleet "), commands)
        self.assertEqual(self.complete("vitgate-watch --etcd=http://h --fleet u"), ["undrain"])
        self.assertEqual(self.complete("vitgate-watch --fleet put n"), ["notes.txt"])
        self.assertEqual(self.complete("vitgate-watch --fleet rm n"), [""])
        self.assertEqual(self.complete("vitgate-watch --fleet status --js"), ["--json"])

    def test_variants_are_those_that_train_knows(self):
        with open(f"{self.folder}/classes", "w", encoding="utf-8") as file:
            file.write("a\nb\n")
        result = subprocess.run(
            [COMMAND, "train", "--variant=x", f"--classes={self.folder}/classes",
             f"--data={self.folder}", "-o", f"{self.folder}/out", "--steps=1"],
            capture_output=True, text=True, check=False)
        known = result.stderr.split("expected one of ")[1].strip().split(", ")
        self.assertEqual(self.complete("vitgate train --variant="), sorted(known))
        self.assertEqual(self.complete("vitgate train --variant t2t_vit_t_1"),
                         ["t2t_vit_t_14", "t2t_vit_t_19"])

    def test_values_are_those_of_the_help(self):
        with open(SCRIPT, encoding="utf-8") as file:
            table = dict(re.findall(r"(?m)^    (--[a-z-]+)\) echo (.*) ;;$", file.read()))
        self.assertGreater(len(table), 8)
        for option, values in table.items():
            found = False
            for command in SUB_COMMANDS[:-1]:
                text = re.search(rf"(?m)^  (?:-., )?{option}=\S+ (.*)",
                                 output(COMMAND, command, "--help"))
                if text:
                    found = True
                    for value in values.split():
                        self.assertIn(value.rstrip(":"), text[1], (command, option))
                    self.assertEqual(self.complete(f"vitgate {command} {option}="),
                                     sorted(values.split()))
            self.assertTrue(found, option)

    def test_a_terminal(self):
        """With words as bash itself splits and quotes them."""
        terminal, child = pty.openpty()
        self.addCleanup(os.close, terminal)
        os.write(terminal, f". {shlex.quote(SCRIPT)}\n".encode() +
                 b"vitgate teach --fit\tsq\t\n"
                 b"vitgate inspect ../shipped/la\t\nexit\n")
        self.run_bash("-i", stdin=child, stdout=child, stderr=child, start_new_session=True)
        os.close(child)
        text = b""
        try:
            while part := os.read(terminal, 1 << 16):
                text += part
        except OSError:  # everything was read
            pass
        self.assertIn(b"vitgate teach --fit=squash", text)
        self.assertIn(rb"vitgate inspect ../shipped/large\ one.safetensors", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
