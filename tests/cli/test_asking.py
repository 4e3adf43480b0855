"""`farebox receipts`, `why`, `explain`, `completion`: from their arguments to what they print."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from farebox.cli.main import main
from tests.support.receipt_lines import REFUSED, line


def test_receipts_of_files_and_of_a_state_folder(tmp_path: Path) -> None:
    file = tmp_path / "pod.receipts.jsonl"
    file.write_bytes(line("a-1") + line("a-2", **REFUSED))
    ask = CliRunner().invoke
    listed = ask(main, ["receipts", "--receipts", str(file)], env={"COLUMNS": "160"})
    assert listed.exit_code == 0
    assert "a-1" in listed.output
    assert "pool_exhausted" in listed.output
    [refused] = ask(
        main, ["receipts", "--state", str(tmp_path), "--refused", "--json"]
    ).output.splitlines()
    assert (json.loads(refused)["call"], json.loads(refused)["pod"]) == ("a-2", "pod")
    told = ask(main, ["why", "a-1", "--state", str(tmp_path)])
    assert told.exit_code == 0
    assert "Not taken: o1, because it costs more" in told.output
    lost = ask(main, ["why", "a-3", "--state", str(tmp_path)])
    assert lost.exit_code == 2
    assert "No receipt of call a-3 in" in lost.output


def test_nothing_to_show_is_said(tmp_path: Path) -> None:
    (tmp_path / "pod.receipts.jsonl").write_bytes(b"")
    found = CliRunner().invoke(main, ["receipts", "--state", str(tmp_path)])
    assert (found.exit_code, found.output) == (0, "No receipts there yet.\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["receipts", "--state", "/nowhere"], "There are no receipts in /nowhere"),
        (["receipts", "--last", "1001"], "1001 is not in the range"),
        (["why"], "Missing argument"),
        (["why", "a-1", "--sidecar-admin", "http://127.0.0.1:1"], "can't be asked"),
        (["explain", "--state", "/nowhere"], "farebox up"),
        (["completion", "tcsh"], "is not one of"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments: list[str], complaint: str) -> None:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert complaint in found.output


def test_completion_is_a_script_of_the_shell() -> None:
    found = CliRunner().invoke(main, ["completion", "zsh"], prog_name="farebox")
    assert found.exit_code == 0
    assert found.output.startswith("#compdef farebox\n")
