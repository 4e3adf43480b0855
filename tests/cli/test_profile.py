"""`farebox profile` against a simulated provider: what is left behind, and how it ends."""

import asyncio
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from farebox.cli.admin import get_json
from farebox.cli.demo import MANIFESTS
from farebox.cli.demo_answers import PROMPTS
from farebox.cli.profile import COMPLETE, INCOMPLETE, Options, Progress, run_profile
from farebox.core.money import Nanos, parse_dollars
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import read_profile
from farebox.launch.results import Results
from farebox.launch.till import Till
from farebox.simulated.ledger import bill_nanos, read_entries
from tests.support.launching import make_trial, simulated_provider

BOUND_S = 100


def options(out: Path, **changes: Any) -> Options:
    usual: dict[str, Any] = {
        "manifests": MANIFESTS,
        "namespace": "default",
        "prompts": PROMPTS,
        "out": out,
        "limit": 12,
        "concurrency": 4,
        "cap": parse_dollars("2.00"),
        "tiers": (),
        "repeat_lost": False,
        "simulate": True,
    }
    return Options(**{**usual, **changes})


def billed(out: Path) -> Nanos:
    return Nanos(bill_nanos(read_entries(out / "provider" / "provider.ledger.jsonl")))


async def test_a_run_leaves_all_that_the_next_steps_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_profile(options(tmp_path)) == COMPLETE
    names = await asyncio.to_thread(lambda: {path.name for path in tmp_path.iterdir()})
    assert names >= {"results.jsonl", "profile.json", "report.md", "pass-rate.svg", "manifests"}
    profile = read_profile(tmp_path)
    assert (profile.simulated, profile.samples, len(profile.trials)) == (True, 12, 36)
    assert profile.spent == billed(tmp_path)
    said = capsys.readouterr().out
    assert "Proposed tiers" in said
    assert "100 %" in said
    assert "farebox project" in said


async def test_the_cap_ends_a_run_and_a_higher_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cap = parse_dollars("0.10")
    assert await run_profile(options(tmp_path, cap=cap)) == INCOMPLETE
    assert billed(tmp_path) <= cap
    assert not (tmp_path / "manifests").exists()
    assert "with a higher --max-cost" in capsys.readouterr().out
    assert await run_profile(options(tmp_path)) == COMPLETE
    assert read_profile(tmp_path).spent == billed(tmp_path)


async def test_only_the_tiers_that_are_named(tmp_path: Path) -> None:
    await run_profile(options(tmp_path, tiers=("small", "mid"), limit=4))
    assert read_profile(tmp_path).tiers == ("small", "mid")
    with pytest.raises(LaunchError, match="no tier huge: choose of small, mid, frontier"):
        await run_profile(options(tmp_path, tiers=("huge",)))


async def test_manifests_without_tiers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LaunchError, match="no ModelTier"):
        await run_profile(options(tmp_path / "out", manifests=tmp_path / "empty", simulate=False))


async def test_addresses_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREBOX_DEMO_PROVIDER", "http://127.0.0.1:9/v1")
    assert await run_profile(options(tmp_path, simulate=False, limit=1)) == COMPLETE
    profile = json.loads((tmp_path / "profile.json").read_text())
    assert {trial["ending"] for trial in profile["trials"]} == {"refused"}
    assert "127.0.0.1:9/" in profile["trials"][0]["why"]


async def _under_way(port: int) -> bool:
    """Whether both calls have reached the provider."""
    found = await get_json(f"http://127.0.0.1:{port}/_sim/calls")
    return bool(found["received"] == 2)


async def test_a_second_interrupt_gives_up_what_is_under_way(tmp_path: Path) -> None:
    slow = {"mix": {"latency": 1}, "latencyMs": 60_000}
    async with simulated_provider(tmp_path, faults=slow) as provider:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "farebox.cli", "profile", "--manifests", str(MANIFESTS)),
            *("--prompts", str(PROMPTS), "--out", str(tmp_path / "out"), "--concurrency", "2"),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "FAREBOX_DEMO_PROVIDER": provider.base_url},
        )
        assert process.stdout is not None
        async with asyncio.timeout(BOUND_S):
            while not await _under_way(provider.port):
                continue
            process.send_signal(signal.SIGINT)
            assert b"Stopping" in await process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest = await process.stdout.read()
            assert await process.wait() == 128 + signal.SIGINT
    assert b"Stopped after 0 of 648" in rest
    with Results(tmp_path / "out" / "results.jsonl") as results:
        assert len(results.lost) == 2
        assert results.spent > 0


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_passes_and_money(terminal: bool) -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=terminal, width=120)
    with Progress(console, 2, Till(Nanos(10**9), spent=Nanos(5 * 10**8))) as progress:
        progress.note(make_trial())
        progress.note(make_trial(ending="lost", passed=False))
        progress.say("stopping")
    said = paper.getvalue()
    assert "passed 1  no answer 1  spent $0.5000 of $1.00" in said
    assert "stopping" in said
