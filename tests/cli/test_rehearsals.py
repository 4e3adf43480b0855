"""Prompts as samples, and what receipts of a rehearsal say."""

import json
from pathlib import Path
from typing import Any

import pytest

from farebox.cli.demo import MANIFESTS
from farebox.cli.demo_answers import PROMPTS
from farebox.cli.rehearsals import (
    rehearsed_in,
    samples_of,
    seen_in_prompts,
    seen_in_receipts,
    spent_in,
)
from farebox.cli.resources import read_resources
from farebox.core.policy import Policy
from farebox.launch.problems import LaunchError
from sidecar.receipts import fields_of
from tests.support.outcomes import make_receipt


def receipt(**changes: Any) -> dict[str, Any]:
    """A receipt as the sidecar writes it, with changes."""
    written: dict[str, Any] = json.loads(json.dumps(fields_of(make_receipt())))
    return {**written, **changes}


def write(folder: Path, *receipts: dict[str, Any], tail: str = "") -> Path:
    path = folder / "receipts.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in receipts) + tail)
    return path


def test_the_demos_prompts_are_samples() -> None:
    samples = samples_of(PROMPTS)
    assert len(samples) == 216
    assert not any({"model", "stream", "user"} & sample.body.keys() for sample in samples)
    assert sum(sample.expected is not None for sample in samples) == 36
    assert sum(bool(sample.tag) for sample in samples) == 108


def test_prompts_without_a_task_have_none(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "hello"}\n')
    assert samples_of(path)[0].task == ""


def test_each_prompt_is_seen_as_the_sidecar_would() -> None:
    resources = read_resources(MANIFESTS)
    policy = Policy(catalogue=resources.catalogue, tasks=resources.tasks["default"])
    seen = list(seen_in_prompts(samples_of(PROMPTS), policy))
    assert {one.reason for one in seen} >= {"task_tagged", "heuristic_matched"}
    assert any(one.system for one in seen)


def test_receipts_say_task_reason_money_and_gates(tmp_path: Path) -> None:
    attempt = {"verdicts": [{"gate": "known", "passed": True, "ran": True},
                            {"gate": "other", "passed": False, "ran": False}]}  # fmt: skip
    path = write(
        tmp_path,
        receipt(cost_usd="0.000001000", attempts=[attempt]),
        receipt(status=402, response_model="", task="", rule="nothing_matched=unsure"),
        tail='{"cut',
    )
    first, second = seen_in_receipts(path)
    assert (first.task, first.reason, first.cost) == ("classification", "task_tagged", 1_000)
    assert (second.task, second.reason) == ("", "nothing_matched")
    served, refused = rehearsed_in(path)
    assert (served.served, refused.served) == (True, False)
    assert served.gates == {"known"}
    assert served.response_model
    assert spent_in([served, served]) == 2_000


@pytest.mark.parametrize("content", ["[]\n", "what\n", '{"task": "x"}\n'])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "receipts.jsonl"
    path.write_text(content)
    with pytest.raises(LaunchError, match="holds no receipts"):
        rehearsed_in(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="can't be read"):
        list(seen_in_receipts(tmp_path / "none"))
