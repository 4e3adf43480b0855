"""Reading what the processes tell."""

import json
from pathlib import Path
from typing import Any

import pytest

from farebox.cli.records import (
    HolderLine,
    RecordError,
    read_holders,
    read_pools,
    read_receipts,
    title_of,
)
from farebox.core.money import parse_dollars

POOL: dict[str, Any] = {
    "pool": "default/acme",
    "key": "",
    "window_starts": "2026-11-23T00:00:00Z",
    "window_ends": None,
    "limit_usd": "1.000000000",
    "settled_usd": "0.250000000",
    "held_usd": "0.100000000",
    "leased_usd": "0.050000000",
    "headroom_usd": "0.600000000",
    "holders": 2,
}
HOLDER: dict[str, Any] = {
    "holder": "a380c82e",
    "workload": {"namespace": "default", "name": "assistant-0", "labels": {}},
    "connected": True,
    "frozen": False,
    "leases": [{}, {}],
}
RECEIPT = {
    "call": "c-1",
    "cost_usd": "0.000000300",
    "attempts": [
        {"held_usd": "0.000000500", "cost_usd": "0.000000000"},
        {"held_usd": "0.000000400", "cost_usd": "0.000000300"},
    ],
}


def test_pools_are_read_in_nano_dollars() -> None:
    [line] = read_pools({"pools": [POOL]})
    assert line.limit == parse_dollars("1")
    assert line.committed == parse_dollars("0.40")
    assert line.title == "default/acme"


def test_a_sub_pool_is_titled_with_its_key() -> None:
    assert title_of("default/user", "ana") == "default/user [ana]"


def test_holders_are_read_with_their_workload() -> None:
    assert read_holders([HOLDER]) == [
        HolderLine(
            holder="a380c82e",
            workload="default/assistant-0",
            connected=True,
            frozen=False,
            leases=2,
        )
    ]


@pytest.mark.parametrize(
    "document",
    [{}, {"pools": [{}]}, {"pools": [{**POOL, "limit_usd": 1.0}]}, {"pools": [None]}, []],
)
def test_an_unknown_shape_is_said_so(document: Any) -> None:
    with pytest.raises(RecordError, match="/v1/pools has not the shape"):
        read_pools(document)


def test_receipts_add_up_all_attempts_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    path.write_text(json.dumps(RECEIPT) + "\n")
    [line] = read_receipts(path)
    assert (line.call, line.attempts, line.held, line.settled) == ("c-1", 2, 900, 300)


def test_a_line_that_a_kill_has_cut_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    text = json.dumps(RECEIPT)
    path.write_text(f"{text}\n{text[:40]}{text}\n{text}\n{text[:7]}")
    assert len(read_receipts(path)) == 2


def test_a_sidecar_without_receipts_has_none(tmp_path: Path) -> None:
    assert read_receipts(tmp_path / "none.jsonl") == []
