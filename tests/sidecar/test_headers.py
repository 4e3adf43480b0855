"""Headers of answers: the provider's that pass, and those that only Farebox may set."""

from farebox.core.classify import classify
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.routing import Route, route
from sidecar.events import MoneyHeld
from sidecar.headers import by_name, passed_on, told, told_cost, told_gate
from tests.support.gated import TAGGED, gated_policy
from tests.support.playbook import fields_of
from tests.support.policies import make_call, make_policy, planned


def test_a_provider_can_not_speak_for_farebox_nor_for_the_connection() -> None:
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", b"7"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"close"),
        (b"x-farebox-cost-usd", b"0"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b\xe9"),
    )
    assert passed_on(headers) == (
        b"content-type: application/json\r\nset-cookie: a\r\nset-cookie: b\xe9\r\n"
    )


def test_of_a_repeated_header_the_first_counts() -> None:
    headers = ((b"content-type", b"Text/Event-Stream"), (b"content-type", b"other"))
    assert by_name(headers) == {b"content-type": b"Text/Event-Stream"}


def test_what_farebox_tells() -> None:
    call, policy = make_call(), make_policy()
    chosen = route(planned(call, policy), call, headroom=Nanos(10**9), may_downgrade=False)
    assert isinstance(chosen, Route)
    held = MoneyHeld(route=chosen, hold=HoldId(1), headroom=Nanos(10**9))
    headers = fields_of(told("call-7", held, classify(call, policy)))
    assert headers == {
        "x-farebox-call": "call-7",
        "x-farebox-model": "gpt-4o-mini",
        "x-farebox-tier": "small",
        "x-farebox-estimated-usd": f"0.{chosen.hold:09d}",
        "x-farebox-headroom-usd": "1.000000000",
        "x-farebox-route": "cheapest_sufficient; task_tagged=header:classification",
        "x-farebox-gate": "none",
    }
    assert told_cost(Nanos(1_500)) == b"x-farebox-cost-usd: 0.000001500\r\n"


def test_pools_that_let_a_call_pass_without_the_money_are_told() -> None:
    call, policy = make_call(), make_policy()
    chosen = route(planned(call, policy), call, headroom=Nanos(10**9), may_downgrade=False)
    assert isinstance(chosen, Route)
    held = MoneyHeld(
        route=chosen,
        hold=HoldId(1),
        headroom=None,
        shadow=("team/day", "team/month"),
        unverified=("acme/all",),
    )
    fields = fields_of(told("call-7", held, classify(call, policy)))
    assert fields["x-farebox-shadow"] == "team/day, team/month"
    assert fields["x-farebox-unverified"] == "acme/all"
    assert "x-farebox-headroom-usd" not in fields


def test_what_gates_said_is_told_apart() -> None:
    policy = gated_policy()
    call = make_call(identity=TAGGED)
    found = classify(call, policy)
    chosen = route(planned(call, policy), call, headroom=Nanos(10**9), may_downgrade=False)
    assert isinstance(chosen, Route)
    held = MoneyHeld(route=chosen, hold=HoldId(1), headroom=None)
    assert "x-farebox-gate" not in fields_of(told("call-7", held, found))
    assert fields_of(told_gate("failed:label", 2)) == {
        "x-farebox-gate": "failed:label",
        "x-farebox-escalations": "2",
    }
