"""What is wanted of one (sub-)pool: for the calls that wait, and for those that will follow.

The one rule: nothing is wanted for a call that finds its money already. This module must not know
messages' numbers, time or who is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from farebox.core.budgets import Charge
from farebox.core.instant import DurationMs
from farebox.core.money import ZERO, Nanos
from farebox.wire.messages import Want
from sidecar.demand import NOTHING_KNOWN, Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A call that waits for money: what it wants held in all, and what its smallest form takes."""

    need: Nanos
    least: Nanos


def want_of(
    charge: Charge,
    calls: Sequence[Waiting],
    headroom: Nanos | None,
    demand: Demand | None,
    horizon: DurationMs,
) -> Want | None:
    """What to ask for; None where nothing is lacking.

    `headroom` is what the lease has free; None without a lease whose window goes on. What is asked
    for beyond the calls that wait is to last for `horizon`.
    """
    free = ZERO if headroom is None else headroom
    # The first call of a pool asks for those that will follow it, not for itself alone.
    first = Demand(last=calls[0].need) if calls else NOTHING_KNOWN
    target = (demand or first).target(horizon)
    if not calls:
        missing = Nanos(max(0, target - free))
        return Want(charge=charge, want=missing, need=ZERO, least=ZERO) if missing else None
    need = calls[0].need - free
    if need <= 0 and headroom is not None:
        return None
    total = sum(call.need for call in calls) - free
    least = min(call.least for call in calls) - free
    return Want(
        charge=charge,
        want=Nanos(max(need, total) + target),
        need=Nanos(max(1, need)),
        least=Nanos(max(1, min(need, least))),
    )
