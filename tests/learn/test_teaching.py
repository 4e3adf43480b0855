"""Soft targets: they come from other models, from other questions, and only where any testify."""

import dataclasses

import numpy as np
import pytest

from farebox.learn.outcomes import Outcome
from farebox.learn.teaching import fold_of, soft_targets, witnesses


def row(number: int, talent: float) -> Outcome:
    """Two witnesses are right where the prompt is easy; the small model by a coin beside that."""
    easy = number % 2 == 0
    coin = np.random.default_rng(number).random() < (talent if easy else 1 - talent)
    return Outcome(
        id=str(number),
        source="made-up",
        prompt=f"prompt {number}",
        key=f"question {number}",
        split="train",
        scores={"small": float(coin), "one": float(easy), "two": float(easy)},
    )


ROWS = [row(number, 0.8) for number in range(400)]
OUTCOMES = np.array([row.scores["small"] for row in ROWS])
EASY = np.array([number % 2 == 0 for number in range(400)])


def test_others_outcomes_say_how_a_coin_is_loaded() -> None:
    targets = soft_targets(ROWS, OUTCOMES, witnesses(ROWS), ["small"], trust=1.0)
    for kind in (EASY, ~EASY):
        assert targets[kind] == pytest.approx(np.full(200, OUTCOMES[kind].mean()), abs=0.08)


def test_trust_mixes_outcome_and_testimony() -> None:
    seen = witnesses(ROWS)
    full = soft_targets(ROWS, OUTCOMES, seen, ["small"], trust=1.0)
    half = soft_targets(ROWS, OUTCOMES, seen, ["small"], trust=0.5)
    assert half == pytest.approx((OUTCOMES + full) / 2)


def test_a_question_without_witnesses_keeps_its_outcome() -> None:
    lonely = dataclasses.replace(ROWS[0], key="nobody else was asked")
    targets = soft_targets([lonely, *ROWS[1:]], OUTCOMES, witnesses(ROWS[1:]), ["small"])
    assert targets[0] == OUTCOMES[0]
    alone = soft_targets(ROWS, OUTCOMES, {}, ["small"])
    assert alone.tolist() == OUTCOMES.tolist()


def test_the_pair_itself_does_not_testify() -> None:
    every = ["small", "one", "two"]
    assert soft_targets(ROWS, OUTCOMES, witnesses(ROWS), every).tolist() == OUTCOMES.tolist()


def test_witnesses_are_named_with_their_source() -> None:
    other = dataclasses.replace(ROWS[0], source="other-half", scores={"three": 1.0})
    names = set(witnesses([ROWS[0], other])["question 0"])
    assert names == {"made:small", "made:one", "made:two", "other:three"}


def test_a_question_has_the_same_fold_everywhere() -> None:
    assert fold_of("question 1") == fold_of("question 1")
    assert {fold_of(f"question {n}") for n in range(50)} == set(range(5))
