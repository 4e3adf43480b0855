"""Which tier a task should go to by default, from measured pass rates and the policy's thresholds.

The lowest tier that passes often enough is taken as it is; one that passes a little less often is
taken with monitoring (its gates and the alert on escalations); below that it is a tier up. The one
rule: the thresholds are the RoutingPolicy's, and a proposal says how sure its rate is. This module
must not know how a rate was measured.
"""

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

from farebox.core.tasks import Consequence, RoutingPolicy
from farebox.launch.measures import Cell

SAMPLES_MIN: Final = 30
"""With fewer answered samples of a task, a rate is a guess (50 to 100 are advised)."""


class Trust(enum.StrEnum):
    """How far the measured rate carries a proposal."""

    TRUSTED = "trusted"
    MONITORED = "monitored"
    INSUFFICIENT = "insufficient"
    """No tier passes often enough; the highest one is proposed."""
    UNMEASURED = "unmeasured"
    """No gates, or no answers: nothing is proposed."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A tier for a task. Rates in thousandths; `says` is one sentence for people."""

    task: str
    tier: str
    trust: Trust
    rate: int = 0
    low: int = 0
    high: int = 0
    says: str = ""


def propose(
    task: str,
    cells: Sequence[Cell],
    routing: RoutingPolicy,
    consequence: Consequence = Consequence.LOW,
) -> Proposal:
    """Propose a tier. `cells` are those of the task, lowest tier first, gated ones only.

    Where a wrong answer costs much, monitoring comes too late: only a trusted rate counts.
    """
    enough = routing.pass_rate_monitored
    if consequence is Consequence.HIGH:
        enough = routing.pass_rate_trusted
    most = max((cell.answered for cell in cells), default=0)
    # A tier that could answer hardly any of the samples is not chosen for those few.
    measured = [cell for cell in cells if cell.answered >= max(1, min(SAMPLES_MIN, most))]
    if not measured:
        return Proposal(
            task=task, tier="", trust=Trust.UNMEASURED, says="nothing was measured: add gates"
        )
    for cell in measured:
        if cell.rate >= enough:
            trusted = cell.rate >= routing.pass_rate_trusted
            return _of(cell, Trust.TRUSTED if trusted else Trust.MONITORED, routing)
    return _of(measured[-1], Trust.INSUFFICIENT, routing)


def _of(cell: Cell, trust: Trust, routing: RoutingPolicy) -> Proposal:
    return Proposal(
        task=cell.task,
        tier=cell.tier,
        trust=trust,
        rate=cell.rate,
        low=cell.low,
        high=cell.high,
        says=_sentence(cell, trust, routing),
    )


def _sentence(cell: Cell, trust: Trust, routing: RoutingPolicy) -> str:
    said = {
        Trust.TRUSTED: "is good enough",
        Trust.MONITORED: "is good enough with monitoring",
        Trust.INSUFFICIENT: "is the best there is, and not good enough",
    }[trust]
    rate = f"{percent(cell.rate)} of {cell.answered}"
    text = f"{cell.tier} {said}: {rate} pass (95 % interval from {percent(cell.low)})"
    if trust is Trust.TRUSTED and cell.low < routing.pass_rate_monitored:
        text += f"; the lower end is under {percent(routing.pass_rate_monitored)}: try more samples"
    if cell.answered < SAMPLES_MIN:
        text += f"; under {SAMPLES_MIN} samples, so take it as a guess"
    return text


def percent(thousandths: int) -> str:
    """A rate for people: "97.5 %"."""
    sign = "-" if thousandths < 0 else ""
    whole, tenth = divmod(abs(thousandths), 10)
    return f"{sign}{whole}.{tenth} %" if tenth else f"{sign}{whole} %"
