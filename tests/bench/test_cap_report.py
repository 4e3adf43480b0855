"""A row for each run, a sentence for each bound that was broken, and how to run the seed again."""

from pathlib import Path

from bench import cap_judge, cap_report
from bench.cap_judge import Account, Line
from bench.cap_run import Result
from bench.cap_scenario import storm
from tests.support.bills import billed, pool

BILLS = cap_judge.bills([pool("org", 100_000_000)], [billed(80_000_000), billed(19_000_000)])
ORG = Account("org", "", 0)
HOME = Line(
    limit_nanos=100_000_000,
    settled_nanos=99_500_000,
    held_nanos=0,
    leased_nanos=0,
    headroom_nanos=500_000,
)


def result(*findings: cap_judge.Finding) -> Result:
    """A storm that billed 99 of 100 million nano-dollars."""
    return Result(
        scenario=storm(12),
        folder=Path("folder-of-the-run"),
        findings=findings,
        bills=BILLS,
        lines={ORG: HOME},
        faults={"hangUp": 3, "error429": 2},
        billed_calls=2,
    )


def test_a_row_has_a_cell_under_each_heading() -> None:
    heading = cap_report.heading(range(12, 13)).splitlines()[-1]
    cells = cap_report.row(result()).split()
    assert len(cells) == len(heading.split())
    named = dict(zip(heading.split(), cells, strict=True))
    assert named["seed"] == "12"
    assert named["faults"] == "5"
    assert (named["org"], named["team"]) == ("99.0%", "-")
    assert named["margin"] == "$0.001000"
    assert named["overcount"] == "$0.000500"
    assert named["late"] == "$0.000000"
    assert named["stranded"] == "$0.000000"


def test_a_broken_bound_names_its_seed_and_where_its_files_are() -> None:
    finding = cap_judge.Finding(breach=cap_judge.Breach.STRANDED, sentence="money is out")
    _, sentence, replay = cap_report.row(result(finding)).splitlines()
    assert sentence.strip() == "STRANDED: money is out"
    assert "python -m bench.cap --first-seed 12 --seeds 1" in replay
    assert "folder-of-the-run" in replay


def test_the_summary_ends_with_the_verdict() -> None:
    finding = cap_judge.Finding(breach=cap_judge.Breach.STRANDED, sentence="money is out")
    assert cap_report.summary([result()]).endswith("bench-cap: every bound held")
    assert cap_report.summary([result(), result(finding)]).endswith("1 run broke a bound")
    assert "highest bill 99.00% of its limit" in cap_report.summary([result()])


def test_everything_is_there_for_a_file() -> None:
    content = cap_report.as_json(result())
    assert content["accounts"][0]["billed_pico"] == 99_000_000_000
    assert content["overcount_nanos"] == 500_000
    assert content["broken"] == []
