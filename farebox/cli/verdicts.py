"""What a run has shown, in one line and one exit status.

The one rule: a cap that did not hold outweighs everything else. This module must not know where the
figures come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from farebox.cli.reports import CapLine, TaskLine, Totals
from farebox.core.money import format_dollars

HELD: Final = 0
CAP_BROKEN: Final = 1
ELSE_BROKEN: Final = 2

FAILED_PERCENT_MAX: Final = 10
"""The provider's faults may cost so many calls; more means that something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An exit status and its sentence."""

    status: int
    line: str


def verdict(
    caps: Sequence[CapLine], totals: Totals, tasks: Sequence[TaskLine], *, excused: int = 0
) -> Verdict:
    """Judge a run: the caps first, then the books, then whether callers were served.

    `excused` of the failed calls went to a process that was killed.
    """
    broken = [line for line in caps if not line.kept]
    if broken:
        worst = max(broken, key=lambda line: line.percent)
        return Verdict(
            status=CAP_BROKEN,
            line=f"CAP BROKEN: the provider billed ${format_dollars(worst.billed)} against the "
            f"${format_dollars(worst.limit, 2)} of {worst.title}.",
        )
    if wrong := _what_else_is_wrong(caps, totals, tasks, excused):
        return Verdict(status=ELSE_BROKEN, line=f"NOT SHOWN: {wrong}")
    return Verdict(status=HELD, line=_success(caps, totals, tasks))


def _what_else_is_wrong(
    caps: Sequence[CapLine], totals: Totals, tasks: Sequence[TaskLine], excused: int
) -> str:
    calls, served = sum(line.calls for line in tasks), sum(line.served for line in tasks)
    failed = sum(line.failed for line in tasks) - excused
    if not caps:
        return "no pool caps these calls."
    if not served or not totals.billed_calls:
        return "no call was served."
    if failed * 100 > calls * FAILED_PERCENT_MAX:
        return f"{failed} of {calls} calls failed, more than faults explain."
    short = next((line for line in caps if not line.accounted), None)
    if short is not None:
        return f"the controller counts less for {short.title} than the provider billed."
    return ""


def _success(caps: Sequence[CapLine], totals: Totals, tasks: Sequence[TaskLine]) -> str:
    calls, served = sum(line.calls for line in tasks), sum(line.served for line in tasks)
    refused, failed = sum(line.refused for line in tasks), sum(line.failed for line in tasks)
    tightest = max(caps, key=lambda line: line.percent)
    return (
        f"CAP HELD: billed ${format_dollars(totals.billed, 4)}, no pool above its limit "
        f"(tightest: {tightest.title}, {tightest.percent} % of "
        f"${format_dollars(tightest.limit, 2)}); {served} of {calls} calls served, {refused} "
        f"refused, {failed} lost to kills and faults; about {totals.saved_percent} % saved "
        "against everything on the frontier."
    )
