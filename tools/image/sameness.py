"""The same image from the same source: compiled code, owners, modes, times, and a digest of all.

The one rule: nothing in the file system tells when or where it was made. This module must not know
what the files are for.
"""

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

COMPILE_S_MAX: Final = 300
STICKY: Final = 0o1777
FOLDER: Final = 0o755
PROGRAM: Final = 0o755
DOCUMENT: Final = 0o644


def compile_all(root: Path, *folders: str) -> None:
    """Compile Python files once and for all: the code is never compared with its source again.

    A process for each folder, one file after another: what is written depends on what the compiling
    process has seen before, so that the order has to be the same each time.
    """
    command = (sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
    # Files are named as they will be, in tracebacks too; the order of sets must not be random.
    where = ("-s", str(root), "-p", "/")
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    running = [
        subprocess.Popen([*command, *where, str(root / folder)], env=environment, cwd="/")
        for folder in folders
    ]
    for process, folder in zip(running, folders, strict=True):
        if process.wait(COMPILE_S_MAX):
            raise RuntimeError(f"Not all of /{folder} could be compiled.")


def settle(root: Path, *, epoch: int, writable: tuple[str, ...]) -> None:
    """Give every file the same time and the modes of its kind; `epoch` is in seconds."""
    open_to_all = {root / name for name in writable}
    for path in _all_below(root):
        if not path.is_symlink():
            path.chmod(_mode_of(path, is_open=path in open_to_all))
        if os.geteuid() == 0:
            os.chown(path, 0, 0, follow_symlinks=False)
    for path in (*_all_below(root), root):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def digests(root: Path) -> Iterator[str]:
    """One line for each file and folder: kind and mode, owner, time, SHA-256 or target, path."""
    for path in _all_below(root):
        said = path.lstat()
        if path.is_symlink():
            content = f"-> {path.readlink()}"
        elif path.is_dir():
            content = "-"
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        kind, owner = stat.filemode(said.st_mode), f"{said.st_uid}:{said.st_gid}"
        yield f"{kind} {owner} {int(said.st_mtime)} {content} /{path.relative_to(root)}"


def digest(root: Path) -> str:
    """One SHA-256 for the whole file system."""
    return hashlib.sha256("\n".join(digests(root)).encode()).hexdigest()


def bytes_in(root: Path) -> int:
    """How much the files hold."""
    files = (path for path in _all_below(root) if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def _mode_of(path: Path, *, is_open: bool) -> int:
    if path.is_dir():
        return STICKY if is_open else FOLDER
    return PROGRAM if path.stat().st_mode & stat.S_IXUSR else DOCUMENT


def _all_below(root: Path) -> Iterator[Path]:
    """All that is below, in order, what is in a folder before the folder itself."""
    for folder, folders, names in os.walk(root, topdown=False):
        for name in sorted((*folders, *names)):
            yield Path(folder, name)
