"""Plays of calls whose answers are checked: how far they have come when a test takes over."""

from typing import Any

from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from sidecar.commands import AttemptRecord
from sidecar.events import MoneyRefused, Phase, TimedOut, UpstreamData, UpstreamHead
from sidecar.refusals import plainly
from tests.support.gated import TAGGED, gated_policy
from tests.support.playbook import JSON, WHOLE, Playbook, answer, fields_of, make_exchange

GOOD = answer("complaint")
BAD = answer("I would say that this is a complaint")
CLOCK = "limit time 30000"
NO_MONEY = MoneyRefused(detail=plainly(Reason.POOL_EXHAUSTED))
LATE = TimedOut(Phase.GATES)


def gated(policy: Policy | None = None, **fields: Any) -> Playbook:
    """A play of a call of the task "mails"."""
    return Playbook(make_exchange(policy or gated_policy(), identity=TAGGED, **fields))


def sent(policy: Policy | None = None, model: str = "gpt-4o-mini", **fields: Any) -> Playbook:
    """A play in which the call has been sent to its first model."""
    play = gated(policy, **fields)
    play.begins("hold")
    play.money(f"forward {model}")
    return play


def answers(play: Playbook, body: bytes, *orders: str) -> None:
    """The provider gives a whole answer."""
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(body))
    play.tells(WHOLE, *orders)


def told(play: Playbook) -> dict[str, str]:
    """The headers of the answer that the caller got."""
    assert play.whole is not None
    return fields_of(play.whole.lines)


def attempts(play: Playbook) -> list[AttemptRecord]:
    """The attempts as the receipt has them."""
    assert play.outcome is not None
    assert play.outcome.cost == sum(one.cost for one in play.outcome.attempts)
    return list(play.outcome.attempts)


def escalating(policy: Policy | None = None, **fields: Any) -> Playbook:
    """A play in which the first answer failed and the next tier is being asked."""
    play = sent(policy, **fields)
    first = "settle 1 27000 usage_reported"
    answers(play, BAD, first, CLOCK, "hold but gpt-4o-mini")
    play.money("forward gpt-4o")
    return play
