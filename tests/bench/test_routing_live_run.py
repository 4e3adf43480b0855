"""The parts of the live routing run that are no process: the window that is met, the receipts."""

import json
from pathlib import Path

import pytest

from bench.routing_live_run import START_MS, period_near, reasons_of


@pytest.mark.parametrize("now", [1_795_392_750_000, 1_795_392_750_001, 1_795_392_809_999])
def test_a_window_of_about_the_length_asked_for_begins_when_the_processes_have_started(
    now: int,
) -> None:
    length = period_near(60_000, now)
    assert 60_000 <= length <= 66_000
    assert -(now + START_MS) % length < 10_000


def test_reasons_are_counted_over_all_receipts(tmp_path: Path) -> None:
    receipts = [
        {"rule": "paced=a", "route": "cheapest_sufficient"},
        {"rule": "model_scored=a", "route": "cheapest_sufficient"},
        {"rule": "model_scored=a", "route": "tier_lowered"},
        {"rule": "model_scored=a", "route": None},
    ]
    path = tmp_path / "receipts.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in receipts))
    assert reasons_of(path) == {
        "paced": 1,
        "model_scored": 3,
        "cheapest_sufficient": 2,
        "tier_lowered": 1,
        "no_candidate": 1,
    }
