"""The life of a call whose answers are checked: gates that ask a function or a model."""

import json

import pytest

from farebox.core.gates import Verdict
from sidecar.commands import Purpose
from sidecar.events import (
    Event,
    HoldLapsed,
    Judged,
    UpstreamData,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import State
from tests.support.gated import (
    AGREEMENT,
    FUNCTION,
    GRADER,
    LABELS,
    TAGGED,
    gated_policy,
    steps,
)
from tests.support.gated_plays import (
    BAD,
    CLOCK,
    GOOD,
    LATE,
    NO_MONEY,
    answers,
    attempts,
    sent,
    told,
)
from tests.support.playbook import (
    JSON,
    WHOLE,
    Playbook,
    answer,
    make_exchange,
)

# --------------------------------------------------------------------------- gates that ask others


def test_a_function_is_waited_for() -> None:
    play = sent(gated_policy(FUNCTION))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "judge own")
    assert play.exchange.state is State.CHECKING
    play.tells(Judged(Verdict("own", passed=True)), "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "passed"


@pytest.mark.parametrize(
    ("what", "fact"),
    [
        ("could not be run", Judged(Verdict("own", passed=False, ran=False))),
        ("took too long", LATE),
    ],
)
def test_a_gate_that_did_not_run_is_no_reason_to_pay_for_more(what: str, fact: Event) -> None:
    play = sent(gated_policy(FUNCTION))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "judge own")
    play.tells(fact, "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "failed:own"
    assert not attempts(play)[0].verdicts[0].ran


def test_a_grade_is_an_attempt_of_its_own() -> None:
    play = sent(gated_policy(GRADER))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold")
    play.money("forward gpt-4o-mini")
    asked = json.loads(play.forwarded[1].body)
    assert (asked["model"], asked["max_tokens"], len(asked["messages"])) == ("gpt-4o-mini", 16, 2)
    answers(play, answer("85"), "settle 2 27000 usage_reported", "finish 200", "send whole 200")
    assert [one.purpose for one in attempts(play)] == [Purpose.ANSWER, Purpose.GRADE]
    assert told(play)["x-farebox-cost-usd"] == "0.000054000"
    assert told(play)["x-farebox-gate"] == "passed"


def test_a_low_grade_leads_to_the_next_tier() -> None:
    play = sent(gated_policy(GRADER))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold")
    play.money("forward gpt-4o-mini")
    answers(play, answer("60"), "settle 2 27000 usage_reported", "hold but gpt-4o-mini")
    play.money("forward gpt-4o")


@pytest.mark.parametrize(
    ("what", "facts", "orders"),
    [
        (
            "says no number",
            [UpstreamHead(200, JSON), UpstreamData(answer("very good")), WHOLE],
            ["settle 2 27000 usage_reported"],
        ),
        ("refuses", [UpstreamHead(429, JSON), WHOLE], ["void 2 provider_refused"]),
        ("is lost", [UpstreamFailed(sent=True, why="")], ["expire 2 outcome_unknown"]),
        ("is not reached", [UpstreamFailed(sent=False, why="")], ["void 2 nothing_sent"]),
        ("has its money lapse", [HoldLapsed()], ["void 2 nothing_sent"]),
        ("is too slow", [LATE], ["close upstream", "expire 2 outcome_unknown"]),
    ],
)
def test_a_grader_that_does_not_grade_is_no_reason_to_pay_for_more(
    what: str, facts: list[Event], orders: list[str]
) -> None:
    play = sent(gated_policy(GRADER))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold")
    play.money("forward gpt-4o-mini")
    for fact in facts[:-1]:
        play.tells(fact)
    play.tells(facts[-1], *orders, "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "failed:graded"
    assert not attempts(play)[0].verdicts[0].ran


def test_a_grade_that_can_not_be_paid_is_none() -> None:
    play = sent(gated_policy(GRADER))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold")
    play.tells(NO_MONEY, "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "failed:graded"


def test_a_second_model_answers_the_same_question_once() -> None:
    policy = gated_policy(AGREEMENT, default_tier="mid")
    play = sent(policy, "gpt-4o", n=3, stream=True)
    answers(play, BAD, "settle 1 450000 usage_reported", CLOCK, "hold")
    play.money("forward gpt-4o-mini")
    asked = json.loads(play.forwarded[1].body)
    assert "n" not in asked
    assert "stream" not in asked
    assert asked["messages"] == json.loads(play.forwarded[0].body)["messages"]
    answers(play, answer("question"), "settle 2 27000 usage_reported", "hold but gpt-4o")
    play.money("forward o1")
    # What the second model said is known: it is not asked, nor paid, again.
    orders = ("finish 200", "send head 200", "send chunk", "send end")
    answers(play, answer("question"), "settle 3 2700000 usage_reported", *orders)
    assert [one.purpose for one in attempts(play)] == [
        Purpose.ANSWER,
        Purpose.SECOND,
        Purpose.ANSWER,
    ]


def test_a_model_does_not_confirm_itself_but_the_next_one() -> None:
    play = sent(gated_policy(AGREEMENT))
    answers(play, GOOD, "settle 1 27000 usage_reported", CLOCK, "hold but gpt-4o-mini")
    play.money("forward gpt-4o")
    answers(play, GOOD, "settle 2 450000 usage_reported", "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "passed"


def test_what_must_not_leave_its_region_is_not_shown_to_a_grader() -> None:
    policy = gated_policy(GRADER)
    play = Playbook(make_exchange(policy, identity=TAGGED))
    play.exchange._story.found = play.exchange._story.found._replace(residency=("eu",))
    play.begins("hold")
    play.money("forward gpt-4o-mini")
    answers(play, BAD, "settle 1 27000 usage_reported", "finish 200", "send whole 200")
    assert attempts(play)[0].verdicts[0].why == "the gate's model may not see this call's data"


def test_the_gates_stop_at_the_first_no() -> None:
    play = sent(gated_policy(LABELS, GRADER, escalation=steps(0)))
    answers(play, BAD, "settle 1 27000 usage_reported", "finish 200", "send whole 200")
    assert [one.gate for one in attempts(play)[0].verdicts] == ["label"]
