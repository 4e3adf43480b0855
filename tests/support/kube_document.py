"""The commands that a document tells people to run, so that a test can run exactly those.

The one rule: a command is run as it stands there, by a shell, in the order of the document; only a
placeholder is replaced, by what PLACEHOLDERS says. Whoever runs them says how the next one begins,
so that neither the document nor the test can have a command that the other one lacks. This module
must not know what the commands do.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
README: Final = (ROOT / "README.md", "On Kubernetes")
INSTALL: Final = (ROOT / "docs/kubernetes.md", "Install")
UPGRADE: Final = (ROOT / "docs/kubernetes.md", "Upgrade")
UNINSTALL: Final = (ROOT / "docs/kubernetes.md", "Uninstall")
ROTATE: Final = (ROOT / "docs/kubernetes.md", "A key that leaked")

PLACEHOLDERS: Final[Mapping[str, str]] = {"REGISTRY": "registry.test", "NAMESPACE": "others"}
"""What a reader fills in, and what these tests do."""

PLACEHOLDER: Final = re.compile(r"\b[A-Z]{3,}\b")
_HEADING: Final = re.compile(r"^(#+) (.+)$")
_REMARK: Final = re.compile(r"(?:^|\s\s)#.*$")


def commands_in(document: str, heading: str) -> tuple[str, ...]:
    """The commands of the `sh` blocks under a heading and those below it, each in one line.

    Remarks are left out. Raises LookupError when there is no such heading.
    """
    found, begun = [], ""
    for line in _code_below(document, heading):
        if line.endswith("\\"):
            begun += line.removesuffix("\\").strip() + " "
        elif whole := begun + _REMARK.sub("", line).strip():
            found.append(whole)
            begun = ""
    return tuple(found)


def _code_below(document: str, heading: str) -> Iterator[str]:
    """The lines of `sh` blocks from a heading to the next one of its level or above."""
    level, fence = 0, ""
    for line in document.splitlines():
        if line.startswith("```"):
            fence = "" if fence else line
        elif fence:
            if level and fence == "```sh":
                yield line
        elif match := _HEADING.match(line):
            if level and len(match[1]) <= level:
                return
            level = len(match[1]) if match[2] == heading else level
    if not level:
        raise LookupError(f"there is no heading {heading!r}")


def filled_in(command: str) -> str:
    """A command with what a reader fills in. Raises KeyError for an unknown placeholder."""
    return PLACEHOLDER.sub(lambda found: PLACEHOLDERS[found[0]], command)


class Steps:
    """The commands of one section of a document, run one after the other."""

    def __init__(self, where: tuple[Path, str], shell: Callable[[str], Awaitable[str]]) -> None:
        """`shell` runs a command and gives what it says; a failure fails the test."""
        path, heading = where
        self._title = f"{path.name}, {heading}"
        self._left = list(commands_in(path.read_text(), heading))
        self._shell = shell
        self._last = ""
        assert self._left, f"{self._title}: there is no command"

    async def run(self, beginning: str) -> str:
        """Run the next command, which must begin so; gives what it says."""
        assert self._left, f"{self._title}: no command is left, {beginning!r} was to come"
        command = self._left.pop(0)
        assert command.startswith(beginning), f"{self._title}: {beginning!r} was to come: {command}"
        self._last = filled_in(command)
        return await self._shell(self._last)

    async def again(self) -> str:
        """Run the last command once more; gives what it says."""
        return await self._shell(self._last)

    def end(self) -> None:
        """No command may be left."""
        assert not self._left, f"{self._title}: these were not run: {self._left}"
