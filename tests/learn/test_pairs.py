"""Pools of two models: which rows they have and what their calls cost."""

import dataclasses

import pytest

from farebox.learn.outcomes import Outcome
from farebox.learn.pairs import (
    PAIRS,
    Priced,
    answer_chars,
    answer_of,
    answer_size,
    costs,
    pair_named,
    pooled,
)
from tests.support.learning import PAIR, made_up

ROWS = made_up(8)


def test_a_pool_has_the_rows_that_both_models_answered() -> None:
    half = dataclasses.replace(ROWS[0], scores={"small": 1.0})
    pool = pooled([half, *ROWS[1:]], PAIR)
    assert len(pool) == 7
    assert pool.weak.tolist() == [row.scores["small"] for row in ROWS[1:]]
    assert pool.gap == pytest.approx(pool.strong.mean() - pool.weak.mean())


def test_a_call_costs_its_prompt_and_its_answer() -> None:
    model = Priced(names=("large",), input=10, output=100)
    row = ROWS[0]
    assert costs([row], model).tolist() == [(len(row.prompt) * 10 + 80 * 100) / 4]


@pytest.mark.parametrize(("unsaid", "lengths"), [(None, [80, 80]), (4, [80, 4])])
def test_an_answer_of_unknown_length_has_the_usual_one(
    unsaid: int | None, lengths: list[int]
) -> None:
    silent = dataclasses.replace(ROWS[1], out_chars={})
    model = Priced(names=("large",), input=1, output=1, unsaid_chars=unsaid)
    assert answer_chars([ROWS[0], silent], model).tolist() == lengths


def test_answers_count_as_size_of_a_prompt() -> None:
    pool = pooled(ROWS, PAIR)
    assert answer_size(pool) == pytest.approx((80 * 1_000 - 40 * 100) / (1_000 - 100))


def test_an_answer_goes_by_any_of_a_models_names() -> None:
    model = Priced(names=("other", "large"), input=1, output=1)
    assert answer_of(ROWS[0], model) == "42"
    assert answer_of(ROWS[0], Priced(names=("other",), input=1, output=1)) is None


def test_rows_can_be_taken_by_position_and_source() -> None:
    mixed: list[Outcome] = [*ROWS, *made_up(3, source="elsewhere")]
    pool = pooled(mixed, PAIR)
    assert len(pool.of_sources(["elsewhere"])) == 3
    assert pool.at([2, 2]).weak.tolist() == [pool.weak[2]] * 2


def test_pairs_have_names_and_a_weak_model_that_is_cheaper() -> None:
    assert [pair.name for pair in PAIRS] == ["A", "B1", "B2", "B3", "C1", "C2"]
    assert pair_named("A") is PAIRS[0]
    assert all(pair.weak.input < pair.strong.input for pair in PAIRS)
