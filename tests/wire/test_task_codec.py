"""Tasks and routing survive the wire, and what a sidecar could not decide with is refused."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given

from farebox.core.gates import Gate, GateKind
from farebox.core.policy import Policy
from farebox.core.tasks import (
    AfterGates,
    Baseline,
    Consequence,
    Escalation,
    RoutingPolicy,
    StreamGate,
    TaskMatch,
    TaskProfile,
)
from farebox.wire import task_codec
from farebox.wire.checks import CodecError
from farebox.wire.policy_codec import decode_policy, encode_policy
from farebox.wire.task_codec import routing, routing_out, task, task_out
from farebox.wire.v1 import policy_pb2 as pb
from tests.wire.strategies import routings, tasks

TRIAGE = TaskProfile(
    name="triage",
    match=TaskMatch(aliases=("team/triage",)),
    default_tier="small",
    gates=(Gate(name="known", kind=GateKind.NUMERIC, minimum=Decimal("0.5")),),
    baseline=Baseline(
        measured="2026-11-01", samples=200, catalogue="0a1b2c3d4e5f", pass_rates=(("small", 970),)
    ),
)
POLICY = Policy(tasks=(TRIAGE,))


@given(tasks)
def test_a_task_arrives_as_it_was_sent(sent: TaskProfile) -> None:
    message = pb.Task.FromString(task_out(sent).SerializeToString())
    assert task(message, "policy.tasks[0]") == sent


@given(routings)
def test_routing_arrives_as_it_was_sent(sent: RoutingPolicy) -> None:
    assert routing(pb.Routing.FromString(routing_out(sent).SerializeToString())) == sent


def test_a_controller_of_an_earlier_version_knows_no_escalation_and_no_streams() -> None:
    message = task_out(TRIAGE)
    message.ClearField("escalation")
    assert task(message, "policy.tasks[0]").escalation == Escalation()
    said = routing_out(RoutingPolicy())
    said.ClearField("streams")
    assert routing(said).streams is StreamGate.BUFFER


def test_high_consequence_refuses_whatever_was_sent() -> None:
    message = task_out(TRIAGE)
    message.consequence = Consequence.HIGH
    assert task(message, "policy.tasks[0]").escalation.after is AfterGates.REFUSE


BAD_TASKS: list[tuple[str, Callable[[pb.Policy], object], str]] = [
    (
        "a task without a name",
        lambda m: setattr(m.tasks[0], "name", ""),
        "policy.tasks[0].name is empty",
    ),
    (
        "a task without a tier",
        lambda m: setattr(m.tasks[0], "default_tier", ""),
        "policy.tasks[0].default_tier is empty",
    ),
    (
        "a consequence that nobody knows",
        lambda m: setattr(m.tasks[0], "consequence", "Dire"),
        "policy.tasks[0].consequence is 'Dire'",
    ),
    (
        "more aliases than a task may have",
        lambda m: m.tasks[0].aliases.extend(["x"] * task_codec.MATCHES_MAX),
        "policy.tasks[0].aliases has 1025 entries",
    ),
    (
        "a classifier that nobody knows",
        lambda m: setattr(m.routing, "classifier", "Oracle"),
        "policy.routing.classifier is 'Oracle'",
    ),
    (
        "a freedom that nobody knows",
        lambda m: setattr(m.routing, "freedom", "Total"),
        "policy.routing.freedom is 'Total'",
    ),
    (
        "an answer of no length by default",
        lambda m: setattr(m.routing, "output_tokens_default", 0),
        "policy.routing.output_tokens_default is 0",
    ),
    (
        "a gate of a kind that nobody knows",
        lambda m: setattr(m.tasks[0].gates[0], "kind", "Feeling"),
        "policy.tasks[0].gates[0].kind is 'Feeling'",
    ),
    (
        "a gate without a name",
        lambda m: setattr(m.tasks[0].gates[0], "name", ""),
        "policy.tasks[0].gates[0].name is empty",
    ),
    (
        "more gates than a task may have",
        lambda m: m.tasks[0].gates.extend([pb.Gate()] * 8),
        "policy.tasks[0].gates has 9 entries",
    ),
    (
        "a bound that is no number",
        lambda m: setattr(m.tasks[0].gates[0], "minimum", "much"),
        "policy.tasks[0].gates[0].minimum is 'much': it must be a decimal number",
    ),
    (
        "a bound without end",
        lambda m: setattr(m.tasks[0].gates[0], "maximum", "Infinity"),
        "policy.tasks[0].gates[0].maximum is 'Infinity'",
    ),
    (
        "a pass mark above all marks",
        lambda m: setattr(m.tasks[0].gates[0], "pass_mark", 1_001),
        "policy.tasks[0].gates[0].pass_mark is 1001",
    ),
    (
        "a pattern beyond its bound",
        lambda m: setattr(m.tasks[0].gates[0], "pattern", "x" * 1_001),
        "policy.tasks[0].gates[0].pattern has 1001 characters",
    ),
    (
        "steps below none",
        lambda m: setattr(m.tasks[0].escalation, "steps_max", -1),
        "policy.tasks[0].escalation.steps_max is -1",
    ),
    (
        "an end that nobody knows",
        lambda m: setattr(m.tasks[0].escalation, "after", "Shrug"),
        "policy.tasks[0].escalation.after is 'Shrug'",
    ),
    (
        "a tier that passes more than all",
        lambda m: setattr(m.tasks[0].baseline.pass_rates[0], "rate", 1_001),
        "policy.tasks[0].baseline.pass_rates[small] is 1001",
    ),
    (
        "a stream gate that nobody knows",
        lambda m: setattr(m.routing, "streams", "Guess"),
        "policy.routing.streams is 'Guess'",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [case[1:] for case in BAD_TASKS],
    ids=[case[0] for case in BAD_TASKS],
)
def test_a_malformed_task_is_refused(spoil: Callable[[pb.Policy], object], sentence: str) -> None:
    message = encode_policy(POLICY, epoch=1)
    assert decode_policy(message) == POLICY
    spoil(message)
    with pytest.raises(CodecError) as caught:
        decode_policy(message)
    assert sentence in str(caught.value)
