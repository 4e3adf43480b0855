"""The process of a gate function ends with its pipe, even while the function hangs."""

import json
import subprocess
import sys

import pytest

QUESTION = json.dumps(
    {"answer": "hang", "case": {"prompt": "", "system": "", "schema": "", "expected": None}}
)


@pytest.mark.parametrize(
    ("function", "questions", "replies"),
    [
        ("hangs", "", ["ready"]),
        ("hangs", f"{QUESTION}\n", ["ready"]),
        ("talks", "", ["ready"]),
    ],
)
def test_it_ends_with_its_pipe(function: str, questions: str, replies: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "farebox.gates.worker", f"tests.support.gate_functions:{function}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    out, _ = process.communicate(questions, timeout=30)
    assert process.returncode == 0
    assert ["ready", *out.splitlines()] == replies
