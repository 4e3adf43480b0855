"""The live routing run as a whole: real processes, a few calls, a short window."""

import gzip
import json
import re
from pathlib import Path

import pytest

from bench import routing_live
from bench.routing_live_report import TITLE

CALLS = 40


def folder(path: Path, rows: int) -> Path:
    lines = [
        {
            "id": f"routellm-gsm8k/{n}",
            "source": "routellm-gsm8k",
            "prompt": f"Tom has {n} apples and eats {n % 7}. How many apples are left?",
            "models": {"mixtral-8x7b-instruct": n % 2, "gpt-4-1106-preview": 1},
            "key": str(n),
        }
        for n in range(rows)
    ]
    path.mkdir()
    text = "\n".join(map(json.dumps, lines))
    (path / "rows.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return path


def test_all_budgets_are_run_and_none_is_overrun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = folder(tmp_path / "data", CALLS), tmp_path / "docs"
    arguments = ["--data", str(data), "--out", str(out), "--window-ms", "8000"]
    assert routing_live.main(arguments) in {0, 1}
    text = (out / "routing-figures.md").read_text("utf-8")
    assert text in capsys.readouterr().out
    assert "exceeds the budget" not in text
    for share in (10, 25, 50):
        assert re.search(rf"^\| {share}% \| 0\.\d+ ", text, re.MULTILINE)
    assert f"{CALLS} prompts of pool A" in text


def test_without_rows_of_the_pool_it_says_so(tmp_path: Path) -> None:
    data, out = folder(tmp_path / "data", 3), tmp_path / "docs"
    assert routing_live.main(["--data", str(data), "--out", str(out)]) == 0
    text = (out / "routing-figures.md").read_text("utf-8")
    assert text == f"{TITLE}\n\nNot measured: these outcomes have 3 rows of pool A.\n"


def test_a_folder_without_outcomes_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert routing_live.main(["--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "DATA=DIR" in capsys.readouterr().err
