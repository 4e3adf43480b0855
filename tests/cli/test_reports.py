"""The figures of a run, from small hand-made evidence."""

import pytest

from farebox.cli.calls import Ending
from farebox.cli.records import ReceiptLine
from farebox.cli.reports import (
    CapLine,
    TaskLine,
    calls_by_model,
    calls_by_task,
    caps,
    counted_as_spent,
    frontier_of,
    totals,
    unserved,
)
from farebox.core.budgets import Per
from farebox.core.money import Nanos, parse_dollars
from farebox.core.prices import Price, Rates
from farebox.core.tiers import Api, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from tests.support.runs import DAY_MS, NOON, billed, outcome, pool, told


def model(name: str, dollars_in: str, dollars_out: str) -> Model:
    rates = {
        UsageKind.INPUT: int(parse_dollars(dollars_in)),
        UsageKind.OUTPUT: int(parse_dollars(dollars_out)),
    }
    return Model(
        name=name,
        provider="openai",
        api=Api.OPENAI_CHAT,
        base_url="http://127.0.0.1:1/v1",
        upstream_name=f"{name}-2024",
        price=Price(rates=Rates(by_kind=rates)),
        context_window=1000,
        max_output_tokens=100,
    )


CATALOGUE = Catalogue(
    tiers=(
        Tier(name="low", rank=1, max_difficulty=300, models=(model("mini", "0.15", "0.60"),)),
        Tier(name="top", rank=2, max_difficulty=1000, models=(model("o1", "15", "60"),)),
    )
)


def test_calls_are_counted_by_task_and_ending() -> None:
    lines = calls_by_task(
        [
            outcome(task="rag"),
            outcome(task="code", route="cheapest_sufficient; heuristic_matched=asks-code"),
            outcome(task="code", route="output_lowered; task_tagged=header:code"),
            outcome(task="code", route="tier_lowered; task_tagged=header:code"),
            outcome(Ending.FAILED, task="code", route="tier_lowered; task_tagged=header:code"),
            outcome(Ending.REFUSED, task="code"),
        ]
    )
    assert lines == [
        TaskLine(task="code", calls=5, served=3, lowered=1, downgraded=1, refused=1, failed=1),
        TaskLine(task="rag", calls=1, served=1, lowered=0, downgraded=0, refused=0, failed=0),
    ]


def test_models_stand_in_the_order_of_tiers_with_the_providers_bill() -> None:
    lines = calls_by_model(
        [outcome(model="mini"), outcome(Ending.FAILED, model="mini")],
        [
            billed("0.01", model="mini-2024", input_tokens=7, output_tokens=3),
            billed("0.02", model="mini-2024", input_tokens=1, output_tokens=1),
            billed("0.05", model="other"),
        ],
        CATALOGUE,
    )
    found = [(one.tier, one.model, one.served, one.billed_calls, one.billed) for one in lines]
    assert found == [
        ("low", "mini", 1, 2, parse_dollars("0.03")),
        ("top", "o1", 0, 0, 0),
        ("(no tier)", "other", 0, 1, parse_dollars("0.05")),
    ]
    assert (lines[0].input_tokens, lines[0].output_tokens) == (8, 4)


def test_what_was_not_served_is_grouped_by_reason_with_advice() -> None:
    refused = outcome(
        Ending.REFUSED, status=402, reason="pool_exhausted", pool="default/acme", error="E"
    )
    lines = unserved(
        [
            outcome(),
            refused,
            refused,
            outcome(Ending.FAILED, status=0, error="APIConnectionError"),
            outcome(Ending.FAILED, status=200, error="APIError"),
            outcome(Ending.FAILED, status=500, error="InternalServerError"),
        ]
    )
    assert (lines[0].reason, lines[0].calls) == ("pool_exhausted", 2)
    assert lines[0].pool == "default/acme"
    advice = {one.reason: one.advice for one in lines}
    assert "window ends" in advice["pool_exhausted"]
    assert "the sidecar was down" in advice["APIConnectionError"]
    assert advice["APIError"] == "The stream broke off."
    assert "passed on" in advice["InternalServerError"]


def test_every_cap_is_judged_by_the_bill_that_draws_on_it() -> None:
    pools = [pool("user", "0.02", Per.USER), pool("acme", "0.05")]
    entries = [billed("0.02"), billed("0.01", user="ben"), billed("0.01", user=None)]
    lines = caps(pools, entries, [told("acme", settled="0.04"), told("user", "ana", settled="0")])
    assert [(one.title, one.billed, one.settled, one.kept) for one in lines] == [
        ("default/user [(none)]", parse_dollars("0.01"), None, True),
        ("default/user [ana]", parse_dollars("0.02"), 0, True),
        ("default/user [ben]", parse_dollars("0.01"), None, True),
        ("default/acme", parse_dollars("0.04"), parse_dollars("0.04"), True),
    ]
    assert [one.accounted for one in lines] == [True, False, True, True]
    assert counted_as_spent(lines) == parse_dollars("0.04")


def test_a_bill_of_one_nano_dollar_too_much_breaks_a_cap() -> None:
    entries = [billed("0.050000000"), billed("0.000000001")]
    [line] = caps([pool("acme", "0.05")], entries, [])
    assert not line.kept
    assert line.percent == 101


def test_money_that_is_lent_counts_for_the_books() -> None:
    entries = [billed("0.03")]
    [line] = caps([pool("acme", "0.05")], entries, [told("acme", settled="0.01", leased="0.02")])
    assert line.accounted


def test_each_window_has_its_own_bill_and_a_run_across_two_is_not_checked_against_books() -> None:
    entries = [billed("0.04"), billed("0.04", at=NOON + DAY_MS)]
    lines = caps([pool("acme", "0.05")], entries, [told("acme", settled="0")])
    assert [(one.billed, one.kept, one.settled) for one in lines] == [
        (parse_dollars("0.04"), True, None)
    ] * 2


def test_pools_by_session_are_left_to_others() -> None:
    assert caps([pool("session", "0.05", Per.SESSION)], [billed("0.04")], []) == []


@pytest.mark.parametrize(
    ("limit", "billed_", "percent"),
    [("1", "0", 0), ("1", "0.001", 1), ("1", "1", 100), ("0", "0", 0), ("0", "0.1", 101)],
)
def test_percentages_are_rounded_up(limit: str, billed_: str, percent: int) -> None:
    line = CapLine(pool="p", key="", limit=parse_dollars(limit), billed=parse_dollars(billed_))
    assert line.percent == percent


def test_totals_compare_with_the_dearest_tier_at_its_own_rates() -> None:
    receipts = [
        ReceiptLine(call="1", attempts=2, held=Nanos(500), settled=Nanos(300)),
        ReceiptLine(call="2", attempts=1, held=Nanos(50), settled=Nanos(0)),
    ]
    entries = [billed("0.01", input_tokens=1_000, cached_tokens=200, output_tokens=500)]
    money = totals(receipts, entries, frontier_of(CATALOGUE))
    assert (money.attempts, money.held, money.settled, money.billed_calls) == (3, 550, 300, 1)
    assert money.on_frontier == parse_dollars("0.045")
    assert money.saved == parse_dollars("0.035")
    assert money.saved_percent == 77


def test_without_tiers_there_is_nothing_to_compare_with() -> None:
    money = totals([], [billed("0.01")], frontier_of(Catalogue()))
    assert (money.on_frontier, money.saved_percent) == (0, 0)
