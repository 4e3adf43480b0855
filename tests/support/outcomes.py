"""Outcomes of calls for tests of what is kept and counted of them."""

from typing import Any

import msgspec

from farebox.core.budgets import Keys
from farebox.core.call import Identity
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Rejected
from farebox.core.usage import Usage
from sidecar.commands import AttemptRecord, Outcome
from sidecar.receipts import Receipt

ATTEMPT = AttemptRecord(
    model="gpt-4o-mini",
    tier="small",
    hold=HoldId(7),
    held=Nanos(33_300),
    cost=Nanos(27_000),
    end=Reason.USAGE_REPORTED,
    status=200,
)

OUTCOME = Outcome(
    call_id="call-1",
    identity=Identity(keys=Keys(user="ana"), task="tag"),
    model_asked="farebox/auto",
    stream=False,
    status=200,
    refused=None,
    refused_pool="",
    caller_gone=False,
    task="classification",
    difficulty=350,
    rule="task_tagged=header:classification",
    route=Reason.CHEAPEST_SUFFICIENT,
    model="gpt-4o-mini",
    tier="small",
    response_model="gpt-4o-mini-2024-07-18",
    rejected=(Rejected(model="o1", reason=Reason.COSTS_MORE),),
    attempts=(ATTEMPT,),
    usage=Usage(input=100, output=20, call=1),
    cost=Nanos(27_000),
)


def make_outcome(**changes: Any) -> Outcome:
    """A served call, with changes."""
    return msgspec.structs.replace(OUTCOME, **changes)


def make_receipt(**changes: Any) -> Receipt:
    """The receipt of a served call, with changes to its outcome."""
    return Receipt(
        at=UtcMs(1_790_000_000_000), duration=DurationMs(40), outcome=make_outcome(**changes)
    )
