"""The story of one call: what was decided and done for it, kept until its receipt is written.

The one rule: it only grows while the call lives, and it never keeps a prompt or a secret. This
module must not know what to do next.
"""

from collections.abc import Sequence

import msgspec

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.gates import Verdict
from farebox.core.money import Nanos
from farebox.core.routing import Plan, Route
from farebox.core.usage import Usage
from sidecar.attempts import Attempt, Ending
from sidecar.commands import Asked, AttemptRecord, Outcome, Purpose
from sidecar.refusals import RefusalDetail

STATUS_CALLER_GONE = 499
"""What receipts show, as several proxies do, for a caller that did not wait for its answer."""


class Story:
    """Collects the attempts of a call. `cost`, `gate` and `escalations` are as in `Outcome`."""

    __slots__ = (
        "_call",
        "_plan",
        "_response_model",
        "_route",
        "_served",
        "_usage",
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
        self._served: AttemptRecord | None = None
        self._usage: Usage | None = None
        self._response_model = ""

    def add(self, attempt: Attempt, ending: Ending) -> None:
        """An attempt at the caller's answer has ended."""
        record = attempt.record(ending)
        self.attempts.append(record)
        self.cost += ending.cost
        self._route = attempt.held.route
        if attempt.usage is not None or attempt.response_model:
            self._served = record
            self._usage, self._response_model = attempt.usage, attempt.response_model

    def add_aside(self, attempt: Attempt, ending: Ending, purpose: Purpose) -> None:
        """An attempt has ended that was made to judge an answer."""
        self.attempts.append(attempt.record(ending, purpose))
        self.cost += ending.cost

    def serve(self, attempt: Attempt, record: AttemptRecord) -> None:
        """It is this attempt's answer that the caller gets."""
        self._served, self._route = record, attempt.held.route
        self._usage, self._response_model = attempt.usage, attempt.response_model

    def judge(self, at: int, verdicts: Sequence[Verdict]) -> None:
        """What gates said of the answer of the attempt at this place."""
        judged = msgspec.structs.replace(self.attempts[at], verdicts=tuple(verdicts))
        self.attempts[at] = judged

    def outcome(self, *, status: int, refused: RefusalDetail | None, caller_gone: bool) -> Outcome:
        """The whole story, now that the call is over."""
        served = self._served
        rejected = self._plan.rejected if self._route is None else self._route.rejected
        if refused is not None and refused.rejected:
            rejected = refused.rejected
        return Outcome(
            call_id=self.call_id,
            identity=self._call.identity,
            model_asked=self._call.model,
            stream=self._call.stream,
            status=STATUS_CALLER_GONE if caller_gone else status,
            refused=refused.reason if refused is not None else None,
            refused_pool=refused.pool if refused is not None else "",
            caller_gone=caller_gone,
            task=self.found.task,
            difficulty=self.found.difficulty,
            rule=f"{self.found.reason}={self.found.rule}",
            route=self._route.reason if self._route is not None else None,
            model=served.model if served is not None else "",
            tier=served.tier if served is not None else "",
            response_model=self._response_model,
            rejected=rejected,
            attempts=tuple(self.attempts),
            usage=self._usage,
            cost=Nanos(self.cost),
            gate=self.gate,
            escalations=self.escalations,
            asked=_asked(self._call),
        )


def _asked(call: Call) -> Asked:
    return Asked(
        call.body_bytes,
        call.turns,
        call.output_tokens,
        call.choices,
        call.tools,
        call.images,
        call.json_schema,
    )
