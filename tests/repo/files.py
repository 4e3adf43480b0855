"""The repository's own files, as the tests of this folder look at them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
GENERATED = "farebox/wire/v1/"


def tracked() -> list[str]:
    """Paths, relative to the root, of all files that git tracks or would add; sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(
        path for path in set(listed.split("\0")) if path and ROOT.joinpath(path).is_file()
    )


def written_python() -> list[str]:
    """The tracked Python files that people write: all but the generated ones."""
    return [path for path in tracked() if path.endswith(".py") and not path.startswith(GENERATED)]


def text_of(path: str) -> str:
    """The text of a tracked file; empty for one that is not text."""
    content = ROOT.joinpath(path).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")
