"""What the live run showed is put beside the offline figures, and failures are called so."""

from collections.abc import Sequence

import pytest

from bench.routing_live_report import TITLE, Line, lines_of, section, with_section
from bench.routing_live_run import Answer, Ran
from bench.routing_live_setup import Budget, budgets, sampled
from farebox.core.money import Nanos
from farebox.learn import shipped
from farebox.learn.outcomes import Outcome
from farebox.learn.pairs import pair_named, pooled

PAIR = pair_named("A")
WEAK, STRONG = PAIR.weak.names[0], PAIR.strong.names[0]
ROWS = [
    Outcome(
        id=f"row/{n}",
        source="routellm-gsm8k",
        prompt=f"Tom has {n} apples and eats {n % 7}. How many apples are left?",
        key=str(n),
        split="dev",
        scores={WEAK: n % 2, STRONG: 1},
    )
    for n in range(60)
]
POOL = sampled(pooled(ROWS, PAIR), 60)


def ran(budget: Budget, right: Sequence[float], *, bill: int = 0, outside: int = 0) -> Ran:
    return Ran(
        budget=budget,
        answers=[Answer(score=score, status=200, model=WEAK) for score in right],
        bill=Nanos(bill),
        outside=outside,
        reasons={"paced": 7, "tier_lowered": 2},
        held_max=Nanos(0),
    )


LIMIT = budgets(POOL)[1].limit


def line(right: Sequence[float], *, bill: int = LIMIT, outside: int = 0) -> Line:
    budget = budgets(POOL)[1]
    model = shipped.weights("A")
    return lines_of(POOL, model, [ran(budget, right, bill=bill, outside=outside)])[0]


def test_a_run_as_the_offline_figures_say_has_no_failures() -> None:
    found = line([1.0, 0.0] * 30)
    assert found.offline.low <= 0.5 <= found.offline.high
    assert found.failures == []
    assert "**Reached" in "\n".join(section(POOL, [found], "made-up rows"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (line([1.0, 0.0] * 30, bill=LIMIT + 1), "exceeds the budget"),
        (line([1.0, 0.0] * 30, outside=2), "2 calls were billed outside the window"),
        (line([0.0] * 60), "the quality of 0.000 is outside"),
        (line([1.0] * 60), "the quality of 1.000 is outside"),
        (line([1.0, 0.0] * 30, bill=LIMIT // 2), "the bill of 50.0% of the budget is below"),
    ],
)
def test_failures_are_named(found: Line, said: str) -> None:
    assert len(found.failures) == 1
    assert said in found.failures[0]
    text = "\n".join(section(POOL, [found], "made-up rows"))
    assert "**Missed: 25%: " in text
    assert said in text


def test_a_row_tells_what_happened() -> None:
    lines = section(POOL, [line([1.0, 0.0] * 30, bill=LIMIT)], "made-up rows")
    (row,) = [one for one in lines if one.startswith("| 25%")]
    assert row.startswith("| 25% | 0.500 ")
    assert row.endswith("| 0.0% | 7 | 2 | 0 | 0.0% |")
    assert "| 100.0% |" in row


def test_the_section_replaces_the_one_before_and_leaves_the_rest() -> None:
    document = "# Routing figures\n\nText.\n"
    once = with_section(document, [TITLE, "", "first", ""])
    assert once == f"# Routing figures\n\nText.\n\n{TITLE}\n\nfirst\n"
    assert with_section(once, [TITLE, "", "second", ""]) == once.replace("first", "second")
    assert with_section("", [TITLE, ""]) == f"{TITLE}\n"
