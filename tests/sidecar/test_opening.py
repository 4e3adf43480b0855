"""Which kind of exchange a call gets."""

from typing import Any

import pytest

from farebox.core.policy import Policy
from farebox.core.tasks import ClassifierKind, Consequence, RoutingPolicy, StreamGate
from sidecar.exchange import Exchange
from sidecar.gated import GatedExchange
from sidecar.opening import UncheckedExchange
from tests.support.gated import TAGGED, gated_policy
from tests.support.playbook import make_exchange
from tests.support.policies import make_policy

SKIP = RoutingPolicy(streams=StreamGate.SKIP, classifier=ClassifierKind.CASCADE)


@pytest.mark.parametrize(
    ("what", "policy", "fields", "kind"),
    [
        ("a task without gates", make_policy(), {}, Exchange),
        ("a task with gates", gated_policy(), {}, GatedExchange),
        ("a stream is gated too", gated_policy(), {"stream": True}, GatedExchange),
        ("a plain call where streams skip", gated_policy(routing=SKIP), {}, GatedExchange),
        (
            "a stream where streams skip",
            gated_policy(routing=SKIP),
            {"stream": True},
            UncheckedExchange,
        ),
        (
            "a stream of high consequence",
            gated_policy(routing=SKIP, consequence=Consequence.HIGH),
            {"stream": True},
            GatedExchange,
        ),
    ],
)
def test_what_a_call_gets(
    what: str, policy: Policy, fields: dict[str, Any], kind: type[Exchange]
) -> None:
    assert type(make_exchange(policy, identity=TAGGED, **fields)) is kind


def test_a_stream_that_is_not_checked_does_not_begin_with_a_gamble() -> None:
    policy = gated_policy(routing=SKIP, default_tier="mid")
    unchecked = make_exchange(policy, identity=TAGGED, stream=True)
    checked = make_exchange(policy, identity=TAGGED)
    firsts = [
        next(c.model.name for c in one._plan.candidates if c.sufficient)
        for one in (unchecked, checked)
    ]
    assert firsts == ["gpt-4o", "gpt-4o-mini"]
