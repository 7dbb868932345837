"""Shared by the programs in this folder: makes text from outside safe to print."""

import argparse
import os
import re
import signal
import sys
import unicodedata

HIDDEN = "***"
# Control characters, invisible format characters such as the bidirectional controls, surrogates
# (bytes that are not UTF-8), and separators of lines and paragraphs.
UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def clean(text):
    """Returns the text on one line, without characters that a terminal obeys."""
    return "".join(" " if unicodedata.category(c) in UNSAFE else c for c in str(text)).rstrip()


def hide_url(url):
    """Returns a URL without user and password, without its query, and without the path from the
    first segment with "=". If an @ is outside its place, everything after the scheme is hidden."""
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        return HIDDEN if re.search("[@?#=]|%40", url) else url
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()
    if re.search("@|%40", path):
        return scheme + slashes + HIDDEN
    if re.search("@|%40", authority):
        authority = HIDDEN + "".join(authority.rpartition("@")[1:]) * ("@" in authority)
    path = re.sub(r"[?#].+", lambda match: match[0][0] + HIDDEN, path, flags=re.DOTALL)
    return scheme + slashes + authority + re.sub(r"(?<=/)[^/]*=.*", HIDDEN, path, flags=re.DOTALL)


def hide(text):
    """Returns the text without the secrets of its URLs, and without words with an @ or = after a
    colon, such as USER:PASSWORD@HOST."""
    def hide_word(match):
        word = match[0]
        url = re.search(r"[A-Za-z0-9+.-]*://", word)
        if url:
            return word[:url.start()] + hide_url(word[url.start():])
        return HIDDEN if re.search(":.*[@=]", word) else word

    return re.sub(r"""[^\s"'<>]+""", hide_word, text)


def warn(line):
    """Prints a line to standard error."""
    print(hide(clean(line)), file=sys.stderr, flush=True)


def say(line):
    """Prints a line. If standard output is closed, stops as on SIGTERM."""
    try:
        print(clean(line), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


class Parser(argparse.ArgumentParser):
    """Its errors show no secrets: a misplaced argument may be a URL with a password, which may
    contain spaces."""

    def error(self, message):
        url = re.compile(r"[A-Za-z0-9+.-]*://.*")
        super().error(hide(url.sub(lambda match: hide_url(match[0]), clean(message))))
