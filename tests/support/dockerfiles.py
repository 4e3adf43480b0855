"""The Dockerfiles as the tests read them: what is copied, run and started.

The one rule: an instruction that is not understood is an error, so that nothing in a Dockerfile
goes untested for being new. This module must not know what the programs do.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parent.parent.parent
FOLDER: Final = "deploy/images"
OUT: Final = "/image"
BUILD_S_MAX: Final = 900
UNTESTED: Final = frozenset({"ARG", "FROM", "LABEL", "STOPSIGNAL", "WORKDIR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """What one says: of its build stage `copies` and `run`, and all else of the image itself."""

    copies: Sequence[str]
    run: Sequence[str]
    environment: Mapping[str, str]
    user: str
    entrypoint: Sequence[str]
    health: Sequence[str]
    labels: Mapping[str, str]
    stages: Sequence[str]


def read_dockerfile(text: str) -> Dockerfile:
    """Read one of the two. Raises ValueError for an instruction that it can't have."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    said: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        said.setdefault(word, []).append(rest)
    known = UNTESTED | {"COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "HEALTHCHECK"}
    if unknown := sorted(said.keys() - known):
        raise ValueError(f"{', '.join(unknown)}: no test knows what this does")
    *copies, last = said["COPY"]
    if last != f"--from=build {OUT}/ /" or len(said["RUN"]) != 1:
        raise ValueError("an image is what one RUN leaves in /image, and nothing else")
    return Dockerfile(
        copies=[name for line in copies for name in line.split()[:-1]],
        run=json.loads(said["RUN"][0]),
        environment=_pairs(said["ENV"]),
        user=said["USER"][0],
        entrypoint=json.loads(said["ENTRYPOINT"][0]),
        health=json.loads(said["HEALTHCHECK"][0].partition("CMD ")[2]),
        labels=_pairs(said["LABEL"]),
        stages=said["FROM"],
    )


def dockerfile_of(name: str) -> Dockerfile:
    """The Dockerfile of an image of this repository."""
    return read_dockerfile((REPOSITORY / FOLDER / f"{name}.Dockerfile").read_text())


def copy_context(dockerfile: Dockerfile, target: Path) -> None:
    """Copy what the build stage copies, and nothing else."""
    target.mkdir()
    for name in dockerfile.copies:
        source, copy = REPOSITORY / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, copy)


def start_build(dockerfile: Dockerfile, source: Path, root: Path) -> subprocess.Popen[str]:
    """Start what the Dockerfile's RUN says in a copied context, into `root`."""
    program, *words = dockerfile.run
    assert program == "python3", "the base image has no other Python"
    return subprocess.Popen(
        [sys.executable, *(str(root) if word == OUT else word for word in words)],
        cwd=source,
        stdout=subprocess.PIPE,
        text=True,
    )


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    pairs = (word.partition("=") for line in lines for word in shlex.split(line))
    return {name: value for name, _, value in pairs}
