"""Training on one's own outcomes: weights that are read, a card that tells, too little refused."""

from dataclasses import replace

import pytest

from farebox.core.scoring import Weights
from farebox.launch.training import (
    SOURCE,
    TrainingError,
    doubts_about,
    pair_of,
    row,
    train_weights,
)
from farebox.learn.outcomes import DEV, TRAIN, Outcome
from tests.support.learning import made_up

PAIR = pair_of("small", "large", {"small": (150, 600), "large": (2_500, 10_000)})


def rows(count: int) -> list[Outcome]:
    return [row(one.id, one.prompt, one.scores, one.out_chars) for one in made_up(count)]


def test_weights_are_trained_and_described() -> None:
    found = train_weights("own", rows(800), PAIR)
    weights = Weights.read(found.content)
    assert found.doubts == []
    assert {"cmq-0.95", "cmq-0.99"} <= weights.thresholds.keys()
    hard = weights.score("Anna has 12 apples and buys 7 more; what is the total when 3 are lost?")
    easy = weights.score("Greet Anna with a short line about apples.")
    assert hard.gain > easy.gain
    assert "small to large" in found.card
    assert "None by the checks" in found.card


def test_too_little_is_said() -> None:
    found = train_weights("own", rows(300), PAIR)
    assert "prompts with both outcomes; 500 or more" in found.doubts[0]
    assert found.doubts[0] in found.card


def test_two_models_that_are_alike_leave_nothing_to_choose() -> None:
    alike = [replace(one, scores={"small": 1.0, "large": 1.0}) for one in rows(600)]
    assert "nothing to choose" in doubts_about(alike, PAIR)[0]


@pytest.mark.parametrize(
    ("outcomes", "pair", "want"),
    [
        (rows(20), pair_of("small", "other", {"small": (1, 1), "other": (2, 2)}), "of both models"),
        ([replace(one, scores={"small": 1.0, "large": 1.0}) for one in rows(50)], PAIR,
         "always right, or never"),
        (rows(50), pair_of("small", "large", {"small": (2, 2), "large": (2, 2)}), "must cost more"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(
    outcomes: list[Outcome], pair: object, want: str
) -> None:
    with pytest.raises(TrainingError, match=want):
        train_weights("own", outcomes, pair)  # type: ignore[arg-type]  # a table's column


def test_the_split_is_by_question() -> None:
    splits = {row("a", f"prompt {n}", {}, {}).split for n in range(40)}
    assert splits == {TRAIN, DEV}
    one, same = row("a", "the same", {}, {}), row("b", "the same", {}, {})
    assert (one.split, one.key, one.source) == (same.split, same.key, SOURCE)
