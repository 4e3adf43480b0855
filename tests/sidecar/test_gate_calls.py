"""The calls that gates make: to whom, for how much, and with what data."""

import json
from dataclasses import replace

import pytest

from farebox.core.call import Identity
from farebox.core.classify import classify
from farebox.core.gates import Case, Gate
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Route, route
from farebox.gates.panel import Ask, Panel
from sidecar.commands import Purpose
from sidecar.dialects.openai_chat import call_of, parse
from sidecar.events import MoneyHeld
from sidecar.gate_calls import GateCall, gate_call
from tests.support.desks import Desk
from tests.support.gated import AGREEMENT, GRADER, TAGGED, gated_policy
from tests.support.playbook import request_body

CASE = Case("Is it late?")


def made(gate: Gate, identity: Identity = TAGGED, policy: Policy | None = None) -> GateCall | str:
    """The call that a gate needs for an answer to a call with three choices."""
    policy = policy or gated_policy(gate)
    request = parse(request_body(n=3, max_tokens=50))
    call = call_of(request, path="/v1/chat/completions", identity=identity)
    need = Panel((gate,), ("yes",), CASE, served="gpt-4o").next()
    assert isinstance(need, Ask)
    return gate_call(need, request, call, classify(call, policy), policy)


def taken(call: GateCall) -> Route:
    """What it takes with money in plenty."""
    chosen = route(call.plan, call.call, headroom=Nanos(10**12), may_downgrade=False)
    assert isinstance(chosen, Route)
    return chosen


def test_a_grade_costs_its_own_text_and_a_few_tokens() -> None:
    call = made(GRADER)
    assert isinstance(call, GateCall)
    chosen = taken(call)
    body = json.loads(call.body_for(chosen))
    assert (call.purpose, body["model"], body["max_tokens"]) == (Purpose.GRADE, "gpt-4o-mini", 16)
    assert call.call.body_bytes == len(call.body_for(chosen))
    assert chosen.hold == (call.call.body_bytes + 2 * 8 + 32) * 150 + 16 * 600
    assert chosen.reason is Reason.MODEL_PINNED
    assert call.call.identity is TAGGED


def test_a_grade_is_never_asked_for_in_fewer_tokens() -> None:
    call = made(GRADER)
    assert isinstance(call, GateCall)
    short = Nanos(taken(call).hold - 1)
    assert not isinstance(route(call.plan, call.call, headroom=short, may_downgrade=True), Route)


def test_a_second_answer_costs_one_choice_of_the_same_question() -> None:
    call = made(AGREEMENT)
    assert isinstance(call, GateCall)
    chosen = taken(call)
    body = json.loads(call.body_for(chosen))
    assert (call.purpose, body["model"], body["max_tokens"]) == (Purpose.SECOND, "gpt-4o-mini", 50)
    assert "n" not in body
    assert chosen.hold == (call.call.body_bytes + 8 + 32) * 150 + 50 * 600


@pytest.mark.parametrize("gate", [GRADER, AGREEMENT])
def test_what_must_stay_in_its_region_is_not_shown_to_a_model_outside(gate: Gate) -> None:
    why = "the gate's model may not see this call's data"
    assert made(gate, Identity(task="mails", residency=("eu",))) == why
    assert made(gate, policy=gated_policy(gate, residency=("eu",))) == why


def test_a_model_that_nobody_lists_is_not_asked() -> None:
    assert made(replace(GRADER, model="gone")) == "no tier lists the gate's model"


@pytest.mark.parametrize(("team", "is_held"), [(10**9, True), (1_000, False)])
def test_the_question_of_a_gate_has_to_fit_every_pool_of_the_call(team: int, is_held: bool) -> None:
    policy, desk = gated_policy(GRADER), Desk(org=10**9, team=team)
    call = made(GRADER, policy=policy)
    assert isinstance(call, GateCall)
    held = desk.cashier.hold_now(call.plan, call.call, policy)
    assert isinstance(held, MoneyHeld) is is_held
    taken_ = taken(call).hold if is_held else 0
    assert [lease.reserved for lease in desk.purse.leases()] == [taken_, taken_]
