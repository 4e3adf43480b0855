"""`farebox demo`: its parts. The whole of it is run by .ci/run, for it takes half a minute."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from farebox.cli.calls import Ending
from farebox.cli.demo import (
    CALLS_OF_CAPS,
    FAULTS,
    MANIFESTS,
    Evidence,
    _cause,
    _excused,
    _own_manifests,
    _report,
    run_demo,
)
from farebox.cli.demo_answers import PROMPTS
from farebox.cli.prompts import read_prompts
from farebox.cli.records import ReceiptLine
from farebox.cli.resources import ManifestError, read_resources
from farebox.cli.verdicts import CAP_BROKEN, ELSE_BROKEN, HELD
from farebox.core.money import parse_dollars
from farebox.simulated.faults import FaultKind
from tests.support.runs import billed, outcome


def evidence(bill: str, *, outcomes: int = 3) -> Evidence:
    held, settled = parse_dollars("1"), parse_dollars(bill)
    return Evidence(
        outcomes=[outcome(model="gpt-4o") for _ in range(outcomes)],
        receipts=[ReceiptLine(call="c", attempts=1, held=held, settled=settled)],
        entries=[billed(bill)],
        pools=[],
    )


@pytest.mark.parametrize(
    ("bill", "outcomes", "status", "line"),
    [
        ("0.10", 3, HELD, "CAP HELD"),
        ("0.26", 3, CAP_BROKEN, "CAP BROKEN"),
        ("0.10", 0, ELSE_BROKEN, "NOT SHOWN"),
    ],
)
def test_a_report_ends_with_its_verdict(bill: str, outcomes: int, status: int, line: str) -> None:
    paper = io.StringIO()
    console = Console(file=paper, width=400)
    judged = _report(evidence(bill, outcomes=outcomes), read_resources(MANIFESTS), console)
    text = paper.getvalue()
    assert judged.status == status
    assert line in text.splitlines()[-1]
    assert "default/support-user [ana]" in text


def test_only_calls_that_a_kill_can_explain_are_excused() -> None:
    outcomes = [
        outcome(Ending.FAILED, endpoint=1, status=0),
        outcome(Ending.FAILED, endpoint=1, status=200),
        outcome(Ending.FAILED, endpoint=1, status=500),
        outcome(Ending.FAILED, endpoint=0, status=0),
        outcome(endpoint=1),
    ]
    assert _excused(outcomes) == 2


def test_the_error_that_a_person_reads_is_the_innermost() -> None:
    first = ValueError("first")
    assert _cause(ExceptionGroup("a", [ExceptionGroup("b", [first]), KeyError()])) is first


def test_the_faults_are_few_and_known_and_none_breaks_a_bound() -> None:
    assert {FaultKind(name) for name in FAULTS} == set(FAULTS)
    assert sum(FAULTS.values()) < 0.1
    # No provider may write more than it was asked for unless its tier says so (overrunPercent).
    assert FaultKind.LONG_ANSWER not in FAULTS


def test_the_caps_are_those_of_the_examples_for_the_demos_own_prompts(tmp_path: Path) -> None:
    assert len(read_prompts(PROMPTS)) == CALLS_OF_CAPS
    assert _own_manifests(tmp_path, calls=CALLS_OF_CAPS) == MANIFESTS


def test_more_prompts_have_caps_in_proportion(tmp_path: Path) -> None:
    usual = read_resources(MANIFESTS)
    double = read_resources(_own_manifests(tmp_path, calls=2 * CALLS_OF_CAPS))
    assert double.catalogue == usual.catalogue
    assert {uid: pool.limit for uid, pool in double.pools.items()} == {
        uid: 2 * pool.limit for uid, pool in usual.pools.items()
    }


async def test_a_folder_with_problems_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text("kind: BudgetPool\n")
    with pytest.raises(ManifestError, match=r"pools\.yaml:1"):
        await run_demo(prompts=None, limit=1, manifests=tmp_path, keep=False)
