"""Reading outcomes: both spellings of answers, and a sentence for everything that is no outcome."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from farebox.learn.outcomes import DEV, BadOutcomes, of_split, read_file, read_folder

ROW: dict[str, Any] = {
    "id": "s/1",
    "source": "s",
    "prompt": "What?",
    "models": {"small": 0, "large": 1},
    "key": "k",
    "split": "dev",
}


def written(folder: Path, *lines: str, name: str = "a.jsonl.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_a_row_is_read_with_its_answers_under_either_name(tmp_path: Path) -> None:
    extra = {"out_chars": {"small": 9}}
    rows = [{**ROW, "answers": {"small": 7}, **extra}, {**ROW, "preds": {"small": "B"}}, ROW]
    found = list(read_file(written(tmp_path, *map(json.dumps, rows), "")))
    assert [dict(row.answers) for row in found] == [{"small": "7"}, {"small": "B"}, {}]
    assert found[0].scores == {"small": 0.0, "large": 1.0}
    assert found[0].out_chars == {"small": 9}


def test_a_folder_is_read_by_file_name_and_split(tmp_path: Path) -> None:
    written(tmp_path, json.dumps({**ROW, "id": "2", "split": "train"}), name="b.jsonl.gz")
    written(tmp_path, json.dumps({**ROW, "id": "1"}))
    rows = read_folder(tmp_path)
    assert [row.id for row in rows] == ["1", "2"]
    assert [row.id for row in of_split(rows, DEV)] == ["1"]


def test_a_row_without_key_and_split_is_a_question_of_its_own(tmp_path: Path) -> None:
    bare = {name: value for name, value in ROW.items() if name not in {"key", "split"}}
    (row,) = read_file(written(tmp_path, json.dumps(bare)))
    assert (row.key, row.split) == ("s/1", "")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "a.jsonl.gz:1: not an outcome"),
        ("[]", "a.jsonl.gz:1: not an outcome"),
        (json.dumps({**ROW, "models": {"small": 2}}), "a score of 2.0"),
        (json.dumps({**ROW, "models": None}), "not an outcome"),
        (json.dumps({"id": "x"}), "source"),
    ],
)
def test_what_is_no_outcome_is_named_by_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(BadOutcomes, match=complaint):
        list(read_file(written(tmp_path, line)))


def test_what_is_no_gzip_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOutcomes, match="DATA=DIR"):
        read_folder(tmp_path)
    path = tmp_path / "a.jsonl.gz"
    path.write_text("plain")
    with pytest.raises(BadOutcomes, match="no gzip file"):
        list(read_file(path))
