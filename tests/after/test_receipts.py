"""Receipts read back: what a sidecar wrote, in order, and what is no receipt is counted."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from farebox.after import receipts
from farebox.after.problems import AfterError
from farebox.after.receipts import Past, read_receipts
from farebox.core.gates import Verdict
from farebox.core.reasons import Reason
from farebox.core.usage import Usage
from sidecar.commands import Purpose
from tests.support.past import attempt, line_of, past


def write(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_a_sidecar_wrote_is_read_back() -> None:
    read = past(at=7)
    assert (read.call, read.task, read.model, read.tier) == (
        "call-1", "classification", "gpt-4o-mini", "small"
    )  # fmt: skip
    assert (read.cost, read.attempts[0].held, read.attempts[0].cost) == (27_000, 33_300, 27_000)
    assert read.tokens() == Usage(input=100, output=20, call=1)
    assert read.reason == Reason.TASK_TAGGED
    assert read.asked is not None
    assert (read.asked.body_bytes, read.asked.output_tokens) == (400, 100)


def test_answers_are_the_attempts_that_gates_judged() -> None:
    failed = attempt(verdicts=(Verdict("shape", passed=False),))
    graded = attempt(purpose=Purpose.GRADE)
    read = past(attempts=(failed, graded, attempt(verdicts=(Verdict("shape", passed=True),))))
    assert [answer.passed for answer in read.answers] == [False, True]


def test_files_are_one_in_the_order_of_the_calls(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", line_of(at=30, call_id="c"), line_of(at=10, call_id="a"))
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(line_of(at=20, call_id="b")).encode()))
    read = read_receipts([first, packed])
    assert [one.call for one in read.calls] == ["a", "b", "c"]
    assert (read.span_ms, read.unread) == (20, 0)


def test_a_receipt_of_an_older_version_has_what_it_has(tmp_path: Path) -> None:
    older = line_of()
    del older["asked"], older["gate"], older["escalations"]
    (read,) = read_receipts([write(tmp_path / "a.jsonl", older)]).calls
    assert (read.asked, read.gate) == (None, "")


def test_lines_that_are_no_receipts_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", line_of(), {"call": "x"}, {**line_of(), "cost_usd": "much"})
    with path.open("a") as file:
        file.write('{"call": "cut off by a ki')
    assert read_receipts([path]).unread == 3


def test_without_receipts_there_is_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(AfterError, match="no receipts"):
        read_receipts([write(tmp_path / "a.jsonl")])
    with pytest.raises(AfterError, match="can't be read"):
        read_receipts([tmp_path / "gone.jsonl"])


def test_more_than_the_bound_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "RECEIPTS_MAX", 1)
    with pytest.raises(AfterError, match="fewer files"):
        read_receipts([write(tmp_path / "a.jsonl", line_of(), line_of())])


def test_unknown_kinds_of_usage_are_left_out() -> None:
    read = msgspec.structs.replace(past(), usage={"input": 3, "smells": 4})
    assert isinstance(read, Past)
    assert read.tokens() == Usage(input=3)
