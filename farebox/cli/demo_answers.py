"""What the demo's simulated models answer: right as often as declared, wrong in the rest.

Everything is made up, from the prompts, the tasks' gates and the rates in
`farebox/data/demo/pass-rates.json`: these answers measure nothing and say nothing of real models.
The one rule: the same files make the same book, and what a weaker tier gets right a stronger one
does too. This module must not know who asks.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from farebox.cli.prompts import PromptError
from farebox.cli.rehearsals import samples_of
from farebox.core.gates import Gate, GateKind
from farebox.core.tasks import TaskProfile
from farebox.core.tiers import Capability, Catalogue, Model
from farebox.gates.citations import is_given
from farebox.gates.grading import questions
from farebox.launch.samples import Sample, case_of
from farebox.manifests.resources import Resources
from farebox.simulated.schemas import value_for
from farebox.simulated.tokens import PiecesTokenizer

PROMPTS: Final = Path(__file__).parent.parent / "data" / "demo" / "prompts.jsonl"
RATES: Final = Path(__file__).parent.parent / "data" / "demo" / "pass-rates.json"
BOOK: Final = "outcomes.jsonl"
REASONING_TOKENS: Final = 128
_THOUSAND: Final = 1_000
_GOOD, _BAD = "90", "35"
_SHORTEST: Final = 350
_SPREAD: Final = 350
"""Answers are 0.35 to 0.7 times as long as the tasks expect: unmeasured, one errs upward."""

_LABELS_OF_SOURCES: Final = re.compile(
    r"\[[\w§][^\]\n]{0,30}\]|\b[A-Z]\w* \d+\b|^[A-Z]\d\b", re.MULTILINE
)
_SENTENCES: Final = (
    "The figures were compared with what the text says.",
    "Each condition was looked at in turn.",
    "Nothing was added that is not in the question.",
    "The result holds under the assumptions that are named.",
    "Where two readings are possible, the plainer one was taken.",
)


def write_book(folder: Path, prompts: Path, resources: Resources, *, namespace: str) -> Path:
    """Write the book of answers to a file of prompts; returns its path. Raises PromptError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BOOK
    tasks = {task.name: task for task in resources.tasks.get(namespace, ())}
    lines = book_lines(samples_of(prompts), tasks, resources.catalogue)
    with path.open("w", encoding="utf-8") as book:
        for line in lines:
            book.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def book_lines(
    samples: Sequence[Sample], tasks: Mapping[str, TaskProfile], catalogue: Catalogue
) -> Iterator[dict[str, Any]]:
    """The lines of a book: one for each prompt of a known task, and one for each grading of it."""
    rates = _rates()
    for task in sorted(tasks.keys() & rates.keys()):
        own = sorted((one for one in samples if one.task == task), key=_hardness)
        for place, sample in enumerate(own):
            share = place * _THOUSAND // len(own)
            passes = {
                model.upstream_name: share < rates[task].get(tier.name, _THOUSAND)
                for tier, model in catalogue
            }
            yield from _lines(sample, tasks[task], catalogue, passes)


def _lines(
    sample: Sample, task: TaskProfile, catalogue: Catalogue, passes: Mapping[str, bool]
) -> Iterator[dict[str, Any]]:
    case = case_of(sample, with_expected=False)
    answers = {
        name: good_answer(sample, task.gates) if passed else bad_answer(sample, task.gates)
        for name, passed in passes.items()
    }
    models = {model.upstream_name: model for _, model in catalogue}
    yield {
        "prompt": case.prompt,
        "answers": answers,
        "output_tokens": {
            name: _billed(text, sample, task, models[name]) for name, text in answers.items()
        },
    }
    for gate in task.gates:
        if gate.kind is GateKind.GRADER and (found := catalogue.find(gate.model)) is not None:
            grades = {text: _GOOD if passes[name] else _BAD for name, text in answers.items()}
            for text, grade in grades.items():
                asked = questions(case, text, gate.rubric)[-1]["content"]
                yield {"prompt": asked, "answers": {found[1].upstream_name: grade}}


def good_answer(sample: Sample, gates: Sequence[Gate]) -> str:
    """An answer that passes the gates, and is the right one where that is known."""
    kinds = {gate.kind for gate in gates}
    if sample.expected is not None:
        return sample.expected
    if GateKind.JSON_SCHEMA in kinds:
        return _json(sample)
    text = f"{_prose(sample)} So the answer is number {_hardness(sample) % 97}."
    if GateKind.CITATION in kinds:
        return f"{text} [{_source(sample)}]"
    if GateKind.REGEX in kinds:
        return f"{text}\n\n```python\ndef answer():\n    return {_hardness(sample) % 97}\n```\n"
    return text


def bad_answer(sample: Sample, gates: Sequence[Gate]) -> str:
    """An answer that does not pass; every other wrong label is one that a gate alone takes."""
    kinds = {gate.kind for gate in gates}
    if GateKind.LABELS in kinds:
        others = [label for gate in gates for label in gate.labels if label != sample.expected]
        return others[_hardness(sample) % len(others)] if _hardness(sample) % 2 else "unclear"
    if GateKind.JSON_SCHEMA in kinds:
        return _json(sample)[:-1]
    if GateKind.CITATION in kinds:
        return f"{_prose(sample)} [99]"
    return f"{_prose(sample)} It can't be said."


def _json(sample: Sample) -> str:
    words = iter(range(10_000))
    value = value_for(json.loads(sample.schema or "{}"), lambda: f"text {next(words)}")
    return json.dumps(value, separators=(",", ":"))


def _prose(sample: Sample) -> str:
    first = _hardness(sample) % len(_SENTENCES)
    return " ".join((*_SENTENCES[first:], *_SENTENCES[:first])[:3])


def _source(sample: Sample) -> str:
    """A source that the prompt gives, as a citation of it would be written."""
    case = case_of(sample, with_expected=False)
    asked = f"{case.system}\n{case.prompt}"
    found = ["1", *(label.strip("[]") for label in _LABELS_OF_SOURCES.findall(case.prompt))]
    return next((label for label in found if is_given(label, asked)), "1")


def _billed(text: str, sample: Sample, task: TaskProfile, model: Model) -> int:
    """Output tokens of an answer: about as many as the task's usually have, thinking on top."""
    written = PiecesTokenizer().count(text)
    usual = task.expected_output_tokens
    wanted = usual * (_SHORTEST + _hardness(sample) % _SPREAD) // _THOUSAND
    if Capability.REASONING in model.capabilities:
        wanted += REASONING_TOKENS
    return max(written, min(wanted, sample.output_asked or wanted))


def _hardness(sample: Sample) -> int:
    return zlib.crc32(sample.id.encode())


@cache
def _rates() -> Mapping[str, Mapping[str, int]]:
    try:
        tasks: Mapping[str, Mapping[str, int]] = json.loads(RATES.read_text("utf-8"))["tasks"]
    except (OSError, ValueError, KeyError) as error:
        raise PromptError(f"{RATES} can't be read: {error}") from error
    return tasks
