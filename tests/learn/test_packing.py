"""Packed weights: the scorer reads them back and says what the floats said."""

import numpy as np
import pytest

from farebox.core.scoring import Unreadable, Weights
from farebox.learn.outcomes import DEV, TRAIN, of_split
from farebox.learn.packing import pack, quantised, with_thresholds
from farebox.learn.pairs import pooled
from farebox.learn.training import Recipe, gains, train
from tests.support.learning import PAIR, made_up, prompts

ROWS = made_up(600)
FITTED = train(
    pooled(of_split(ROWS, TRAIN), PAIR), of_split(ROWS, DEV), [], {}, Recipe(bits=10, word_bits=10)
)
PACKED = with_thresholds(
    pack("made-up", FITTED), {"cmq-0.95": 0.123456}, [0.0, 1.0], [1.0, 0.0], 0.4
)
ASKED = prompts(of_split(ROWS, DEV))


def test_the_scorer_says_what_the_floats_said() -> None:
    model = Weights.read(PACKED)
    packed = np.array([model.score(prompt).gain for prompt in ASKED])
    assert packed == pytest.approx(gains(FITTED, ASKED), abs=0.01)


def test_prompts_like_those_of_training_are_familiar_and_others_are_not() -> None:
    model = Weights.read(PACKED)
    assert np.mean([model.score(prompt).familiar for prompt in ASKED]) > 0.95
    assert not model.score("Explain quantum chromodynamics to the parliament").familiar
    assert not model.score("{[(" * 40).familiar


def test_thresholds_and_usual_worths_travel_with_the_weights() -> None:
    model = Weights.read(PACKED)
    assert model.name == "made-up"
    assert model.thresholds == {"cmq-0.95": 0.12346}
    assert (model.usual, model.usual_spend, model.usual_gain) == ((0.0, 1.0), (1.0, 0.0), 0.4)


def test_only_packed_weights_get_thresholds() -> None:
    with pytest.raises(Unreadable):
        with_thresholds(b"other bytes", {}, [], [], 0.0)


def test_weights_are_rounded_to_the_nearest_of_255_steps() -> None:
    scale, packed = quantised(np.array([-1.27, 0.0, 0.014, 1.27]))
    assert scale == pytest.approx(0.01)
    assert list(packed) == [1, 128, 129, 255]
    assert quantised(np.zeros(2)) == (1.0, b"\x80\x80")
