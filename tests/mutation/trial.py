"""One seeded bug on trial: a copy of the sources, the bug in it, and who notices.

The one rule: the repository itself is never changed. This module must not know what any bug is.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutation.mutations import Mutation, mutated

ROOT: Final = Path(__file__).parent.parent.parent
SOURCES: Final = ("farebox", "sidecar", "controller", "tests", "proto", "pyproject.toml")
TRIAL_S_MAX: Final = 300.0
SIMULATION: Final = ("-m", "tests.simulation")
JUDGES: Final = ("Violation", "AssertionError")
"""How a seed ends in which an invariant is broken; the product asserts some by itself, with a
sentence. Any other end, and an assertion without one, is a fault of what runs the seed."""

_FAILED_SEED: Final = re.compile(r"^seed (\d+): (\w+) at [\d.]+ s: ?(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """What noticed a bug, and after how many seeds."""

    by: str
    seeds: int


class Broken(Exception):
    """The sources can't run as they are, with what they say."""


def copy_sources(to: Path, *, root: Path = ROOT) -> Path:
    """A copy of all that runs, without what was made from it."""
    to.mkdir()
    for name in SOURCES:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, to / name)
    return to


def put_in(mutation: Mutation, root: Path, *, write: bool = True) -> None:
    """Put a bug into the sources below `root`, or only see whether it can be. Raises DoesNotApply.

    What comes of it must still be Python.
    """
    texts: dict[Path, str] = {}
    for edit in mutation.edits:
        path = root / edit.path
        texts[path] = mutated(texts.get(path) or path.read_text(), edit)
    for path, text in texts.items():
        compile(text, str(path), "exec")
        if write:
            path.write_text(text)


def tried(root: Path, *, seeds: int, first: int = 0) -> Caught | None:
    """Run seeds of the simulator over the sources below `root`; None when all of them pass.

    Raises Broken when a seed ends by anything but a broken invariant.
    """
    which = (str(seeds), "--from", str(first), "--workers", "1", "--until-failure")
    done = subprocess.run(
        [sys.executable, *SIMULATION, *which],
        cwd=root,
        # The copy comes before the installed project on the path.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=TRIAL_S_MAX,
        check=False,
    )
    if done.returncode == 0:
        return None
    found = _FAILED_SEED.search(done.stdout)
    if found is None:
        raise Broken(_last_line(done.stderr or done.stdout))
    seed, kind, sentence = found.groups()
    if kind not in JUDGES or not sentence:
        raise Broken(f"seed {seed} ends with {kind}: {sentence}")
    return Caught(by=sentence, seeds=int(seed) + 1)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it ended without a word"
