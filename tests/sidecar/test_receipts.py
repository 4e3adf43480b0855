"""Receipts: kept newest first, written in batches, never waited for."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from farebox.core.gates import Verdict
from farebox.core.reasons import Reason
from farebox.core.wording import READ_CHARS_MAX
from sidecar import receipts
from sidecar.commands import AttemptRecord
from sidecar.receipts import (
    KEPT_MAX,
    STDOUT,
    Receipts,
    fields_of,
    judged_prompt,
    no_prompt,
)
from tests.support.outcomes import ATTEMPT, make_outcome, make_receipt
from tests.support.peers import eventually
from tests.support.policies import make_call
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
                "purpose": "answer",
                "response_model": "",
                "usage": None,
                "verdicts": [],
            }
        ],
        "usage": {"input": 100, "output": 20, "call": 1},
        "cost_usd": "0.000027000",
        "gate": "",
        "escalations": 0,
        "asked": {
            "body_bytes": 0,
            "turns": 1,
            "output_tokens": None,
            "choices": 1,
            "tools": 0,
            "images": 0,
            "json_schema": False,
            "min_tier": "",
            "residency": [],
        },
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


async def test_a_batch_that_waits_for_its_thread_at_the_end_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "FLUSH_MS", 1)
    path, busy, free = tmp_path / "receipts.jsonl", threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=1))

    def occupy() -> None:
        busy.set()
        free.wait(30)

    other = loop.run_in_executor(None, occupy)
    await eventually(busy.is_set)
    kept = Receipts(path)
    writing = beside(kept.run())
    kept.add(make_receipt(call_id="call-1"))
    await eventually(lambda: not kept._waiting)
    kept.add(make_receipt(call_id="call-2"))
    writing.cancel()
    await asyncio.sleep(0)
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await other
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


PROMPT = "Is this a complaint?"
YES, NO = Verdict("label", passed=True), Verdict("label", passed=False)
NOT_RUN = Verdict("graded", passed=False, ran=False)


def judged(*verdicts: Verdict) -> AttemptRecord:
    return msgspec.structs.replace(ATTEMPT, verdicts=verdicts)


@pytest.mark.parametrize(
    ("what", "attempts", "prompt", "kept"),
    [
        ("an answer that passed", [judged(YES)], PROMPT, PROMPT),
        ("an answer that failed", [judged(NO), judged(YES)], PROMPT, PROMPT),
        ("no gates", [ATTEMPT], PROMPT, ""),
        ("no answer", [], PROMPT, ""),
        ("a gate that could not be run", [judged(NOT_RUN)], PROMPT, ""),
        ("as much as is read", [judged(YES)], "a" * READ_CHARS_MAX, "a" * READ_CHARS_MAX),
        ("both ends of more", [judged(YES)], "a" * 9_000 + "b" * 9_000,
         "a" * (READ_CHARS_MAX // 2) + "\n" + "b" * (READ_CHARS_MAX // 2)),
        ("half a character", [judged(YES)], "a\ud800b", "a?b"),
    ],
)  # fmt: skip
def test_what_is_kept_of_a_prompt(
    what: str, attempts: list[AttemptRecord], prompt: str, kept: str
) -> None:
    call, outcome = make_call(prompt=prompt), make_outcome(attempts=tuple(attempts))
    assert judged_prompt(call, outcome) == kept
    assert no_prompt(call, outcome) == "", what


def test_a_prompt_goes_into_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    path.touch(0o644)
    kept = Receipts(path, owner_only=True)
    kept.add(msgspec.structs.replace(make_receipt(), prompt=PROMPT))
    assert PROMPT not in json.dumps(kept.last(1))
    kept._write(path, kept._taken())
    bare = json.loads(json.dumps(fields_of(make_receipt())))
    assert json.loads(path.read_text()) == {**bare, "prompt": PROMPT}
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_prompt_a_line_is_what_it_always_was(tmp_path: Path) -> None:
    lines = []
    for owner_only in (False, True):
        path = tmp_path / f"{owner_only}.jsonl"
        kept = Receipts(path, owner_only=owner_only)
        kept.add(make_receipt())
        kept._write(path, kept._taken())
        lines.append(path.read_bytes())
    assert lines[0] == lines[1] == msgspec.json.encode(fields_of(make_receipt())) + b"\n"


def test_prompts_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "WAITING_PROMPT_CHARS_MAX", 2 * len(PROMPT))
    kept = Receipts(tmp_path / "receipts.jsonl")
    for _ in range(2):
        for _ in range(3):
            kept.add(msgspec.structs.replace(make_receipt(), prompt=PROMPT))
        assert [receipt.prompt for receipt in kept._taken()] == [PROMPT, PROMPT, ""]
    assert kept.dropped == 0


async def test_standard_output_can_be_the_file(capfd: pytest.CaptureFixture[str]) -> None:
    kept = Receipts(STDOUT)
    writing = beside(kept.run())
    kept.add(make_receipt(call_id="call-1"))
    kept.add(make_receipt(call_id="call-2"))
    # It writes what waits when it ends, but has to have begun for that.
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    written = capfd.readouterr().out.splitlines()
    assert [json.loads(line)["call"] for line in written] == ["call-1", "call-2"]
    assert kept.dropped == 0
