"""The scorer: it reads packed weights, scores by hand-made ones exactly, and refuses others."""

import math
from collections.abc import Callable

import pytest

from farebox.core.scoring import MAGIC, WEIGHTS_BYTES_MAX, Kind, Unreadable, Weights, spread
from farebox.core.wording import STRUCTURE_NAMES
from tests.support.weights import FLAT, WIDE, header, packed


def test_a_score_is_the_logistic_of_the_weights() -> None:
    score = Weights.read(packed(header())).score("Ocean")
    assert score.weak == 0.5
    assert score.strong == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert score.gain == pytest.approx(score.strong - 0.5)
    assert score.familiar
    assert score.worth == pytest.approx(score.gain * 6 / 7)
    assert score.pacing == score.worth


def test_a_gain_on_a_longer_prompt_is_worth_less() -> None:
    model = Weights.read(packed(header()))
    short, long = model.score("ocean"), model.score("ocean ocean ocean ocean")
    assert long.worth / long.gain < short.worth / short.gain


def test_unknown_words_make_a_prompt_unfamiliar() -> None:
    model = Weights.read(packed(header()))
    score = model.score("ocean strange words here")
    assert score.unknown > 0.5
    assert not score.familiar
    assert score.pacing != score.worth


def test_an_unlike_shape_makes_a_prompt_unfamiliar() -> None:
    fields = header()
    narrow = [1e-3] * len(STRUCTURE_NAMES)
    fields["kinds"] = [[FLAT, narrow, 0.0]]
    assert not Weights.read(packed(fields)).score("ocean").familiar


def test_what_does_not_belong_is_unfamiliar() -> None:
    fields = {**header(), "belonging": [*FLAT, -1.0]}
    score = Weights.read(packed(fields)).score("ocean")
    assert score.belonging == -1.0
    assert not score.familiar


def test_a_longer_usual_answer_makes_a_gain_worth_less() -> None:
    fields = {**header(), "kinds": [[FLAT, WIDE, 7.0]]}
    score = Weights.read(packed(fields)).score("ocean")
    assert score.worth == pytest.approx(score.gain * 6 / 14)


def test_calibration_bends_the_chance() -> None:
    fields = header()
    fields["strong"] = {**fields["strong"], "slope": 0.5, "offset": 1.0}
    score = Weights.read(packed(fields)).score("ocean")
    assert score.strong == pytest.approx(1 / (1 + math.exp(-2.0)))


def test_a_wild_number_counts_so_much_at_most() -> None:
    kind = Kind((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert spread((9.0, -9.0, 0.5), kind, 3.0) == [3.0, -3.0, 0.5]


def without(name: str) -> Callable[[], bytes]:
    fields = header()
    del fields[name]
    return lambda: packed(fields)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nothing", lambda: b""),
        ("another file", lambda: b"PK\x03\x04"),
        ("no header", lambda: MAGIC),
        ("header without JSON", lambda: MAGIC + b"x\n"),
        ("cut short", lambda: packed(header())[:-1]),
        ("too long", lambda: MAGIC + b" " * WEIGHTS_BYTES_MAX),
        ("another reading", lambda: packed({**header(), "structure": ["words"]})),
        ("a short shape", lambda: packed({**header(), "overall": [[0.0], [1.0], 0.0]})),
        ("two rows only", lambda: packed({**header(), "overall": [FLAT, FLAT]})),
        ("no bias", lambda: packed({**header(), "weak": {}})),
        ("no thresholds", without("thresholds")),
    ],
)
def test_what_are_no_weights(name: str, content: Callable[[], bytes]) -> None:
    with pytest.raises(Unreadable, match="no routing weights"):
        Weights.read(content())


@pytest.mark.parametrize(
    ("extra_ppm", "cut"), [(1_000_000, 0.0), (750_000, 0.05), (500_000, 0.1), (0, 0.2)]
)
def test_a_cut_lies_where_the_usual_extra_bill_is_as_large_as_asked(
    extra_ppm: int, cut: float
) -> None:
    assert Weights.read(packed(header())).cut_for(extra_ppm) == pytest.approx(cut)


def test_a_cut_jumps_where_several_prompts_have_one_score() -> None:
    fields = header() | {"usual": [0.0, 0.1, 0.3, 0.9], "usual_spend": [1.0, 0.5, 0.5, 0.0]}
    weights = Weights.read(packed(fields))
    assert weights.cut_for(500_000) == pytest.approx(0.1)
    assert weights.cut_for(499_999) == pytest.approx(0.3, abs=1e-4)
