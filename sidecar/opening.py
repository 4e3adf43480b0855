"""Which kind of exchange a call gets: one that checks its answer, or one that does not.

The one rule: an answer of high consequence is checked however the caller wants it. This module must
not know what happens to a call later.
"""

from typing import Final

from farebox.core.call import Call
from farebox.core.classify import Classification, classify
from farebox.core.money import Nanos
from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.tasks import StreamGate
from sidecar.attempts import Attempt
from sidecar.dialects.openai_chat import ChatRequest
from sidecar.exchange import Exchange
from sidecar.gated import GatedExchange, is_high
from sidecar.headers import UNGATED

UNCHECKED: Final = "none"
"""What receipts and headers say of an answer that was given without its gates."""


class UncheckedExchange(Exchange):
    """A stream whose task has gates, passed on as it comes because the policy says so."""

    __slots__ = ()

    def _lines_of(self, attempt: Attempt) -> bytes:
        self._story.gate = UNCHECKED
        return super()._lines_of(attempt) + UNGATED


def open_exchange(
    *,
    policy: Policy,
    request: ChatRequest,
    call: Call,
    call_id: str,
    cap: Nanos | None,
    pace: Pace | None = None,
) -> Exchange:
    """Find out what a call is and begin its exchange. `cap` is the most that it may cost."""
    found = classify(call, policy, pace)
    kind: type[Exchange] = Exchange
    if found.gates:
        kind = GatedExchange
        if call.stream and _may_skip(found, policy):
            # Without a check the cheapest is no better than a guess.
            kind, found = UncheckedExchange, found._replace(cascade=False)
    return kind(policy=policy, request=request, call=call, call_id=call_id, cap=cap, found=found)


def _may_skip(found: Classification, policy: Policy) -> bool:
    return policy.routing.streams is StreamGate.SKIP and not is_high(found, policy)
