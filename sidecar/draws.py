"""Which (sub-)pools a call draws on, worked out once for all calls that say the same of themselves.

The one rule: what is remembered belongs to one policy and is gone with it. This module must not
know leases or money.
"""

from dataclasses import dataclass
from typing import Final

from farebox.core.budgets import Charge, Mode, Pool, WhenDisconnected, charges_of
from farebox.core.call import Identity
from farebox.core.instant import DurationMs
from farebox.core.policy import Policy

REMEMBERED_MAX: Final = 4_096
"""So many different callers are remembered; then all of them are forgotten at once."""

DEFER_MS_DEFAULT: Final = DurationMs(30_000)
"""So long a call waits in line where its pool does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The (sub-)pools of a call, leaves first, and the pool of each.

    `enforced` are those that refuse what they have no money for, `strict` those that do so also
    while the controller is away. Where all do, nothing is `lenient`. `defer_for`: how long a call
    may wait in line, the shortest of its pools' own.
    """

    charges: tuple[Charge, ...]
    pools: tuple[Pool, ...]
    enforced: tuple[Charge, ...]
    strict: tuple[Charge, ...]
    lenient: bool
    defer_for: DurationMs

    def binding(self, *, away: bool) -> tuple[Charge, ...]:
        """The (sub-)pools that may refuse now."""
        return self.strict if away else self.enforced


def draw_of(policy: Policy, identity: Identity) -> Draw:
    """Work out what a call draws on."""
    charges = charges_of(policy.pools, identity.keys, identity.priority)
    by_uid = {pool.uid: pool for pool in policy.pools}
    pools = {charge: by_uid[charge.pool] for charge in charges}
    enforced = tuple(charge for charge in charges if pools[charge].mode is Mode.ENFORCE)
    spend_lease = WhenDisconnected.SPEND_LEASE
    strict = tuple(c for c in enforced if pools[c].when_disconnected is spend_lease)
    return Draw(
        charges=charges,
        pools=tuple(pools.values()),
        enforced=enforced,
        strict=strict,
        lenient=strict != charges,
        defer_for=min(
            (pool.defer_for for pool in pools.values() if pool.defer_for is not None),
            default=DEFER_MS_DEFAULT,
        ),
    )


class Draws:
    """What calls draw on under the newest policy seen."""

    __slots__ = ("_known", "_policy")

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._known: dict[tuple[str, str, str, str], Draw] = {}

    def of(self, policy: Policy, identity: Identity) -> Draw:
        """The draw of a call."""
        if policy is not self._policy:
            self._policy = policy
            self._known.clear()
        keys = identity.keys
        caller = (keys.session, keys.user, keys.workflow, identity.priority)
        known = self._known.get(caller)
        if known is None:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            known = self._known[caller] = draw_of(policy, identity)
        return known
