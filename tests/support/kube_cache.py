"""The folders outside of the tree that keep what is built or fetched once for a real Kubernetes.

The one rule: nothing is left half made; a folder of the cache is whole, or it is not there. This
module must not know what any of the folders holds.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent / "e2e/kube"
"""Where the versions of everything are pinned."""


def cache() -> Path:
    """Where what is made or fetched once stays; it is outside of the tree."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    found = Path(home) / "farebox/kube"
    found.mkdir(parents=True, exist_ok=True)
    return found


def mark(*names: str, said: Sequence[str] = ()) -> str:
    """What changes with anything that the programs are made from."""
    parts = [*((FOLDER / name).read_bytes() for name in names), *(one.encode() for one in said)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:8]


@contextmanager
def whole(goal: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `goal` when that went well."""
    with tempfile.TemporaryDirectory(dir=cache(), prefix="making-") as temporary:
        made = Path(temporary) / "bin"
        made.mkdir()
        yield made
        # Another process may have been faster: then this one's work is thrown away.
        with suppress(OSError):
            made.rename(goal)
    assert goal.is_dir(), f"{goal} could not be made"


def pip(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Ask pip for packages whose hashes are pinned in this tree, without what they depend on."""
    asked = ("--no-deps", "--require-hashes", "--disable-pip-version-check", "-q")
    verb, *rest = (str(one) for one in arguments)
    return run(sys.executable, "-m", "pip", verb, *asked, *rest)


def run(
    *command: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What a command said."""
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def say(text: str) -> None:
    """Tell whoever waits for the programs."""
    sys.stdout.write(f"kube-tools: {text}\n")
    sys.stdout.flush()
