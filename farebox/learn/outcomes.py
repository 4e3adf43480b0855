"""Outcomes: for each prompt, which model answered it rightly; gzip JSON lines on disk.

The one rule: a row's `key` names its question, and the split is by question, never by row, because
sources repeat each other's questions. This module must not know pairs of models.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

LINE_CHARS_MAX: Final = 1_000_000
ROWS_MAX: Final = 1_000_000
TRAIN: Final = "train"
DEV: Final = "dev"


class BadOutcomes(ValueError):
    """A file that has not the form; the text names the file, the line and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One prompt and how each model did. `scores` are 0 to 1, `answers` as the model gave them.

    `out_chars` are the lengths of the answers where they are known.
    """

    id: str
    source: str
    prompt: str
    key: str
    split: str
    scores: Mapping[str, float]
    answers: Mapping[str, str] = field(default_factory=dict)
    out_chars: Mapping[str, int] = field(default_factory=dict)


def read_folder(folder: Path) -> list[Outcome]:
    """All outcomes of all `*.jsonl.gz` in a folder, by file name.

    Raises BadOutcomes for a bad line, an empty folder or more than ROWS_MAX rows.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise BadOutcomes(f"{folder} has no *.jsonl.gz: name the folder of outcomes (DATA=DIR).")
    rows: list[Outcome] = []
    for path in paths:
        rows.extend(read_file(path))
        if len(rows) > ROWS_MAX:
            raise BadOutcomes(f"{path}: more than {ROWS_MAX} rows in all: split the folder.")
    return rows


def read_file(path: Path) -> Iterator[Outcome]:
    """The outcomes of one file, line by line; raises BadOutcomes."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _outcome(line, f"{path.name}:{number}")
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise BadOutcomes(f"{path.name}: it is no gzip file of UTF-8 text: {problem}.") from None


def of_split(rows: Iterable[Outcome], split: str) -> list[Outcome]:
    """The rows of one split."""
    return [row for row in rows if row.split == split]


def _outcome(line: str, place: str) -> Outcome:
    if len(line) > LINE_CHARS_MAX:
        raise BadOutcomes(f"{place}: longer than {LINE_CHARS_MAX} characters.")
    try:
        found: dict[str, Any] = json.loads(line)
        answers = found.get("answers") or found.get("preds") or {}
        return Outcome(
            id=str(found["id"]),
            source=str(found["source"]),
            prompt=str(found["prompt"]),
            key=str(found.get("key") or found["id"]),
            split=str(found.get("split", "")),
            scores={name: _score(value, place) for name, value in found["models"].items()},
            answers={name: str(given) for name, given in answers.items() if given is not None},
            out_chars={name: int(n) for name, n in (found.get("out_chars") or {}).items()},
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as problem:
        if isinstance(problem, BadOutcomes):
            raise
        raise BadOutcomes(f"{place}: not an outcome: {problem!r}.") from None


def _score(value: Any, place: str) -> float:
    score = float(value)
    if not 0 <= score <= 1:
        raise BadOutcomes(f"{place}: a score of {score} does not lie between 0 and 1.")
    return score
