"""Rows of the routing table: levels reached, rows without data, sources that were never seen."""

from collections.abc import Iterator

import pytest

from bench.routing_bench import Bench
from bench.routing_report import reached, shown, tally
from bench.routing_rows import Row, quality_rows, unmeasured
from bench.routing_targets import TARGETS, target_named
from bench.routing_timing import timed
from farebox.learn.accuracy import Interval
from farebox.learn.outcomes import Outcome


def rows(source: str, count: int = 60) -> Iterator[Outcome]:
    for number in range(count):
        hard = number % 3 == 0
        yield Outcome(
            id=f"{source}/{number}",
            source=source,
            prompt=f"Anna buys {number} pens for {number % 5} dollars each. What is the total?",
            key=f"{source} {number}",
            split="test",
            scores={"mixtral-8x7b-instruct": float(not hard), "gpt-4-1106-preview": 1.0},
        )


def row(item: str, value: float, *, must: bool | None = None) -> Row:
    return Row(target=target_named(item), figure=Interval(value, value, value), rows=9, must=must)


@pytest.mark.parametrize(
    ("item", "value", "words"),
    [
        ("APGR A", 0.76, "moonshot"),
        ("APGR A", 0.71, "goal"),
        ("APGR A", 0.66, "must"),
        ("APGR A", 0.64, "**must missed**"),
        ("model p99", 0.05, "moonshot"),
        ("model p99", 0.5, "must"),
        ("model p99", 1.5, "**must missed**"),
        ("APGR A", float("nan"), "**must missed**"),
    ],
)
def test_how_far_a_row_got(item: str, value: float, words: str) -> None:
    assert reached(row(item, value)) == words


def test_a_verdict_of_its_own_overrules_the_figure() -> None:
    assert reached(row("CMQ(.95) A", 90.0, must=False)) == "**must missed**"
    assert row("unseen source", 0.4, must=True).must_reached is True


def test_rows_that_were_not_measured_count_for_nothing() -> None:
    found = [row("APGR A", 0.71), unmeasured("APGR C1")]
    assert tally(found) == "1 of 1 musts and 1 of 1 goals reached"
    assert reached(found[1]) == "not measured"


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Interval(0.5, 0.4, 0.6), "0.500 [0.400, 0.600]"),
        (Interval(50.04, 40, 60), "50.0 [40.0, 60.0]"),
        (Interval(3.0, 3.0, 3.0), "3.0"),
        (None, "-"),
        (Interval(float("nan"), 0, 0), "-"),
    ],
)
def test_a_figure_is_shown_with_its_interval(figure: Interval | None, text: str) -> None:
    assert shown(figure) == text


def test_every_row_of_the_table_is_there_even_without_data() -> None:
    found = list(quality_rows(Bench([])))
    timings = {"heuristics p99", "model p99", "model size", "rewording flips the route"}
    assert {one.target.item for one in found} | timings == {target.item for target in TARGETS}
    assert all(one.figure is None for one in found)


def test_a_source_that_no_release_was_trained_on_has_rows_of_its_own() -> None:
    found = list(quality_rows(Bench(list(rows("somewhere-else")))))
    unseen = [one for one in found if one.target.item == "unseen source"]
    assert len(unseen) == 3
    assert all("somewhere-else" in one.note for one in unseen)
    assert all("no opinion on" in one.note for one in unseen)


def test_known_sources_fill_their_rows() -> None:
    found = {one.target.item: one for one in quality_rows(Bench(list(rows("routellm-gsm8k"))))}
    assert found["APGR GSM8K in domain"].figure is not None
    assert "indicative" in found["APGR GSM8K in domain"].note
    assert found["APGR B2"].figure is None


def test_work_is_timed_piece_by_piece() -> None:
    found = timed([lambda: sum(range(10)), lambda: sum(range(10_000))])
    assert len(found.each) == 2
    assert (found.each >= 0).all()
    assert found.yardstick > 0
