"""Reads what the documents promise: source files and make targets that they name.

The one rule: only code spans and fenced blocks count; prose may say what it likes.
"""

import re

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
FOLDERS = ("farebox", "sidecar", "controller", "tests", "tools", "bench", "proto", "docs", ".ci")
PATH = re.compile(r"(?:" + "|".join(map(re.escape, FOLDERS)) + r")/[\w./-]*")
BARE_MODULE = re.compile(r"\w+\.(?:py|proto)")
MAKE = re.compile(r"(?<![\w./-])make((?: +[A-Za-z][\w-]*(?:=\S*)?)+)")
TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


def code_in(document: str) -> list[str]:
    """The fenced blocks and the code spans outside them."""
    return [*FENCED.findall(document), *SPAN.findall(FENCED.sub("", document))]


def paths_in(document: str) -> set[str]:
    """What looks like a source path in the code spans: `sidecar/app.py`, `tests/`, `money.py`."""
    spans = [span.strip() for span in SPAN.findall(FENCED.sub("", document))]
    return {span for span in spans if PATH.fullmatch(span) or BARE_MODULE.fullmatch(span)}


NO_FILES = frozenset({"farebox/auto"})
"""Names of the product that look like paths."""


def missing_paths(document: str, files: set[str]) -> list[str]:
    """The named paths that are neither a file, a folder, nor the last part of a file's path."""
    folders = {path.rsplit("/", depth)[0] for path in files for depth in range(1, 9) if "/" in path}
    names = {path.rsplit("/", 1)[-1] for path in files}
    return sorted(
        path
        for path in paths_in(document)
        if path not in files | names | NO_FILES and path.rstrip("/") not in folders
    )


def unknown_make_words(document: str, makefile: str) -> list[str]:
    """Targets and variables of `make` commands in the document that the Makefile lacks."""
    targets = set(TARGET.findall(makefile))
    words = [
        word
        for code in code_in(document)
        for command in MAKE.findall(re.sub(r"#.*", "", code))
        for word in command.split()
    ]
    return sorted(
        {
            word
            for word in words
            if (f"$({word.split('=')[0]})" not in makefile if "=" in word else word not in targets)
        }
    )
