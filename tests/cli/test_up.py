"""`farebox up`, `replay` and `top` together, as a person would use them: real processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from farebox.cli.demo import MANIFESTS
from farebox.cli.demo_answers import PROMPTS
from farebox.simulated.ledger import bill_nanos, read_entries

BOUND_S = 100
COMMAND = [sys.executable, "-m", "farebox.cli"]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A running `farebox up --demo` and its state folder."""
    state = tmp_path / "state"
    arguments = ["up", "--manifests", str(MANIFESTS), "--state", str(state), "--port", "0"]
    command = [*COMMAND, *arguments, "--label", "app=assistant", "--demo", "--keep-prompts"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, state
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(BOUND_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env={**os.environ, "COLUMNS": "140"},
    )


def test_prompts_go_through_a_sidecar_that_was_brought_up(
    up: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    process, state = up
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(7))
    assert "PROMPTS ARE KEPT in" in said
    found = re.search(r"OPENAI_BASE_URL=(\S+)", said)
    assert found is not None, said
    outcomes = tmp_path / "outcomes.jsonl"
    replayed = run(
        "replay",
        *("--prompts", str(PROMPTS), "--limit", "20", "--concurrency", "4"),
        *("--base-url", found.group(1), "--output", str(outcomes)),
    )
    assert replayed.returncode == 0, replayed.stderr
    lines = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert [line["ending"] for line in lines] == ["served"] * 20, replayed.stdout
    assert all(line["model"] and line["tier"] and line["route"] for line in lines)

    shown = run("top", "--once", "--state", str(state))
    assert shown.returncode == 0, shown.stderr
    assert "default/acme" in shown.stdout
    assert "connected" in shown.stdout

    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND_S) == 128 + signal.SIGINT
    entries = read_entries(state / "provider.ledger.jsonl")
    told = [json.loads(line) for line in (state / "local.receipts.jsonl").read_text().splitlines()]
    assert len(told) == 20
    verdicts = [[v for one in line["attempts"] for v in one["verdicts"]] for line in told]
    judged = [any(verdict["ran"] for verdict in found) for found in verdicts]
    assert [bool(line.get("prompt")) for line in told] == judged
    assert any(judged)
    # Gates ask models too, and what fails them goes a tier up.
    assert sum(len(line["attempts"]) for line in told) == len(entries) > 20
    nanos = sum(int(line["cost_usd"].replace(".", "")) for line in told)
    # The provider rounds its whole bill up, a sidecar the cost of each attempt.
    assert 0 <= nanos - bill_nanos(entries) <= len(entries)


def test_a_port_that_is_taken_is_said_with_the_sidecars_own_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        state = str(tmp_path / "state")
        failed = run("up", "--manifests", str(MANIFESTS), "--state", state, "--port", port)
    assert failed.returncode == 2
    assert "local ended by itself" in failed.stderr
    assert "address already in use" in failed.stderr
