"""What a run of an exchange needs around it, and how its call came in.

The one rule: these are shapes only, so that each part can be another one in a test. This module
must not know what is done with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from farebox.core.call import Call
from farebox.core.gates import Case, Gate, Verdict
from farebox.core.instant import BootMs, UtcMs
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Plan
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import Jobs
from sidecar.commands import Outcome
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.inbound.request import Head
from sidecar.receipts import Receipt, no_prompt
from sidecar.upstream.pool import Pool


class Money(Protocol):
    """Who holds and settles money; see `sidecar.cashier`.

    `hold` may be cancelled at any time and then leaves nothing held.
    """

    def hold_now(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused | None: ...

    async def hold(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused: ...

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None: ...

    def void(self, hold_id: HoldId, reason: Reason) -> None: ...

    def expire(self, hold_id: HoldId, reason: Reason) -> None: ...

    def may_send(self, hold_id: HoldId) -> bool: ...


def unpaced(_: Call, __: Policy) -> Pace | None:
    """The pace of every call where nobody paces."""
    return None


class Functions(Protocol):
    """Who runs gates that are the user's own functions; see `farebox.gates.functions`.

    `judge` may be cancelled at any time.
    """

    async def judge(self, gate: Gate, answer: str, case: Case) -> Verdict: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long is waited for what, in milliseconds."""

    head_ms_max: int
    body_ms_max: int
    send_ms_max: int
    drain_ms_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every run needs, made once.

    `secret` gives the value of an environment variable, "" when it is not set; `finished` takes the
    receipt; `pace` says how choosy a call's pools make its route; `prompt_kept` gives what the
    receipt keeps of the call's prompt.
    """

    money: Money
    pool: Pool
    jobs: Jobs
    clock: Clock
    waits: Waits
    secret: Callable[[str], str]
    finished: Callable[[Receipt], None]
    functions: Functions
    pace: Callable[[Call, Policy], Pace | None] = unpaced
    prompt_kept: Callable[[Call, Outcome], str] = no_prompt


class Caller(Protocol):
    """Where the answer goes; see `sidecar.inbound.connection`. A caller that goes cancels."""

    @property
    def is_slow(self) -> bool: ...

    async def taken(self, *, ms_max: int) -> None: ...

    def tell(self, status: int, lines: bytes, body: bytes) -> None: ...

    def begin(self, status: int, lines: bytes) -> None: ...

    def pass_on(self, data: bytes) -> None: ...

    def complete(self) -> None: ...


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a call came in. `provider` is the one that the caller's path names."""

    head: Head
    caller: Caller
    call_id: str
    provider: str
    at: UtcMs
    since: BootMs
