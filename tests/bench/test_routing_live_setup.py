"""Manifests, provider, book and offline figures of the live routing run are told the same."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import manifests
from bench.routing_live_setup import (
    ANSWER_MAX,
    SHARES,
    Manner,
    budgets,
    graded,
    model_names,
    provider_config,
    questions,
    resources,
    said,
    sampled,
    write_book,
)
from farebox.core.instant import UtcMs
from farebox.core.prices import plain_cost
from farebox.learn.outcomes import Outcome
from farebox.learn.pairs import Pooled, pair_named, pooled
from farebox.manifests.folder import load_folder
from farebox.simulated.config import parse_config

PAIR = pair_named("A")
WEAK, STRONG = PAIR.weak.names[0], PAIR.strong.names[0]


def outcome(number: int, *, letters: bool = False, prompt: str = "") -> Outcome:
    return Outcome(
        id=f"row/{number}",
        source="routellm-mmlu" if letters else "routellm-gsm8k",
        prompt=prompt or f"How many äpples has Tom after {number} days?",
        key=str(number),
        split="dev",
        scores={WEAK: number % 2, STRONG: 1},
        out_chars={} if letters else {WEAK: 100 + number, STRONG: 200 + number},
    )


def pool_of(*rows: Outcome) -> Pooled:
    return pooled(rows, PAIR)


POOL = sampled(pool_of(*(outcome(n, letters=n % 3 == 0) for n in range(40))), 30)


def test_a_sample_is_the_same_each_time_and_has_no_prompt_twice() -> None:
    rows = [outcome(n, prompt=f"What is {n % 5}?") for n in range(20)]
    chosen = sampled(pool_of(*rows), 10)
    assert len(chosen) == 5
    again = sampled(pool_of(*rows), 10)
    assert [row.id for row in again.rows] == [row.id for row in chosen.rows]


def test_budgets_are_shares_of_the_always_strong_bill() -> None:
    whole = int(POOL.strong_cost.sum())
    judged = [one for one in budgets(POOL) if one.manner is Manner.PACED]
    assert [(one.percent, one.limit) for one in judged] == [
        (share, whole * share // 100) for share in SHARES
    ]
    assert len({one.name for one in budgets(POOL)}) == len(budgets(POOL))


def test_only_one_namespace_is_not_paced(tmp_path: Path) -> None:
    made = resources(POOL, budgets(POOL), provider_port=9_100, period_ms=60_000)
    loaded = load_folder(manifests.write_folder(tmp_path / "manifests", made), None, now=UtcMs(0))
    routings = loaded.resources.routing
    assert {space: routing.pacing for space, routing in routings.items()} == {
        one.namespace: one.manner is not Manner.UNPACED for one in budgets(POOL)
    }


def test_careless_callers_ask_for_as_much_as_they_may() -> None:
    question = questions(POOL, [0])[0]
    asked = {one.manner: one.max_tokens(question) for one in budgets(POOL)}
    assert asked == {
        Manner.PACED: question.max_tokens,
        Manner.UNPACED: question.max_tokens,
        Manner.CARELESS: ANSWER_MAX,
    }


def test_a_call_is_billed_what_the_offline_figures_say(tmp_path: Path) -> None:
    """By the provider's own prices and by the manifests', to the nano-dollar."""
    made = resources(POOL, budgets(POOL), provider_port=9_100, period_ms=60_000)
    loaded = load_folder(manifests.write_folder(tmp_path / "manifests", made), None, now=UtcMs(0))
    assert not loaded.problems
    priced = {model.name: model.price for _, model in loaded.resources.catalogue}
    config = parse_config(provider_config(POOL, tmp_path / "book.jsonl.gz"))
    rates = {model.name: model.rates() for model in config.models}
    write_book(tmp_path / "book.jsonl.gz", POOL)
    with gzip.open(tmp_path / "book.jsonl.gz", "rt", encoding="utf-8") as book:
        lines = [json.loads(line) for line in book]
    for side, costs in (("weak", POOL.weak_cost), ("strong", POOL.strong_cost)):
        name = model_names(POOL)[side]
        for row, line, billed in zip(POOL.rows, lines, costs.tolist(), strict=True):
            read, written = len(row.prompt.encode()) + 6, line["output_tokens"][name]
            assert plain_cost(priced[name], input_tokens=read, output_tokens=written) == billed
            pico = read * rates[name].input_pico + written * rates[name].output_pico
            assert pico == billed * 1_000


def test_each_budget_has_a_pool_that_only_its_own_pod_draws_on(tmp_path: Path) -> None:
    made = resources(POOL, budgets(POOL), provider_port=9_100, period_ms=60_000)
    loaded = load_folder(manifests.write_folder(tmp_path / "manifests", made), None, now=UtcMs(0))
    pools = {pool.name: pool for pool in loaded.resources.pools.values()}
    for one in budgets(POOL):
        pool = pools[one.name]
        assert (pool.limit, pool.window.period, pool.selector) == (one.limit, 60_000, one.labels)


def test_callers_ask_for_a_quarter_more_than_the_longest_answer_of_the_source() -> None:
    asked = questions(POOL, range(len(POOL)))
    longest = max(row.out_chars.get(STRONG, 0) for row in POOL.rows)
    for row, question in zip(POOL.rows, asked, strict=True):
        assert question.max_tokens == (5 if row.source == "routellm-mmlu" else -(-longest * 5 // 4))
        assert question.scores == row.scores


@pytest.mark.parametrize("score", [0.0, 1.0, 0.25, 0.5])
def test_an_answer_is_graded_as_the_book_meant_it(score: float) -> None:
    assert graded(said(score)) == score
    assert len(said(score)) <= 4


@pytest.mark.parametrize("text", ["", "y", "n", "n."])
def test_an_answer_cut_short_is_wrong(text: str) -> None:
    assert graded(text) == 0.0


def test_a_price_without_a_whole_quarter_is_refused() -> None:
    odd = replace(PAIR, weak=replace(PAIR.weak, input=241))
    with pytest.raises(ValueError, match="241 n"):
        sampled(replace(pool_of(outcome(1)), pair=odd), 1)


def test_costs_are_whole_numbers() -> None:
    assert np.all(POOL.weak_cost % 1 == 0)
    assert np.all(POOL.strong_cost % 1 == 0)
