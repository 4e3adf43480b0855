"""The routing benchmark end to end on a few made-up outcomes, with the weights that ship."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bench import routing
from farebox.learn.outcomes import BadOutcomes


def outcome(number: int, split: str) -> dict[str, Any]:
    hard = number % 2 == 1
    return {
        "id": f"routellm-gsm8k/{number}",
        "source": "routellm-gsm8k",
        "prompt": f"Tom has {number} apples and eats {number % 7}. How many apples are left?",
        "models": {"mixtral-8x7b-instruct": 0 if hard else 1, "gpt-4-1106-preview": 1},
        "key": str(number),
        "split": split,
    }


def folder(path: Path, splits: str) -> Path:
    lines = [json.dumps(outcome(number, split)) for number, split in enumerate(splits.split())]
    path.mkdir()
    (path / "rows.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_of_the_default_folder_dev_is_evaluated_and_of_another_one_all(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", "train dev train dev dev")
    rows, what = routing.evaluated(None, data)
    assert (len(rows), "dev split" in what) == (3, True)
    rows, what = routing.evaluated(data, tmp_path / "nowhere")
    assert (len(rows), "whatever their split" in what) == (5, True)


def test_a_folder_without_outcomes_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadOutcomes):
        routing.evaluated(tmp_path, tmp_path)
    assert routing.main(["--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "DATA=DIR" in capsys.readouterr().err


def test_the_whole_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder(tmp_path / "data", "test " * 40)
    status = routing.main(["--data", str(data), "--out", str(tmp_path / "docs")])
    assert status in {0, 1}
    text = (tmp_path / "docs" / "routing-figures.md").read_text("utf-8")
    for part in ("APGR A", "not measured", "Injected claims", "Hard budgets", "short but hard"):
        assert part in text
    assert (tmp_path / "docs" / "routing-pgr.svg").read_text("utf-8").startswith("<svg")
    assert "musts" in capsys.readouterr().out
