"""The demo's book: right as often as declared, by the tasks' own gates, and the same every time."""

from pathlib import Path

import pytest

from farebox.cli import demo_answers
from farebox.cli.demo import MANIFESTS
from farebox.cli.demo_answers import PROMPTS, bad_answer, book_lines, good_answer, write_book
from farebox.cli.prompts import PromptError
from farebox.cli.rehearsals import samples_of
from farebox.cli.resources import read_resources
from farebox.gates.checks import LOCAL, check
from farebox.launch.samples import Sample, case_of
from farebox.simulated.outcomes import read_book
from farebox.simulated.tokens import PiecesTokenizer
from tests.support.launching import make_sample

RESOURCES = read_resources(MANIFESTS)
TASKS = {task.name: task for task in RESOURCES.tasks["default"]}
SAMPLES = samples_of(PROMPTS)


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.id for sample in SAMPLES])
def test_good_answers_pass_the_gates_and_bad_ones_do_not(sample: Sample) -> None:
    gates = TASKS[sample.task].gates
    case = case_of(sample, with_expected=True)
    good, bad = good_answer(sample, gates), bad_answer(sample, gates)
    assert good != bad
    for gate in gates:
        if gate.kind in LOCAL:
            assert check(gate, good, case).passed
            assert not check(gate, bad, case).passed
    if sample.output_asked is not None:
        assert PiecesTokenizer().count(good) <= sample.output_asked


def test_a_book_is_as_often_right_as_declared(tmp_path: Path) -> None:
    lines = {line["prompt"]: line["answers"] for line in book_lines(SAMPLES, TASKS,
             RESOURCES.catalogue)}  # fmt: skip
    for task, tiers in demo_answers._rates().items():
        own = [sample for sample in SAMPLES if sample.task == task]
        for tier, model in RESOURCES.catalogue:
            right = sum(
                lines[case_of(one, with_expected=False).prompt][model.name]
                == good_answer(one, TASKS[task].gates)
                for one in own
            )
            assert abs(right * 1000 - tiers[tier.name] * len(own)) <= 1000, (task, tier.name)


def test_the_same_files_make_the_same_book(tmp_path: Path) -> None:
    books = [write_book(tmp_path / name, PROMPTS, RESOURCES, namespace="default") for name in "ab"]
    assert books[0].read_bytes() == books[1].read_bytes()
    assert len(read_book(books[0], PiecesTokenizer())) > len(SAMPLES)


def test_tasks_that_are_not_declared_have_no_lines(tmp_path: Path) -> None:
    assert list(book_lines([make_sample(task="label")], {}, RESOURCES.catalogue)) == []
    path = write_book(tmp_path, PROMPTS, RESOURCES, namespace="elsewhere")
    assert path.read_bytes() == b""


def test_rates_that_cannot_be_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_answers, "RATES", Path("/nowhere/rates.json"))
    demo_answers._rates.cache_clear()
    with pytest.raises(PromptError, match="can't be read"):
        list(book_lines(SAMPLES, TASKS, RESOURCES.catalogue))
    demo_answers._rates.cache_clear()
