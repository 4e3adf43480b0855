"""What receipts explain, and what they cannot."""

import json
from pathlib import Path

from bench.cap_judge import Breach
from bench.cap_receipts import Receipts, book_findings, read_receipts


def written(path: Path, *attempts: tuple[str, str, str], tail: bytes = b"") -> Path:
    """A file of receipts, one for each attempt (held, cost, end)."""
    lines = [
        json.dumps({"attempts": [{"held_usd": held, "cost_usd": cost, "end": end}]}).encode()
        for held, cost, end in attempts
    ]
    path.write_bytes(b"\n".join(lines) + b"\n" + tail)
    return path


def breaches(told: Receipts, *, settled: int, billed: int, calls: int = 0) -> list[Breach]:
    found = book_findings(told, settled_nanos=settled, billed_nanos=billed, calls=calls)
    return [one.breach for one in found]


def test_costs_are_summed_by_how_attempts_ended(tmp_path: Path) -> None:
    paths = (
        written(tmp_path / "0", ("0.10", "0.04", "usage_reported"), ("0.10", "0", "nothing_sent")),
        written(tmp_path / "1", ("0.10", "0.10", "outcome_unknown"), tail=b'{"attempts": [{"he'),
        tmp_path / "of a sidecar that never finished a call",
    )
    told = read_receipts(paths)
    assert told.total_nanos == 140_000_000
    assert told.bounded_nanos == 100_000_000
    assert told.overdraft_nanos == 0


def test_what_costs_more_than_its_hold_is_overdraft(tmp_path: Path) -> None:
    told = read_receipts([written(tmp_path / "0", ("0.10", "0.13", "usage_reported"))])
    assert told.overdraft_nanos == 30_000_000
    assert breaches(told, settled=130_000_000, billed=130_000_000) == [Breach.OVERDRAWN]


def test_an_over_count_needs_a_reason() -> None:
    told = Receipts(cost_by_end={"usage_reported": 100, "outcome_unknown": 40})
    assert not breaches(told, settled=140, billed=105)
    assert not breaches(told, settled=170, billed=105), "30 n$ of a killed sidecar's attempts"
    assert breaches(told, settled=140, billed=90) == [Breach.UNEXPLAINED]
    assert not breaches(told, settled=140, billed=90, calls=10), "each call is rounded up"


def test_a_receipt_that_is_not_settled_is_money_lost_from_the_books() -> None:
    told = Receipts(cost_by_end={"usage_reported": 100})
    assert breaches(told, settled=99, billed=90, calls=9) == [Breach.UNDERCOUNTED]
