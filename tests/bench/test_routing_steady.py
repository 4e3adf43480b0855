"""Rewordings, injections and charts: what they do to text, and that shipped routes hold still."""

import pytest

from bench.routing_bench import Bench
from bench.routing_noise import INJECTIONS, REWORDINGS
from bench.routing_steady import rewording_row, steadiness, strong
from bench.routing_svg import POINTS_MAX, chart, thinned
from farebox.learn import shipped

QUESTIONS = [
    "Which of the following is a noble gas?\nA. iron\nB. neon\nC. chlorine\nD. zinc\nAnswer:",
    "A train leaves at 8 and drives 120 km in two hours. What is its speed?",
    "Find all zeros of x^2 + 3x + 2 in Z_5.\nA. 1\nB. 3, 4\nC. 2\nD. none\nAnswer:",
]
MODEL = shipped.weights("A")


@pytest.mark.parametrize("name", ["upper case", "lower case", "double spaces", "blank around"])
def test_case_and_blanks_never_move_a_score(name: str) -> None:
    for question in QUESTIONS:
        plain, reworded = MODEL.score(question), MODEL.score(REWORDINGS[name](question))
        assert reworded.gain == plain.gain, question


@pytest.mark.parametrize("name", ["easy, before", "small model wanted", "easy, five times"])
def test_claims_about_ease_hardly_move_a_score(name: str) -> None:
    for question in QUESTIONS:
        plain, injected = MODEL.score(question), MODEL.score(INJECTIONS[name](question))
        assert injected.gain == pytest.approx(plain.gain, abs=0.05), question


def test_other_words_are_put_for_some() -> None:
    assert "which one of the following" in REWORDINGS["other words"](QUESTIONS[0])
    assert REWORDINGS["typing slips"]("one two three four five sentence") != (
        "one two three four five sentence"
    )


def test_flips_are_counted_at_the_threshold_that_ships() -> None:
    assert strong(MODEL, ["{[(" * 40]).tolist() == [True]


def test_without_prompts_there_is_no_figure() -> None:
    found = steadiness(Bench([]).scored("A"))
    assert found == []
    assert rewording_row(found).figure is None


def test_a_chart_is_the_same_each_time_and_names_its_lines() -> None:
    lines = {"A & B": [(0.0, 0.0), (1.0, 1.0)], "flat": [(0.0, 0.5), (1.0, 0.5)]}
    drawn = chart("title", "x", "y", lines)
    assert drawn == chart("title", "x", "y", lines)
    assert "A &amp; B" in drawn
    assert drawn.count("<polyline") == 2


def test_a_long_line_is_thinned_but_keeps_its_ends() -> None:
    points = [(float(n), float(n)) for n in range(1_000)]
    kept = thinned(points)
    assert len(kept) == POINTS_MAX
    assert (kept[0], kept[-1]) == (points[0], points[-1])
