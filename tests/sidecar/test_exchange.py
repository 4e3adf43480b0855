"""The life of a call as scripts: whole answers, refusals, and what is tried after a failure."""

import json
from typing import Any

import pytest

from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tiers import Capability, Catalogue, Model, Tier
from sidecar.events import (
    HoldLapsed,
    MoneyRefused,
    Phase,
    TimedOut,
    UpstreamData,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import ANSWER_BYTES_MAX
from sidecar.refusals import plainly
from tests.support.playbook import (
    BROKEN,
    JSON,
    WHOLE,
    Playbook,
    answer,
    fields_of,
    forwarded,
    make_exchange,
)
from tests.support.policies import SMALL, make_model

REASONER = make_model("thinker", "0.15", "0.60", capabilities=frozenset({Capability.REASONING}))


def only(*models: Model) -> Policy:
    """A policy with one tier of these models."""
    tier = Tier(name="all", rank=1, max_difficulty=1_000, models=models)
    return Policy(generation=1, catalogue=Catalogue(tiers=(tier,)))


# ---------------------------------------------------------------------------------- whole answers


def test_an_answer_with_usage_is_settled_exactly_and_passed_on_as_it_is() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(200, (*JSON, (b"x-farebox-model", b"forged"))))
    body = answer()
    play.tells(UpstreamData(body[:10]))
    play.tells(UpstreamData(body[10:]))
    play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 200", "send whole 200")
    assert play.whole is not None
    headers = fields_of(play.whole.lines)
    assert play.whole.body == body
    assert headers["x-farebox-cost-usd"] == "0.000027000"
    assert headers["x-farebox-model"] == "gpt-4o-mini"
    assert headers["x-farebox-call"] == "call-1"
    assert play.outcome is not None
    assert play.outcome.response_model == "gpt-4o-mini-2024-07-18"
    assert play.outcome.cost == 27_000
    assert (play.outcome.model, play.outcome.tier) == ("gpt-4o-mini", "small")


def test_the_body_that_is_forwarded_names_the_model_and_the_limit_that_is_paid_for() -> None:
    play = forwarded(make_exchange(max_tokens=None, seed=7))
    sent = json.loads(play.forwarded[0].body)
    assert (sent["model"], sent["max_tokens"], sent["seed"]) == ("gpt-4o-mini", 4_096, 7)


def test_money_too_short_for_the_limit_lowers_it() -> None:
    play = Playbook(make_exchange(max_tokens=4_000))
    play.begins("hold")
    play.money("forward gpt-4o-mini", headroom=Nanos(200_000))
    assert 16 <= json.loads(play.forwarded[0].body)["max_tokens"] < 4_000


def test_a_whole_answer_without_usage_costs_the_bound_of_what_can_be_seen() -> None:
    play = forwarded(make_exchange(max_tokens=4_000))
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(answer("x" * 30, usage=None)))
    bound = play.exchange.call.body_bytes + 8 + 32
    cost = bound * 150 + 30 * 600
    play.tells(WHOLE, f"settle 1 {cost} usage_counted", "finish 200", "send whole 200")


@pytest.mark.parametrize(
    ("what", "body", "headers"),
    [
        ("more text than the hold pays for", answer("x" * 5_000, usage=None), JSON),
        ("a body that is not JSON", b"\x1f\x8b not json", JSON),
        ("a body that is encoded", b"\x1f\x8b", (*JSON, (b"content-encoding", b"gzip"))),
        (
            "a report that can't be true",
            answer("x" * 5_000, usage={"prompt_tokens": -5, "completion_tokens": 1}),
            JSON,
        ),
    ],
)
def test_without_a_usable_report_a_cost_is_at_most_the_hold(
    what: str, body: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    play = forwarded(make_exchange())
    hold = play.exchange.call.body_bytes * 150 + 40 * 150 + 50 * 600
    play.tells(UpstreamHead(200, headers))
    play.tells(UpstreamData(body))
    play.tells(WHOLE, f"settle 1 {hold} usage_counted", "finish 200", "send whole 200")


def test_an_uncounted_answer_of_a_reasoning_model_costs_its_whole_hold() -> None:
    play = Playbook(make_exchange(only(REASONER)))
    play.begins("hold")
    play.money("forward thinker")
    hold = play.exchange.call.body_bytes * 150 + 40 * 150 + 50 * 600
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(answer("ok", usage=None)))
    play.tells(WHOLE, f"settle 1 {hold} usage_counted", "finish 200", "send whole 200")


def test_usage_beyond_the_hold_is_booked_in_full() -> None:
    play = forwarded(make_exchange())
    usage = {"prompt_tokens": 100, "completion_tokens": 9_000}
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(answer(usage=usage)))
    play.tells(WHOLE, "settle 1 5415000 usage_reported", "finish 200", "send whole 200")
    assert play.outcome is not None
    assert play.outcome.attempts[0].cost > play.outcome.attempts[0].held


def test_an_answer_that_breaks_off_counts_in_full_and_is_not_sent_again() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(answer()[:20]))
    play.tells(BROKEN, "expire 1 outcome_unknown", "finish 502", "refuse provider_unreachable")


def test_an_answer_without_end_is_given_up() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(200, JSON))
    play.tells(
        UpstreamData(b" " * (ANSWER_BYTES_MAX + 1)),
        "close upstream",
        "expire 1 outcome_unknown",
        "finish 502",
        "refuse provider_unreachable",
    )


# ------------------------------------------------------------------- refusals, failures, failover


def test_a_refusal_of_the_cashier_goes_to_the_caller() -> None:
    play = Playbook(make_exchange())
    play.begins("hold")
    play.tells(
        MoneyRefused(detail=plainly(Reason.POOL_EXHAUSTED)), "finish 402", "refuse pool_exhausted"
    )


@pytest.mark.parametrize(
    ("what", "fields", "order"),
    [
        ("a model without a price", {"model": "gpt-9"}, "refuse unpriced_model"),
        ("more output than any model gives", {"max_tokens": 10**6}, "refuse no_candidate"),
    ],
)
def test_what_no_model_can_serve_is_refused_before_any_money(
    what: str, fields: dict[str, Any], order: str
) -> None:
    Playbook(make_exchange(**fields)).begins("finish 422", order)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_a_provider_that_can_not_serve_now_costs_nothing_and_the_next_is_tried(
    status: int,
) -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(status, JSON))
    play.tells(UpstreamData(b'{"error": {}}'))
    play.tells(WHOLE, "void 1 provider_refused", "hold but gpt-4o-mini")
    play.money("forward gpt-4o")
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(answer()))
    play.tells(WHOLE, "settle 2 450000 usage_reported", "finish 200", "send whole 200")
    assert play.outcome is not None
    assert [attempt.status for attempt in play.outcome.attempts] == [status, 200]
    assert play.outcome.route is Reason.FAILED_OVER


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413, 422])
def test_what_a_provider_refuses_for_good_is_passed_on_as_it_is(status: int) -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(status, (*JSON, (b"x-request-id", b"req-1"))))
    play.tells(UpstreamData(b'{"error": '))
    play.tells(UpstreamData(b'"no"}'))
    play.tells(WHOLE, "void 1 provider_refused", f"finish {status}", f"send whole {status}")
    assert play.whole is not None
    assert play.whole.body == b'{"error": "no"}'
    assert fields_of(play.whole.lines)["x-request-id"] == "req-1"


def test_when_no_model_is_left_the_last_answer_of_a_provider_is_passed_on() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(503, JSON))
    play.tells(UpstreamData(b"first"))
    play.tells(WHOLE, "void 1 provider_refused", "hold but gpt-4o-mini")
    play.money("forward gpt-4o")
    play.tells(UpstreamHead(500, JSON))
    play.tells(UpstreamData(b"second"))
    play.tells(WHOLE, "void 2 provider_refused", "hold but gpt-4o, gpt-4o-mini")
    play.money("forward o1")
    play.tells(
        UpstreamFailed(sent=False, why="refused"),
        "void 3 nothing_sent",
        "finish 500",
        "send whole 500",
    )
    assert play.whole is not None
    assert play.whole.body == b"second"


def test_a_provider_that_can_not_be_reached_costs_nothing() -> None:
    play = Playbook(make_exchange(only(SMALL)))
    play.begins("hold")
    play.money("forward gpt-4o-mini")
    play.tells(
        UpstreamFailed(sent=False, why="connection refused"),
        "void 1 nothing_sent",
        "finish 502",
        "refuse provider_unreachable",
    )


def test_money_that_lapsed_before_the_call_was_sent_is_held_anew_for_the_same_model() -> None:
    play = forwarded(make_exchange())
    play.tells(HoldLapsed(), "void 1 nothing_sent", "hold")
    play.money("forward gpt-4o-mini")
    play.tells(HoldLapsed(), "void 2 nothing_sent", "hold")
    play.money("forward gpt-4o-mini")
    play.tells(HoldLapsed(), "void 3 nothing_sent", "finish 502", "refuse provider_unreachable")


def test_money_that_lapsed_and_can_not_be_had_again_is_refused_for_its_own_reason() -> None:
    play = forwarded(make_exchange())
    play.tells(HoldLapsed(), "void 1 nothing_sent", "hold")
    refused = MoneyRefused(detail=plainly(Reason.BUDGET_UNVERIFIABLE))
    play.tells(refused, "finish 503", "refuse budget_unverifiable")


def test_at_most_three_attempts_are_made() -> None:
    models = [make_model(f"m{number}", "0.15", "0.60") for number in range(5)]
    play = Playbook(make_exchange(only(*models)))
    play.begins("hold")
    tried = []
    for number in range(3):
        tried.append(f"m{number}")
        play.money(f"forward m{number}")
        play.tells(UpstreamHead(500, JSON))
        last = ("finish 500", "send whole 500")
        next_ = (f"hold but {', '.join(tried)}",) if number < 2 else last
        play.tells(WHOLE, f"void {number + 1} provider_refused", *next_)


def test_money_refused_for_the_next_model_passes_the_first_answer_on() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(429, JSON))
    play.tells(WHOLE, "void 1 provider_refused", "hold but gpt-4o-mini")
    refused = MoneyRefused(detail=plainly(Reason.POOL_EXHAUSTED))
    play.tells(refused, "finish 429", "send whole 429")


def test_a_call_lost_after_it_was_sent_counts_in_full_and_is_never_tried_again() -> None:
    play = forwarded(make_exchange())
    play.tells(
        UpstreamFailed(sent=True, why="reset"),
        "expire 1 outcome_unknown",
        "finish 502",
        "refuse provider_unreachable",
    )
    assert play.refused is not None
    assert "counts as spent" in play.refused.detail.message


@pytest.mark.parametrize("phase", [Phase.HEAD, Phase.BODY])
def test_a_silent_provider_counts_in_full(phase: Phase) -> None:
    play = forwarded(make_exchange())
    if phase is Phase.BODY:
        play.tells(UpstreamHead(200, JSON))
    play.tells(
        TimedOut(phase),
        "close upstream",
        "expire 1 outcome_unknown",
        "finish 504",
        "refuse provider_silent",
    )


def test_a_refusal_that_is_never_finished_still_costs_nothing() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(400, JSON))
    play.tells(UpstreamData(b"half"))
    play.tells(
        TimedOut(Phase.BODY),
        "close upstream",
        "void 1 provider_refused",
        "finish 400",
        "send whole 400",
    )


def test_a_refusal_without_end_is_cut() -> None:
    play = forwarded(make_exchange())
    play.tells(UpstreamHead(400, JSON))
    play.tells(
        UpstreamData(b" " * (ANSWER_BYTES_MAX + 1)),
        "close upstream",
        "void 1 provider_refused",
        "finish 400",
        "send whole 400",
    )
