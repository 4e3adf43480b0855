"""The weights that ship: they read, they fit their bounds, and making them is repeatable."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from farebox.core.scoring import Weights
from farebox.learn import shipped
from farebox.learn.outcomes import DEV, of_split
from farebox.learn.pairs import pooled
from farebox.learn.savings import saving
from farebox.learn.shipped import RELEASES, Release, make
from farebox.learn.training import Recipe
from tests.support.learning import PAIR, made_up
from tools import routing_weights

ROWS = [*made_up(600), *made_up(100, seed=2, source="elsewhere")]
RELEASE = Release(name="T", pair=PAIR, sources=PAIR.sources, recipe=Recipe(bits=10, word_bits=10))


@pytest.mark.parametrize("name", [release.name for release in RELEASES])
def test_shipped_weights_read_and_are_small(name: str) -> None:
    model = shipped.weights(name)
    assert model.name == name
    assert len(shipped.content(name)) < 150_000
    assert {"cmq-0.95", "cmq-0.99"} <= model.thresholds.keys()
    assert model.score("What is the capital of Peru?\nA. Lima\nB. Cusco").strong > 0
    assert len(model.usual) == len(model.usual_spend) == 101
    assert list(model.usual_spend) == sorted(model.usual_spend, reverse=True)


@pytest.mark.parametrize("name", ["B1", "B2"])
def test_pairs_with_a_second_model_ship_a_cascade(name: str) -> None:
    limits = shipped.weights(name).thresholds
    assert limits["cascade-1.00-trust"] <= limits["cascade-1.00-doubt"]


@pytest.mark.parametrize("name", shipped.RULED)
def test_shipped_rules_read(name: str) -> None:
    assert all(rule.purity >= shipped.PURITY_MIN for rule in shipped.rules(name))


def test_what_is_no_release_is_not_found() -> None:
    with pytest.raises(KeyError):
        shipped.release_named("Z")
    with pytest.raises(FileNotFoundError):
        shipped.weights("Z")


def test_making_is_repeatable_and_keeps_its_promise_on_dev() -> None:
    ((name, content),) = make(ROWS, [RELEASE])
    assert name == "T"
    assert content == next(make(ROWS, [RELEASE]))[1]
    model = Weights.read(content)
    dev = pooled(of_split(ROWS, DEV), PAIR).of_sources(RELEASE.sources)
    order = shipped.routed(shipped.scores_of(model, dev))
    found = saving(order, dev, model.thresholds["cmq-0.95"], 0.95)
    assert found.counts
    assert found.saved > 0.2


def test_rules_stand_in_for_a_release() -> None:
    ((_, content),) = make(ROWS, [RELEASE])
    rules = shipped.make_rules(ROWS, RELEASE, Weights.read(content))
    assert rules
    assert all(rule.purity >= shipped.PURITY_MIN for rule in rules)


def test_fewer_labels_can_be_asked_for() -> None:
    few = dataclasses.replace(RELEASE, labels_max=50)
    assert next(make(ROWS, [few]))[1] != next(make(ROWS, [RELEASE]))[1]


def test_a_release_without_rows_is_refused() -> None:
    lost = dataclasses.replace(RELEASE, sources=("nowhere",))
    with pytest.raises(ValueError, match="no outcomes"):
        list(make(ROWS, [lost]))


def test_what_is_not_familiar_goes_to_the_strong_model() -> None:
    model = shipped.weights("A-gsm8k")
    scores = [model.score("{[(" * 40)]
    assert shipped.familiar(scores).tolist() == [False]
    assert shipped.routed(scores)[0] == shipped.UNFAMILIAR
    assert np.abs(shipped.gains(scores))[0] < 1


def test_training_without_data_ends_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert routing_weights.main([str(tmp_path)]) == 1
    assert "DATA=DIR" in capsys.readouterr().err
