"""How the money of one attempt ends, by what came back."""

import pytest

from farebox.core.leases import HoldEvent, HoldId
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Route, route
from farebox.core.tiers import Capability, Model
from sidecar.attempts import Attempt, Ending
from sidecar.commands import Expire, Settle, Void
from sidecar.dialects.openai_chat import parse
from sidecar.events import MoneyHeld
from tests.support.playbook import DONE, STOP, USAGE_CHUNK, answer, request_body, word
from tests.support.policies import SMALL, make_call, make_model, make_policy, planned

THINKER = make_model("thinker", "0.15", "0.60", capabilities=frozenset({Capability.REASONING}))
HOLD = (400 + 8 + 32) * 150 + 100 * 600
"""The call of 400 bytes and at most 100 tokens, on the small model."""


def make_attempt(model: Model = SMALL) -> Attempt:
    """An attempt on the small model, or on another with its price."""
    call, policy = make_call(), make_policy()
    chosen = route(planned(call, policy), call, headroom=Nanos(10**9), may_downgrade=False)
    assert isinstance(chosen, Route)
    if model is not SMALL:
        chosen = chosen._replace(candidate=chosen.candidate._replace(model=model))
    held = MoneyHeld(route=chosen, hold=HoldId(3), headroom=Nanos(10**9))
    return Attempt(held, parse(request_body(stream=True)))


def settled(cost: int, reason: Reason) -> Ending:
    return Ending(event=HoldEvent.SETTLE, cost=Nanos(cost), reason=reason)


LOST = Ending(event=HoldEvent.EXPIRE, cost=Nanos(HOLD), reason=Reason.OUTCOME_UNKNOWN)
REPORTED = settled(27_000, Reason.USAGE_REPORTED)


def test_a_whole_answer_with_usage() -> None:
    attempt = make_attempt()
    attempt.collect(answer()[:9])
    attempt.collect(answer()[9:])
    assert attempt.end_whole(attempt.body) == REPORTED
    assert attempt.response_model == "gpt-4o-mini-2024-07-18"
    assert attempt.usage is not None


@pytest.mark.parametrize(
    ("what", "model", "body", "cost"),
    [
        ("what was seen", SMALL, answer("abc", usage=None), 440 * 150 + 3 * 600),
        ("never more than the hold", SMALL, answer("x" * 999, usage=None), HOLD),
        ("what was thought can't be seen", THINKER, answer("abc", usage=None), HOLD),
        ("nothing can be seen", SMALL, b"\xff", HOLD),
    ],
)
def test_a_whole_answer_without_usage(what: str, model: Model, body: bytes, cost: int) -> None:
    attempt = make_attempt(model)
    attempt.collect(body)
    assert attempt.end_whole(attempt.body) == settled(cost, Reason.USAGE_COUNTED)


@pytest.mark.parametrize(
    ("what", "stream", "whole", "ending"),
    [
        ("whole, with usage", word() + STOP + USAGE_CHUNK + DONE, True, REPORTED),
        ("cut after its usage", word() + STOP + USAGE_CHUNK, False, REPORTED),
        ("cut before", word() + STOP, False, LOST),
        (
            "whole, without usage",
            word("abc") + STOP + DONE,
            True,
            settled(440 * 150 + 3 * 600, Reason.USAGE_COUNTED),
        ),
        ("nothing at all", b"", False, LOST),
    ],
)
def test_a_stream(what: str, stream: bytes, whole: bool, ending: Ending) -> None:
    attempt = make_attempt()
    attempt.meter.feed(stream)
    assert attempt.end_stream(whole=whole) == ending


def test_the_order_for_each_ending() -> None:
    attempt, reason = make_attempt(), Reason.PROVIDER_REFUSED
    hold = HoldId(3)
    assert attempt.order(REPORTED) == Settle(
        hold=hold, cost=Nanos(27_000), reason=Reason.USAGE_REPORTED
    )
    assert attempt.order(attempt.end_unbilled(reason)) == Void(hold=hold, reason=reason)
    assert attempt.order(LOST) == Expire(hold=hold, reason=Reason.OUTCOME_UNKNOWN)


def test_the_record_for_the_receipt() -> None:
    attempt = make_attempt()
    attempt.status = 200
    record = attempt.record(REPORTED)
    assert (record.model, record.tier, record.hold) == ("gpt-4o-mini", "small", 3)
    assert (record.held, record.cost, record.status) == (HOLD, 27_000, 200)
    assert record.end is Reason.USAGE_REPORTED
