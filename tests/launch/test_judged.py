"""Outcomes from verdicts: what was not seen is reckoned from the baseline, or the task left out."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from farebox.core.tasks import Baseline
from farebox.launch.judged import Heard, Models, Reckoned, reckon
from farebox.learn.outcomes import DEV, TRAIN

WEAK, STRONG = "small-model", "large-model"
MODELS = Models(weak=WEAK, strong=STRONG, strong_tier="large", catalogue="aaaaaabbbbbb")
BASELINE = Baseline(
    measured="2026-01-31",
    samples=100,
    catalogue="aaaaaacccccc",  # other prices, the same models
    pass_rates=(("small", 600), ("large", 900)),
)
TASK = "mails"


def calls(
    passed: int, failed: Sequence[bool | None] = (), straight: Sequence[bool] = ()
) -> list[Heard]:
    """Different prompts: passed at once; failed, and then the strong one; straight to it."""
    return [
        *(Heard(TASK, f"easy {n}", True, None) for n in range(passed)),
        *(Heard(TASK, f"hard {n}", False, strong) for n, strong in enumerate(failed)),
        *(Heard(TASK, f"other {n}", None, strong) for n, strong in enumerate(straight)),
    ]


def of(heard: Sequence[Heard], baseline: Baseline | None = BASELINE) -> Reckoned:
    return reckon(heard, {TASK: baseline}, MODELS)


def strong_of(found: Reckoned, prompt: str) -> float:
    (row,) = [one for one in found.rows if one.prompt == prompt]
    return row.scores[STRONG]


def shares(good: int, of: int) -> list[bool]:
    return [n < good for n in range(of)]


@pytest.mark.parametrize(
    ("what", "heard", "after_pass"),
    [
        # In all strong passes 90 of 100; 32 of the 40 hard ones, so 58 of the 60 easy ones.
        ("as often in all as measured", calls(60, shares(32, 40)), 58 / 60),
        # 16 of 20 that were heard passed, so 32 of all 40 are taken to pass.
        ("unheard failures as heard ones", calls(60, [*shares(16, 20), *[None] * 20]), 58 / 60),
        # 20 went straight there, and 14 of those passed: 108 of 120, less 14 and 32, is 62 of 60.
        ("what went straight there", calls(60, shares(32, 40), shares(14, 20)), 1.0),
        ("nothing failed", calls(50), 0.9),
        ("few failures, all heard", calls(95, shares(1, 5)), 89 / 95),
    ],
)
def test_the_strong_rate_where_weak_passed(
    what: str, heard: list[Heard], after_pass: float
) -> None:
    found = of(heard)
    assert strong_of(found, "easy 0") == pytest.approx(after_pass), what
    assert found.left_out == []
    assert len(found.rows) == sum(one.weak is not None for one in heard)


def test_what_was_heard_stays_and_what_was_not_is_as_usual() -> None:
    found = of(calls(60, [*shares(16, 20), *[None] * 20]))
    assert [strong_of(found, f"hard {n}") for n in (0, 19, 20)] == [1.0, 0.0, 0.8]
    weak = {row.prompt: row.scores[WEAK] for row in found.rows}
    assert (weak["easy 0"], weak["hard 0"]) == (1.0, 0.0)


def test_taken_as_they_are_verdicts_would_show_the_strong_model_at_its_worst() -> None:
    heard = calls(60, shares(31, 40))
    seen = [one.strong for one in heard if one.strong is not None]
    found = of(heard)
    rates = [row.scores[STRONG] for row in found.rows]
    assert sum(seen) / len(seen) == 0.775
    assert sum(rates) / len(rates) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("heard", "baseline", "why"),
    [
        (calls(50), None, "its baseline has no pass rate of large"),
        (calls(50), replace(BASELINE, pass_rates=(("small", 900),)), "no pass rate of large"),
        (calls(50), replace(BASELINE, samples=29), "rests on 29 samples; 30 are needed"),
        (calls(50), replace(BASELINE, catalogue="ddddddbbbbbb"), "other tiers or models"),
        (calls(60, [True] * 19 + [None] * 21), BASELINE, "40 prompts failed"),
        (calls(60, [None] * 3), BASELINE, "large answered 0 of them next; 20 are needed"),
        (calls(0, straight=[True] * 50), BASELINE, "the weak tier gave no first answer"),
    ],
)
def test_a_task_that_cannot_be_reckoned_with_is_left_out(
    heard: list[Heard], baseline: Baseline | None, why: str
) -> None:
    found = of(heard, baseline)
    assert (found.rows, found.told) == ([], [])
    assert why in found.left_out[0]


def test_the_other_tasks_are_not_lost_with_it() -> None:
    found = reckon([*calls(50), Heard("unknown", "what?", True, None)], {TASK: BASELINE}, MODELS)
    assert len(found.rows) == 50
    assert found.left_out[0].startswith("unknown: ")


@pytest.mark.parametrize(
    ("what", "heard", "doubt"),
    [
        ("near enough", calls(60, shares(27, 40)), False),
        ("strong fails where it should not", calls(60, shares(20, 40)), True),
        ("weak always fails, strong never", calls(0, shares(40, 40)), True),
    ],
)
def test_receipts_that_contradict_the_baseline_are_doubted(
    what: str, heard: list[Heard], doubt: bool
) -> None:
    assert bool(of(heard).doubts) is doubt, what


def test_a_prompt_is_one_row_however_often_it_was_asked() -> None:
    again = [Heard(TASK, "easy 0", False, True), *([Heard(TASK, "easy 1", True, None)] * 30)]
    found = of([*calls(40), *again])
    assert len(found.rows) == 40
    (mixed,) = [row for row in found.rows if row.prompt == "easy 0"]
    assert mixed.scores[WEAK] == 0.5


def test_one_prompt_of_two_tasks_is_one_row() -> None:
    both = [Heard("a", "same", True, None), Heard("b", "same", False, True)]
    found = reckon(both, {"a": BASELINE, "b": BASELINE}, MODELS)
    (row,) = found.rows
    assert row.scores[WEAK] == 0.5


def test_the_split_is_by_question_and_lengths_are_kept() -> None:
    heard = [Heard(TASK, f"Prompt {n}", True, None, 40) for n in range(40)]
    same = [Heard(TASK, f"prompt  {n}", False, True, 44, 80) for n in range(40)]
    found = of([*heard, *same])
    by_key: dict[str, set[str]] = {}
    for row in found.rows:
        by_key.setdefault(row.key, set()).add(row.split)
    assert len(found.rows) == 80
    assert len(by_key) == 40
    assert {frozenset(splits) for splits in by_key.values()} == {
        frozenset({TRAIN}), frozenset({DEV})
    }  # fmt: skip
    assert found.rows[-1].out_chars == {WEAK: 44, STRONG: 80}


def test_what_was_assumed_is_told_in_figures() -> None:
    (told,) = of(calls(60, shares(32, 40), [True] * 20)).told
    assert told.startswith("mails: 100 prompts, weak passed 0.600. Strong was heard on 40")
    assert "passed 0.800 of them" in told
    assert "20 prompts that went straight to it" in told
