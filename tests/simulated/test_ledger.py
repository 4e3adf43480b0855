"""The provider's ledger: exact, append-only, kept over restarts, trusted only when whole."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from farebox.simulated.ledger import Entry, Ledger, LedgerError, bill_nanos, read_entries


def make_entry(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "seq": 1,
        "request_id": "req-1",
        "received_at_ms": 1,
        "billed_at_ms": 2,
        "model": "small",
        "user": None,
        "key_tail": "wxyz",
        "metadata": {"team": "a"},
        "input_tokens": 10,
        "cached_tokens": 0,
        "output_tokens": 5,
        "stream": False,
        "fault": None,
        "billed_pico": 1_500,
        "max_tokens_asked": None,
    }
    return Entry(**values | changes)


def test_a_restarted_ledger_goes_on_after_its_last_record(ledger_path: Path) -> None:
    first = Ledger(ledger_path)
    first.append(make_entry(seq=1, billed_pico=1))
    first.append(make_entry(seq=2, billed_pico=2, user="ana"))
    first.close()
    second = Ledger(ledger_path)
    assert second.seq_last == 2
    second.append(make_entry(seq=3, billed_pico=4, user="ana", model="large"))
    second.close()
    assert [entry.billed_pico for entry in read_entries(ledger_path)] == [1, 2, 4]
    assert second.totals.calls == 3
    assert second.totals.billed_pico == 7
    assert second.totals.by_model == {"small": 3, "large": 4}
    assert second.totals.by_user == {"": 1, "ana": 6}
    assert second.totals.by_key_tail == {"wxyz": 7}


def test_a_record_is_in_the_file_as_soon_as_it_is_appended(ledger_path: Path) -> None:
    ledger = Ledger(ledger_path)
    entry = make_entry()
    ledger.append(entry)
    assert read_entries(ledger_path) == [entry]
    ledger.close()


def test_the_lines_have_the_documented_names(ledger_path: Path) -> None:
    ledger = Ledger(ledger_path)
    ledger.append(make_entry())
    ledger.close()
    assert list(msgspec.json.decode(ledger_path.read_bytes())) == [
        "seq", "requestId", "receivedAtMs", "billedAtMs", "model", "user", "keyTail", "metadata",
        "inputTokens", "cachedTokens", "outputTokens", "stream", "fault", "billedPico",
        "maxTokensAsked",
    ]  # fmt: skip


def test_two_providers_cannot_share_a_ledger(ledger_path: Path) -> None:
    ledger = Ledger(ledger_path)
    with pytest.raises(LedgerError, match="Another provider"):
        Ledger(ledger_path)
    ledger.close()


@pytest.mark.parametrize(
    ("damage", "want_sentence"),
    [
        pytest.param(lambda lines: lines[:-5], "Line 3 .* is no record", id="cut in a record"),
        pytest.param(lambda lines: lines[:-1], "Line 3 .* no end", id="cut before its end"),
        pytest.param(
            lambda lines: lines[lines.index(b"\n") + 1 :], "Line 1 .* number 2", id="line removed"
        ),
    ],
)
def test_a_damaged_ledger_is_not_trusted(
    ledger_path: Path, damage: Any, want_sentence: str
) -> None:
    ledger = Ledger(ledger_path)
    for seq in (1, 2, 3):
        ledger.append(make_entry(seq=seq))
    ledger.close()
    ledger_path.write_bytes(damage(ledger_path.read_bytes()))
    with pytest.raises(LedgerError, match=want_sentence):
        Ledger(ledger_path)


def test_groups_are_bounded(ledger_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farebox.simulated.ledger.groups_max", 2)
    ledger = Ledger(ledger_path)
    for seq, user in enumerate(["a", "b", "c", "d", "a"], start=1):
        ledger.append(make_entry(seq=seq, user=user, billed_pico=1))
    ledger.close()
    assert ledger.totals.by_user == {"a": 2, "b": 1, "(other)": 2}


def test_the_bill_is_rounded_up_once() -> None:
    entries = [make_entry(billed_pico=400) for _ in range(3)]
    assert bill_nanos(entries) == 2
    assert bill_nanos([make_entry(billed_pico=1_000)]) == 1
    assert bill_nanos([]) == 0
