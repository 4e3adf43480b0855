"""`farebox retune`: proposals from receipts, shown with reasons and written where it is asked."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from farebox.cli.retune import run_retune
from farebox.core.budgets import Keys
from farebox.core.call import Identity
from farebox.core.gates import Verdict
from farebox.core.money import Nanos
from farebox.core.usage import Usage
from tests.support.past import attempt, line_of
from tests.support.tuned import TASK, TIER

HOUR_MS = 3_600_000
USAGE = Usage(input=100, output=20, call=1)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no cell is folded."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    tiers = [TIER.format(name="small", rank=1, difficulty="0.5")]
    tiers.append(TIER.format(name="large", rank=2, difficulty="1"))
    (folder / "tiers.yaml").write_text("---".join(tiers))
    (folder / "tasks.yaml").write_text(TASK)
    return folder


def write_receipts(folder: Path, *, failing: int, of: int) -> Path:
    """So many calls of the task over some hours; of these so many first answers fail."""
    path = folder / "receipts.jsonl"
    with path.open("w") as file:
        for number in range(of):
            file.write(json.dumps(_line(number, fails=number < failing)) + "\n")
    return path


def _line(number: int, *, fails: bool) -> dict[str, Any]:
    def made(model: str, *, passed: bool) -> Any:
        return attempt(
            model=f"{model}-model",
            tier=model,
            cost=Nanos(140_000),
            usage=USAGE,
            verdicts=(Verdict("labels", passed=passed),),
        )

    attempts = [made("small", passed=not fails)] + ([made("large", passed=True)] if fails else [])
    return line_of(
        at=number * HOUR_MS // 10,
        call_id=f"call-{number}",
        task="intent",
        identity=Identity(keys=Keys(user="ana"), task="intent"),
        attempts=tuple(attempts),
        escalations=int(fails),
        cost=Nanos(140_000 * len(attempts)),
        gate="passed",
    )


def texts_of(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


async def retune(manifests: Path, receipts: Path, out: Path | None = None) -> int:
    return await run_retune(
        manifests, receipts=[receipts], profile=None, namespace="default", out=out, weights=None
    )


async def test_a_tier_that_fails_is_left_in_a_manifest_of_its_own(
    manifests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = texts_of(manifests)
    out = tmp_path / "proposed.yaml"
    assert await retune(manifests, write_receipts(tmp_path, failing=60, of=200), out) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "small (default)" in printed
    assert "tier up" in printed
    assert "70 % of 200" in printed
    text = out.read_text()
    document = yaml.safe_load(text)
    assert document["spec"]["defaultTier"] == "large"
    assert text.splitlines()[1].startswith("# tier up: 70 % of 200")
    assert "a month" in text.splitlines()[2]
    assert texts_of(manifests) == before


async def test_a_stale_baseline_is_measured_anew_on_the_screen(
    manifests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await retune(manifests, write_receipts(tmp_path, failing=10, of=200))
    printed = capsys.readouterr().out
    assert "# new baseline: tiers or prices have changed since 2026-11-01" in printed
    assert "escalationRate: '0.050'" in printed


async def test_what_is_true_still_is_left_alone(
    manifests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await retune(manifests, write_receipts(tmp_path, failing=1, of=20)) == 0
    assert "Nothing to change" in capsys.readouterr().out
