"""The system of an image: Python, the shared libraries that it and its packages load, and /etc.

The one rule: only what a program opens is there: no shell, no package manager, no compiler. Files
come from the machine that builds, and the packages that they belong to are named, so that scanners
of images know them. This module must not know which packages of Python there are.
"""

import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tools.image.programs import HOME, STATE_FOLDER, Image

LDD_S_MAX: Final = 120
ELF: Final = b"\x7fELF"
LOADED_LATER: Final = ("libgcc_s.so.1",)
"""Libraries that no file names and glibc opens when a thread ends."""

LINE_OF_LDD: Final = re.compile(r"^\s+(?:\S+ => )?(/\S+) \(0x")
STDLIB_LEFT_OUT: Final = frozenset(
    "__pycache__ EXTERNALLY-MANAGED dist-packages distutils ensurepip idlelib lib2to3 pydoc_data "
    "site-packages sitecustomize.py test tests tkinter turtle.py turtledemo venv".split()
)
MODULES_LEFT_OUT: Final = ("_curses", "_dbm", "_gdbm", "_test", "_tkinter", "_xx", "readline", "xx")
"""Compiled modules, by how their names begin, whose libraries nothing here needs."""

FOLDERS: Final = ("dev", "etc", "proc", "run", "sys", "var/run")
WRITABLE: Final = ("tmp", STATE_FOLDER)
"""Written to by whichever user the program has: a cluster may give it one of its own."""

CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"
NAME_SERVICE: Final = "hosts: files dns\npasswd: files\ngroup: files\n"


class BaseError(Exception):
    """The machine that builds lacks something; the text is one sentence."""


def lay_out(image: Image, root: Path) -> None:
    """Make the folders, /etc, Python and its standard library. Raises BaseError."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in WRITABLE:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        _follow_merge(name, root)
    _write_etc(image, root / "etc")
    _copy_certificates(root)
    _copy_python(root)


def add_libraries(root: Path) -> None:
    """Copy what the programs and modules in `root` load, then name the owners. Raises BaseError."""
    asking = [path for path in _files(root) if _is_elf(path)]
    for library in sorted(_needed(asking, root)):
        _copy_library(Path(library), root)
    _name_owners(root)


def _write_etc(image: Image, etc: Path) -> None:
    user = image.user
    shutil.copyfile("/etc/os-release", etc / "os-release")
    (etc / "passwd").write_text(
        f"root:x:0:0:root:/:/usr/sbin/nologin\nfarebox:x:{user}:{user}::/:/usr/sbin/nologin\n"
    )
    (etc / "group").write_text(f"root:x:0:\nfarebox:x:{user}:\n")
    (etc / "nsswitch.conf").write_text(NAME_SERVICE)


def _follow_merge(name: str, root: Path) -> None:
    """Have /lib and its like lead into /usr where they do so here."""
    here = Path("/", name)
    if here.is_symlink():
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def _copy_certificates(root: Path) -> None:
    """The certificates of public authorities, where this Python's OpenSSL looks for them."""
    source, looked_at = Path("/", CERTIFICATES), ssl.get_default_verify_paths().openssl_cafile
    if not source.is_file():
        raise BaseError("There is no ca-certificates.crt here: install ca-certificates first.")
    target, link = root / CERTIFICATES, root / looked_at.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if link != target:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("/", CERTIFICATES))


def _copy_python(root: Path) -> None:
    binary = Path(sys.executable).resolve()
    _copy_file(binary, root)
    stdlib = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(stdlib, root / stdlib.relative_to("/"), ignore=_left_out, dirs_exist_ok=True)
    home = root / HOME
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(binary)
    version = ".".join(map(str, sys.version_info[:3]))
    (home / "pyvenv.cfg").write_text(
        f"home = {binary.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    )


def _left_out(_: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name in STDLIB_LEFT_OUT
        or name.startswith("config-")
        or name.endswith((".a", ".pyc"))
        or (name.endswith(".so") and name.startswith(MODULES_LEFT_OUT))
    }


def _needed(asking: Iterable[Path], root: Path) -> Iterator[str]:
    """Paths of shared libraries outside `root` that these files load. Raises BaseError."""
    told = subprocess.run(
        ["ldd", *map(str, asking)],
        capture_output=True,
        text=True,
        timeout=LDD_S_MAX,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    if missing := [line.strip() for line in told.splitlines() if "not found" in line]:
        raise BaseError(f"A shared library is not here: {missing[0]}.")
    found = {match[1] for line in told.splitlines() if (match := LINE_OF_LDD.match(line))}
    folders = {Path(path).parent for path in found}
    later = (folder / name for folder in folders for name in LOADED_LATER)
    found |= {str(path) for path in later if path.exists()}
    return (path for path in found if not path.startswith(f"{root}/"))


def _copy_library(named: Path, root: Path) -> None:
    """Copy a library; where its name leads to a file of another name, so does the copy's."""
    named = named.parent.resolve() / named.name
    real = named.resolve()
    _copy_file(real, root)
    link = root / named.relative_to("/")
    if named != real and not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real)


def _copy_file(path: Path, root: Path) -> None:
    """Copy what is found under a name, under that name."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def _name_owners(root: Path) -> None:
    """Add Debian's record and copyright file of each package that files were taken from."""
    lists = Path("/var/lib/dpkg/info")
    inside = {f"/{path.relative_to(root)}" for path in _files(root)}
    # Debian's lists name files as they were before /lib was merged into /usr.
    inside |= {path.removeprefix("/usr") for path in inside if path.startswith("/usr/lib")}
    owners = {
        listed.stem.partition(":")[0]
        for listed in lists.glob("*.list")
        if inside.intersection(listed.read_text().splitlines())
    }
    records = root / "var/lib/dpkg/status.d"
    for stanza in _stanzas() if owners else ():
        name = stanza.partition("\n")[0].removeprefix("Package: ")
        if name in owners:
            records.mkdir(parents=True, exist_ok=True)
            (records / name).write_text(stanza)
            notice = Path("/usr/share/doc", name, "copyright")
            if notice.exists():
                _copy_file(notice, root)


def _stanzas() -> list[str]:
    return [f"{one}\n" for one in Path("/var/lib/dpkg/status").read_text().split("\n\n") if one]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF)) == ELF


def _files(root: Path) -> Iterator[Path]:
    """The regular files below, in order; links are not followed."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink() and path.is_file():
                yield path
