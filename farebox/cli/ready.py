"""`farebox ready`: the ten lines of the list before launch, each checked by the program.

The one rule: exit status 0 only when all ten are met, so that a pipeline can ask.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from farebox.cli.rehearsals import rehearsed_in
from farebox.cli.resources import read_resources
from farebox.cli.tables import make_console
from farebox.launch.checklist import Checked, Evidence, Rehearsed, check_all
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import ProfileError, read_profile
from farebox.launch.projection import Projection

if TYPE_CHECKING:
    from farebox.launch.profiles import Profile

READY: Final = 0
NOT_READY: Final = 1


async def run_ready(
    manifests: Path,
    *,
    namespace: str,
    folder: Path | None,
    projection: Path | None,
    receipts: Path | None,
) -> int:
    """Show all lines; a file that was named and cannot be read is as good as none, and said."""
    resources = read_resources(manifests)
    said: list[str] = []
    evidence = Evidence(
        tasks=resources.tasks.get(namespace, ()),
        catalogue=resources.catalogue,
        routing=resources.routing.get(namespace),
        profile=_profile(folder, said),
        projection=_projection(projection, said),
        receipts=_receipts(receipts, said),
    )
    lines = check_all(evidence)
    _show(lines, said)
    return NOT_READY if any(line.missing for line in lines) else READY


def _profile(folder: Path | None, said: list[str]) -> "Profile | None":
    if folder is None:
        return None
    try:
        return read_profile(folder)
    except ProfileError as error:
        said.append(str(error))
        return None


def _projection(path: Path | None, said: list[str]) -> Projection | None:
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Projection)
    except (OSError, msgspec.DecodeError) as error:
        said.append(f"{path} is no projection: {error}")
        return None


def _receipts(path: Path | None, said: list[str]) -> list[Rehearsed] | None:
    if path is None:
        return None
    try:
        return rehearsed_in(path)
    except LaunchError as error:
        said.append(str(error))
        return None


def _show(lines: list[Checked], said: list[str]) -> None:
    console = make_console()
    for number, line in enumerate(lines, start=1):
        mark, text = ("MISSING", line.missing) if line.missing else ("ok", line.found)
        console.print(
            f"{number:2d}  {mark:7s}  {line.title}: {text}",
            style="red" if line.missing else "green",
            markup=False,
            soft_wrap=True,
        )
    for sentence in said:
        console.print(f"    {sentence}", markup=False, soft_wrap=True)
    missing = sum(bool(line.missing) for line in lines)
    verdict = f"NOT READY: {missing} of {len(lines)} lines are missing." if missing else "READY."
    console.print(verdict, style="bold", markup=False)
