"""What a call asks its pools for: pure questions about one call that needs money.

The one rule: the answers depend on the call and its policy only, never on what there is. This
module must not know leases, tasks or time.
"""

from collections.abc import Sequence
from typing import NamedTuple

from farebox.core.budgets import NO_KEY, OnExhausted, Pool
from farebox.core.call import Call, Priority
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.routing import NoFit, Plan, Route, route
from sidecar.draws import Draw
from sidecar.events import MoneyRefused
from sidecar.purse import UNBOUNDED
from sidecar.shortage import too_large


class Ask(NamedTuple):
    """One call that needs money, with what never changes while it waits.

    `target` is what it would have with money in plenty; `number` names it among those that wait.
    """

    plan: Plan
    call: Call
    tried: frozenset[str]
    cap: Nanos
    draw: Draw
    target: Route
    number: int

    @property
    def caller(self) -> str:
        """Whose turn in a waiting line is used up by the call."""
        keys = self.call.identity.keys
        return next((k for k in (keys.user, keys.session, keys.workflow) if k != NO_KEY), NO_KEY)


def limit_of(cap: Nanos | None) -> Nanos:
    """The bound of one call as an amount."""
    return UNBOUNDED if cap is None else cap


def target_of(
    plan: Plan, call: Call, policy: Policy, tried: frozenset[str], cap: Nanos | None
) -> Route | MoneyRefused:
    """What the call would have with money in plenty, within its own cap."""
    capping, limit = policy.request_cap, limit_of(cap)
    lower = capping is not None and OnExhausted.DOWNGRADE in capping.on_exhausted
    target = route(plan, call, headroom=limit, may_downgrade=cap is not None and lower, tried=tried)
    if isinstance(target, NoFit):
        return MoneyRefused(detail=too_large(target, cap=limit, pool=capping))
    return target


def least_of(ask: Ask) -> Nanos:
    """What the smallest form of the call would hold."""
    choice = route(ask.plan, ask.call, headroom=ZERO, may_downgrade=True, tried=ask.tried)
    return choice.least if isinstance(choice, NoFit) else choice.hold


def options_of(short: Sequence[Pool], priority: Priority) -> tuple[OnExhausted, ...]:
    """What may be tried, in the order of the first pool that is short, where all of them allow it.

    Nothing stands behind a REJECT. A call of high priority is never put off.
    """
    if not short:
        # The money came while this was asked: whatever there is may be taken.
        return (OnExhausted.DOWNGRADE,)
    first, *others = (_until_rejected(pool.on_exhausted) for pool in short)
    allowed = (option for option in first if all(option in other for other in others))
    return tuple(
        option
        for option in allowed
        if option is not OnExhausted.DEFER or priority is Priority.NORMAL
    )


def _until_rejected(options: tuple[OnExhausted, ...]) -> tuple[OnExhausted, ...]:
    if OnExhausted.REJECT in options:
        return options[: options.index(OnExhausted.REJECT)]
    return options
