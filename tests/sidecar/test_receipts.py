"""Receipts: kept newest first, written in batches, never waited for."""

import asyncio
import json
from pathlib import Path

import pytest

from farebox.core.reasons import Reason
from sidecar import receipts
from sidecar.receipts import KEPT_MAX, Receipts, fields_of
from tests.support.outcomes import make_receipt
from tests.support.peers import eventually
from tests.support.tasks import beside


def test_a_receipt_in_json() -> None:
    assert json.loads(json.dumps(fields_of(make_receipt()))) == {
        "call": "call-1",
        "at": 1_790_000_000_000,
        "duration_ms": 40,
        "status": 200,
        "refused": None,
        "refused_pool": "",
        "caller_gone": False,
        "user": "ana",
        "session": "(none)",
        "workflow": "(none)",
        "priority": "normal",
        "task": "classification",
        "task_said": "tag",
        "difficulty": 350,
        "rule": "task_tagged=header:classification",
        "stream": False,
        "model_asked": "farebox/auto",
        "model": "gpt-4o-mini",
        "tier": "small",
        "response_model": "gpt-4o-mini-2024-07-18",
        "route": "cheapest_sufficient",
        "rejected": [{"model": "o1", "reason": "costs_more"}],
        "attempts": [
            {
                "model": "gpt-4o-mini",
                "tier": "small",
                "hold": 7,
                "held_usd": "0.000033300",
                "cost_usd": "0.000027000",
                "end": "usage_reported",
                "status": 200,
                "shadow": [],
                "unverified": [],
            }
        ],
        "usage": {"input": 100, "output": 20, "call": 1},
        "cost_usd": "0.000027000",
    }


def test_a_refused_call_has_no_usage() -> None:
    fields = fields_of(make_receipt(usage=None, refused=Reason.POOL_EXHAUSTED, route=None))
    assert (fields["usage"], fields["refused"], fields["route"]) == (None, "pool_exhausted", None)


def test_the_newest_can_be_asked_for() -> None:
    kept = Receipts()
    for number in range(KEPT_MAX + 5):
        kept.add(make_receipt(call_id=f"call-{number}"))
    assert [one["call"] for one in kept.last(2)] == ["call-1004", "call-1003"]
    assert len(kept.last(10**6)) == KEPT_MAX
    assert kept.last(-1) == []


async def test_all_are_written_also_those_that_wait_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    kept = Receipts(path)
    writing = beside(kept.run())
    kept.add(make_receipt(call_id="call-1"))
    await eventually(lambda: path.exists() and path.read_text().count("\n") == 1)
    kept.add(make_receipt(call_id="call-2"))
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["call"] for line in lines] == ["call-1", "call-2"]


async def test_without_a_file_there_is_nothing_to_write() -> None:
    kept = Receipts()
    kept.add(make_receipt())
    await kept.run()
    assert len(kept.last(5)) == 1


def test_what_the_disk_can_not_take_is_dropped_and_counted(tmp_path: Path) -> None:
    kept = Receipts(tmp_path)  # a folder takes no lines
    kept.add(make_receipt())
    kept._write(tmp_path, kept._taken())
    assert kept.dropped == 1


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "WAITING_MAX", 2)
    kept = Receipts(tmp_path / "receipts.jsonl")
    for _ in range(5):
        kept.add(make_receipt())
    assert kept.dropped == 3
    assert len(kept.last(10)) == 5


def test_a_file_that_has_grown_too_long_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "FILE_BYTES_MAX", 10)
    path = tmp_path / "receipts.jsonl"
    kept = Receipts(path)
    for _ in range(2):
        kept.add(make_receipt())
        kept._write(path, kept._taken())
    assert not path.exists()
    assert (tmp_path / "receipts.jsonl.1").read_text().count("\n") == 1
