"""The story of one call: what was decided and done for it, kept until its receipt is written.

The one rule: it only grows while the call lives, and it never keeps a prompt or a secret. This
module must not know what to do next.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.gates import Verdict
from farebox.core.leases import HoldId
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Plan, Route
from sidecar.attempts import Attempt, Ending
from sidecar.commands import Asked, AttemptRecord, Outcome, Purpose
from sidecar.refusals import RefusalDetail

_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes one."""

_NONE_SERVED: Final = AttemptRecord(
    model="", tier="", hold=HoldId(0), held=ZERO, cost=ZERO, end=Reason.NOTHING_SENT, status=0
)
"""In place of the attempt whose answer the caller gets, until there is one."""

STATUS_CALLER_GONE = 499
"""What receipts show, as several proxies do, for a caller that did not wait for its answer."""


class Story:
    """Collects the attempts of a call. `cost`, `gate` and `escalations` are as in `Outcome`."""

    __slots__ = (
        "_call",
        "_plan",
        "_route",
        "_served",
        "attempts",
        "call_id",
        "cost",
        "escalations",
        "found",
        "gate",
    )

    def __init__(self, call_id: str, call: Call, found: Classification, plan: Plan) -> None:
        self.call_id = call_id
        self.found = found
        self.attempts: list[AttemptRecord] = []
        self.gate = ""
        self.escalations = 0
        self.cost = 0
        self._call = call
        self._plan = plan
        self._route: Route | None = None
        self._served = _NONE_SERVED

    def add(self, attempt: Attempt, ending: Ending) -> None:
        """An attempt at the caller's answer has ended."""
        record = attempt.record(ending)
        self.attempts.append(record)
        self.cost += ending.cost
        self._route = attempt.held.route
        if attempt.usage is not None or attempt.response_model:
            self._served = record

    def add_aside(self, attempt: Attempt, ending: Ending, purpose: Purpose) -> None:
        """An attempt has ended that was made to judge an answer."""
        self.attempts.append(attempt.record(ending, purpose))
        self.cost += ending.cost

    def serve(self, attempt: Attempt, record: AttemptRecord) -> None:
        """It is this attempt's answer that the caller gets."""
        self._served, self._route = record, attempt.held.route

    def judge(self, at: int, verdicts: Sequence[Verdict]) -> None:
        """What gates said of the answer of the attempt at this place."""
        judged = msgspec.structs.replace(self.attempts[at], verdicts=tuple(verdicts))
        self.attempts[at] = judged

    def outcome(self, *, status: int, refused: RefusalDetail | None, caller_gone: bool) -> Outcome:
        """The whole story, now that the call is over."""
        call, found, route, served = self._call, self.found, self._route, self._served
        rejected = self._plan.rejected if route is None else route.rejected
        if refused is not None and refused.rejected:
            rejected = refused.rejected
        return Outcome(
            call_id=self.call_id,
            identity=call.identity,
            model_asked=call.model,
            stream=call.stream,
            status=STATUS_CALLER_GONE if caller_gone else status,
            refused=refused.reason if refused is not None else None,
            refused_pool=refused.pool if refused is not None else "",
            caller_gone=caller_gone,
            task=found.task,
            difficulty=found.difficulty,
            rule=f"{found.reason}={found.rule}",
            route=route.reason if route is not None else None,
            model=served.model,
            tier=served.tier,
            response_model=served.response_model,
            rejected=rejected,
            attempts=tuple(self.attempts),
            usage=served.usage,
            cost=Nanos(self.cost),
            gate=self.gate,
            escalations=self.escalations,
            asked=_asked(call),
        )


def _asked(call: Call) -> Asked:
    asked = (
        call.body_bytes,
        call.turns,
        call.output_tokens,
        call.choices,
        call.tools,
        call.images,
        call.json_schema,
    )
    return _new(Asked, asked)
