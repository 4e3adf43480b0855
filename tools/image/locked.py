"""The part of requirements.lock that some of its packages need, without resolving anything again.

The one rule: what is taken is taken as it stands, version, marker and hashes; the lock's own
"# via" notes say who needs whom. This module must not know what an image is.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

PIN: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==\S+")
NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
NOTE: Final = re.compile(r"^ +# +(?:via +)?(\S+)")
NOTE_HEAD: Final = re.compile(r"^ +# via *$")


class LockError(Exception):
    """The lock can't serve; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One package of the lock: its lines as they stand, and the packages that need it."""

    name: str
    lines: tuple[str, ...]
    needed_by: frozenset[str]


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> list[Locked]:
    """All entries in their order; a package may have several, for different Pythons."""
    groups: list[list[str]] = []
    for line in text.splitlines():
        if PIN.match(line):
            groups.append([line])
        elif groups and line.startswith(" "):
            groups[-1].append(line)
        elif line and not line.startswith("#"):
            raise LockError(f"{line!r} is no pinned package: renew the lock with `make lock`.")
    return [_entry(lines) for lines in groups]


def subset(lock: str, roots: Iterable[str]) -> str:
    """The lock's lines of these packages and of all that they need. Raises LockError."""
    entries = read_lock(lock)
    known = {entry.name for entry in entries}
    taken = {canonical(root) for root in roots}
    if missing := sorted(taken - known):
        raise LockError(f"{', '.join(missing)} is not in the lock: renew it with `make lock`.")
    while more := {e.name for e in entries if e.name not in taken and e.needed_by & taken}:
        taken |= more
    return "".join(f"{line}\n" for e in entries if e.name in taken for line in e.lines)


def names_in(lock: str) -> set[str]:
    """The packages of a lock, by their canonical names."""
    return {entry.name for entry in read_lock(lock)}


def roots_of(pyproject: str, extra: str) -> list[str]:
    """What the distribution itself and one of its extras ask for, by name. Raises LockError."""
    project = tomllib.loads(pyproject)["project"]
    extras: Mapping[str, list[str]] = project["optional-dependencies"]
    if extra not in extras:
        raise LockError(f"{extra!r} is no extra of pyproject.toml; there are {', '.join(extras)}.")
    return [_name_of(text) for text in (*project["dependencies"], *extras[extra])]


def _entry(lines: list[str]) -> Locked:
    pinned = PIN.match(lines[0])
    assert pinned is not None
    if not any("--hash=" in line for line in lines):
        raise LockError(f"{pinned[1]} has no hashes: renew the lock with `make lock`.")
    notes = [
        found[1] for line in lines if not NOTE_HEAD.match(line) and (found := NOTE.match(line))
    ]
    return Locked(
        name=canonical(pinned[1]),
        lines=tuple(lines),
        needed_by=frozenset(canonical(note) for note in notes),
    )


def _name_of(requirement: str) -> str:
    found = NAME.match(requirement)
    assert found is not None, requirement
    return found[0]
