"""The life of a call whose answers are checked, as scripts: a no, what follows, what is left."""

import json
from typing import Any

import pytest

from farebox.core.gates import Verdict
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.tasks import AfterGates, Consequence
from sidecar.events import (
    CallerGone,
    Event,
    HoldLapsed,
    Judged,
    Phase,
    Stopped,
    TimedOut,
    UpstreamData,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import IllegalEventError
from tests.support.gated import (
    CASCADE,
    FUNCTION,
    GRADER,
    LABELS,
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
    escalating,
    gated,
    sent,
    told,
)
from tests.support.playbook import (
    BROKEN,
    JSON,
    SSE,
    WHOLE,
    chunk,
)

# ------------------------------------------------------------------------------------- yes and no


def test_an_answer_that_passes_is_given_out_and_says_so() -> None:
    play = sent()
    answers(play, GOOD, "settle 1 27000 usage_reported", "finish 200", "send whole 200")
    assert play.whole is not None
    assert play.whole.body == GOOD
    assert (told(play)["x-farebox-gate"], told(play)["x-farebox-escalations"]) == ("passed", "0")
    assert attempts(play)[0].verdicts == (Verdict("label", passed=True),)
    assert play.outcome is not None
    assert (play.outcome.gate, play.outcome.escalations) == ("passed", 0)


def test_an_answer_that_fails_is_paid_and_the_next_tier_is_asked() -> None:
    play = escalating()
    second = "settle 2 450000 usage_reported"
    answers(play, GOOD, second, "finish 200", "send whole 200")
    headers = told(play)
    assert (headers["x-farebox-gate"], headers["x-farebox-escalations"]) == ("passed", "1")
    assert headers["x-farebox-model"] == "gpt-4o"
    assert headers["x-farebox-route"].startswith("escalated;")
    assert headers["x-farebox-cost-usd"] == "0.000477000"
    first, second_ = attempts(play)
    assert (first.verdicts[0].passed, second_.verdicts[0].passed) == (False, True)
    assert "complaint" not in first.verdicts[0].why
    assert play.outcome is not None
    assert (play.outcome.model, play.outcome.route) == ("gpt-4o", Reason.ESCALATED)


def test_steps_are_bounded_and_the_last_answer_comes_with_a_warning() -> None:
    play = escalating(gated_policy(escalation=steps(1)))
    second = "settle 2 450000 usage_reported"
    answers(play, BAD, second, "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "failed:label"
    assert told(play)["x-farebox-model"] == "gpt-4o"


def test_when_no_tier_is_left_the_last_answer_comes_with_a_warning() -> None:
    play = escalating(gated_policy(escalation=steps(9)))
    play_second = "hold but gpt-4o, gpt-4o-mini"
    answers(play, BAD, "settle 2 450000 usage_reported", play_second)
    play.money("forward o1")
    answers(play, BAD, "settle 3 2700000 usage_reported", "finish 200", "send whole 200")
    assert (told(play)["x-farebox-gate"], told(play)["x-farebox-model"]) == ("failed:label", "o1")


def test_a_task_that_refuses_gives_no_failed_answer() -> None:
    play = sent(gated_policy(escalation=steps(0, after=AfterGates.REFUSE)))
    answers(play, BAD, "settle 1 27000 usage_reported", "finish 502", "refuse gate_failed")
    assert play.refused is not None
    assert play.refused.detail.gate == "label"
    assert "would say" not in play.refused.detail.message
    assert play.outcome is not None
    assert (play.outcome.gate, play.outcome.cost) == ("failed:label", 27_000)


def test_a_failed_answer_of_high_consequence_is_never_given_out() -> None:
    policy = gated_policy(escalation=steps(0), consequence=Consequence.HIGH, default_tier="mid")
    play = sent(policy, "gpt-4o")
    answers(play, BAD, "settle 1 450000 usage_reported", "finish 502", "refuse gate_failed")


def test_a_cascade_begins_with_the_cheapest_whatever_the_difficulty() -> None:
    play = sent(gated_policy(routing=CASCADE, default_tier="frontier"))
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold but gpt-4o-mini")
    play.money("forward gpt-4o")
    answers(play, GOOD, "settle 2 450000 usage_reported", "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "passed"


def test_a_cascade_begins_at_the_floor_of_its_task() -> None:
    policy = gated_policy(routing=CASCADE, default_tier="frontier", floor_tier="mid")
    play = sent(policy, "gpt-4o")
    answers(play, GOOD, "settle 1 450000 usage_reported", "finish 200", "send whole 200")
    assert told(play)["x-farebox-route"].startswith("cascade_first;")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("no JSON at all", b"\x1f\x8b"),
        ("no choices", b'{"usage": {"prompt_tokens": 100, "completion_tokens": 20}}'),
        ("nested beyond any reader", b'{"choices":' + b"[" * 10_000),
    ],
)
def test_an_answer_that_can_not_be_read_fails_its_gates(what: str, body: bytes) -> None:
    play = sent()
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(body))
    orders = play.exchange.handle(WHOLE)
    assert [type(order).__name__ for order in orders] == ["Settle", "LimitTime", "HoldMoney"]


def test_all_choices_have_to_pass() -> None:
    body = json.loads(GOOD)
    body["choices"].append({"index": 1, "message": {"content": "neither"}})
    play = sent(gated_policy(escalation=steps(0)), n=2)
    first = "settle 1 27000 usage_reported"
    answers(play, json.dumps(body).encode(), first, "finish 200", "send whole 200")
    assert told(play)["x-farebox-gate"] == "failed:label"


# -------------------------------------------------------------------------- money, time, providers


def test_the_callers_cap_is_on_all_attempts_together() -> None:
    play = escalating(cap=Nanos(5_000_000))
    answers(play, BAD, "settle 2 450000 usage_reported", "hold but gpt-4o, gpt-4o-mini")
    assert play.asked is not None
    assert play.asked.cap == 5_000_000 - 27_000 - 450_000


def test_without_money_for_the_next_tier_the_answer_comes_with_a_warning() -> None:
    play = sent()
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold but gpt-4o-mini")
    play.tells(NO_MONEY, "finish 200", "send whole 200")
    assert (told(play)["x-farebox-gate"], told(play)["x-farebox-escalations"]) == (
        "failed:label",
        "0",
    )


def test_without_money_at_all_the_call_is_refused_as_ever() -> None:
    play = gated()
    play.begins("hold")
    play.tells(NO_MONEY, "finish 402", "refuse pool_exhausted")


@pytest.mark.parametrize(
    ("what", "facts", "orders"),
    [
        (
            "refuses for good",
            [UpstreamHead(400, JSON), WHOLE],
            ["void 2 provider_refused"],
        ),
        ("breaks off", [UpstreamHead(200, JSON), BROKEN], ["expire 2 outcome_unknown"]),
        (
            "takes the call and dies",
            [UpstreamFailed(sent=True, why="")],
            ["expire 2 outcome_unknown"],
        ),
        (
            "is silent",
            [TimedOut(Phase.HEAD)],
            ["close upstream", "expire 2 outcome_unknown"],
        ),
        (
            "is too slow for the task",
            [LATE],
            ["close upstream", "expire 2 outcome_unknown"],
        ),
        (
            "is too slow with its refusal",
            [UpstreamHead(503, JSON), LATE],
            ["close upstream", "void 2 provider_refused"],
        ),
    ],
)
def test_when_the_next_tier_fails_the_first_answer_comes_with_a_warning(
    what: str, facts: list[Event], orders: list[str]
) -> None:
    play = escalating()
    for fact in facts[:-1]:
        play.tells(fact)
    play.tells(facts[-1], *orders, "finish 200", "send whole 200")
    assert play.whole is not None
    assert play.whole.body == BAD
    assert told(play)["x-farebox-gate"] == "failed:label"
    assert told(play)["x-farebox-model"] == "gpt-4o-mini"
    assert play.outcome is not None
    assert play.outcome.model == "gpt-4o-mini"


def test_a_tier_that_can_not_serve_now_is_passed_over() -> None:
    play = escalating()
    play.tells(UpstreamHead(503, JSON))
    play.tells(WHOLE, "void 2 provider_refused", "hold but gpt-4o, gpt-4o-mini")
    play.money("forward o1")
    answers(play, GOOD, "settle 3 2700000 usage_reported", "finish 200", "send whole 200")
    assert told(play)["x-farebox-escalations"] == "1"


def test_money_that_lapsed_is_held_anew_for_the_same_tier() -> None:
    play = escalating()
    play.tells(HoldLapsed(), "void 2 nothing_sent", "hold but gpt-4o-mini")
    play.money("forward gpt-4o")
    answers(play, GOOD, "settle 3 450000 usage_reported", "finish 200", "send whole 200")
    assert told(play)["x-farebox-escalations"] == "1"


def test_a_hold_that_takes_too_long_ends_the_waiting() -> None:
    play = sent()
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, "hold but gpt-4o-mini")
    play.tells(LATE, "finish 200", "send whole 200")


def test_a_first_answer_that_never_comes_is_refused_as_ever() -> None:
    play = sent()
    play.tells(
        TimedOut(Phase.HEAD),
        "close upstream",
        "expire 1 outcome_unknown",
        "finish 504",
        "refuse provider_silent",
    )


# ----------------------------------------------------------------------------------------- streams


def test_a_stream_is_asked_for_as_a_whole_and_streamed_once_it_has_passed() -> None:
    play = sent(stream=True, stream_options={"include_usage": True})
    body = json.loads(play.forwarded[0].body)
    assert not {"stream", "stream_options"} & body.keys()
    orders = ("finish 200", "send head 200", "send chunk", "send end")
    answers(play, GOOD, "settle 1 27000 usage_reported", *orders)
    assert b'"content":"complaint"' in play.sent
    assert play.sent.endswith(b"data: [DONE]\n\n")
    assert b'"prompt_tokens":100' in play.sent


def test_a_provider_that_streams_all_the_same_gets_nothing_past_the_gates() -> None:
    play = sent(gated_policy(escalation=steps(0)), stream=True)
    play.tells(UpstreamHead(200, SSE))
    play.tells(UpstreamData(chunk({"content": "complaint"})))
    orders = [type(order).__name__ for order in play.exchange.handle(WHOLE)]
    assert orders == ["Settle", "Finish", "Refuse"]


# ---------------------------------------------------------------------- callers that leave, the end


@pytest.mark.parametrize("fact", [CallerGone(), Stopped()])
@pytest.mark.parametrize("waiting", ["for a function", "for money"])
def test_nothing_more_is_done_for_a_caller_that_left(waiting: str, fact: Event) -> None:
    play = sent(gated_policy(FUNCTION) if waiting == "for a function" else None)
    last = "judge own" if waiting == "for a function" else "hold but gpt-4o-mini"
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, last)
    play.tells(fact, "finish 499")
    assert play.outcome is not None
    assert (play.outcome.caller_gone, play.outcome.cost) == (True, 27_000)


def test_an_answer_that_is_read_for_nobody_is_not_judged() -> None:
    play = sent()
    play.tells(CallerGone(), "drain")
    answers(play, BAD, "settle 1 27000 usage_reported", "finish 499")
    assert attempts(play)[0].verdicts == ()


def test_a_caller_that_leaves_during_the_second_attempt_pays_for_it() -> None:
    play = escalating()
    play.tells(CallerGone(), "drain")
    answers(play, BAD, "settle 2 450000 usage_reported", "finish 499")


@pytest.mark.parametrize("gates", [(LABELS,), (GRADER,)])
def test_a_call_that_was_not_sent_yet_ends_when_its_caller_leaves(gates: Any) -> None:
    play = sent(gated_policy(*gates))
    last = "hold" if GRADER in gates else "hold but gpt-4o-mini"
    answers(play, BAD, "settle 1 27000 usage_reported", CLOCK, last)
    play.money("forward gpt-4o-mini" if GRADER in gates else "forward gpt-4o")
    play.tells(CallerGone(), "drain")
    play.tells(UpstreamFailed(sent=False, why=""), "void 2 nothing_sent", "finish 499")


@pytest.mark.parametrize("fact", [Stopped(), TimedOut(Phase.DRAIN)])
def test_the_end_of_the_process_ends_the_attempt_under_way(fact: Event) -> None:
    play = escalating()
    play.tells(CallerGone(), "drain")
    orders = [type(order).__name__ for order in play.exchange.handle(fact)]
    assert orders == ["CloseUpstream", "Expire", "Finish"]


def test_what_can_not_happen_is_a_fault() -> None:
    play = sent()
    with pytest.raises(IllegalEventError):
        play.tells(Judged(Verdict("own", passed=True)))
