"""`farebox project`: dollars a month with routing and without, and when a classifier pays.

The one rule: the traffic is the user's, all else was measured. This module must not know manifests.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec

from farebox.cli.tables import dollars, make_console, sheet
from farebox.core.money import Nanos
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import read_profile
from farebox.launch.projection import Classifier, Projection, project
from farebox.launch.proposals import percent

_VOLUME: Final = re.compile(r"(\d[\d_,]*)(?:/(day|month))?\Z")
_DAYS: Final = {"day": 1, "month": 30}
_SHARE: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?%?\Z")


async def run_project(
    folder: Path, *, volume: str, mix: str | None, out: Path | None, classifier: Classifier
) -> int:
    """Show the projection and keep it; exit status 0."""
    profile = read_profile(folder)
    projection = project(
        profile,
        calls_per_day=calls_per_day(volume),
        mix=await asyncio.to_thread(read_mix, mix),
        classifier=classifier,
    )
    if out is not None:
        content = msgspec.json.format(msgspec.json.encode(projection), indent=1) + b"\n"
        await asyncio.to_thread(out.write_bytes, content)
    _show(projection)
    if not profile.complete:
        print("The profile is not complete: finish it before this is shown to anyone.")
    return 0


def calls_per_day(volume: str) -> int:
    """Read "50000/day" or "1,500,000/month". Raises LaunchError."""
    match = _VOLUME.match(volume)
    if match is None:
        raise LaunchError(f"{volume!r} is no volume: write for example 50000/day")
    count = int(re.sub(r"[_,]", "", match[1])) // _DAYS[match[2] or "day"]
    if not count:
        raise LaunchError(f"{volume!r} is less than one call a day: write more")
    return count


def read_mix(mix: str | None) -> dict[str, Fraction]:
    """Shares by task, from "task=share,..." or a JSON file of an object; {} for None.

    Raises LaunchError.
    """
    if mix is None:
        return {}
    written: Mapping[str, object]
    if "=" in mix:
        pairs = [part.partition("=") for part in mix.split(",")]
        written = {name.strip(): share for name, _, share in pairs}
    else:
        try:
            written = json.loads(Path(mix).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise LaunchError(
                f"{mix} is neither task=share,... nor a file of JSON: {error}"
            ) from error
    shares = {name: _share(name, value) for name, value in written.items()}
    if not sum(shares.values()):
        raise LaunchError("the mix has no calls: write shares above 0")
    return shares


def _share(name: str, value: object) -> Fraction:
    text = str(value).strip()
    if not _SHARE.match(text):
        raise LaunchError(f"the share of {name} is {text!r}: write a number such as 0.25")
    return Fraction(text.rstrip("%"))


def _show(projection: Projection) -> None:
    console = make_console()
    columns = (
        "task", ">share", ">calls", "tier", ">escalated", ">per call", ">routed", ">all on "
        + projection.strongest_tier, ">saved",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = [
        (
            task.task,
            percent(task.share),
            task.calls,
            task.tier,
            percent(task.escalated),
            dollars(Nanos(task.routed_per_call)),
            dollars(Nanos(task.routed), 2),
            dollars(Nanos(task.strongest), 2),
            _saved(task.routed, task.strongest),
        )
        for task in projection.tasks
    ]
    saved = _saved(projection.routed, projection.strongest)
    totals = (dollars(projection.routed, 2), dollars(projection.strongest, 2), saved)
    rows.append(("all", "", projection.calls, "", "", "", *totals))
    title = f"A month of {projection.calls_per_day} calls a day"
    console.print(sheet(title, columns, rows))
    if projection.simulated:
        console.print("The providers were simulated: a rehearsal, not a forecast.", style="bold")
    if projection.left_out:
        console.print(f"Not in it, for nothing was measured: {', '.join(projection.left_out)}.")
    _show_break_even(projection)


def _show_break_even(projection: Projection) -> None:
    console = make_console()
    found, told = projection.break_even, projection.classifier
    console.print(
        sheet(
            "A bought classifier against rules (Farebox's own cost nothing a call)",
            (">calls a month", ">gain a month"),
            [(f"{volume:,}", dollars(Nanos(gain), 2)) for volume, gain in found.by_volume],
        )
    )
    basis = (
        f"rules place {percent(told.rules_right)} rightly, it {percent(told.right)} for "
        f"{dollars(Nanos(told.per_call))} a call and {dollars(Nanos(told.monthly), 2)} a month"
    )
    verdict = (
        f"pays from {found.calls:,} calls a month on"
        if found.calls is not None
        else "never pays: a call of it costs more than it saves"
    )
    console.print(f"It {verdict} ({basis}).")


def _saved(routed: int, strongest: int) -> str:
    return percent((strongest - routed) * 1000 // strongest) if strongest else "-"
