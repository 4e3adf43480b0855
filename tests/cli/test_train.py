"""`farebox train`: from outcomes or a profile to weights and their card, or a refusal."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from farebox.cli.demo import MANIFESTS
from farebox.cli.resources import read_resources
from farebox.cli.train import TOO_LITTLE, TRAINED, Source, run_train
from farebox.core.gates import Verdict
from farebox.core.scoring import Weights
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import write_profile
from tests.support.launching import make_profile, make_trial
from tests.support.learning import made_up
from tests.support.past import attempt, line_of

SMALL, MID = "gpt-4o-mini", "gpt-4o"

TASK = """
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {{name: classification}}
spec:
  defaultTier: small
  gates: [{{name: shape, kind: Regex, pattern: "."}}]
  baseline:
    measured: 2026-01-31
    samples: 200
    catalogue: {catalogue}
    passRates: {{mid: "{passed:.3f}"}}
"""


def outcomes(folder: Path, count: int) -> Source:
    """A file of made-up outcomes of the demo's models."""
    path = folder / "outcomes.jsonl.gz"
    rows = [
        {
            "id": one.id,
            "source": "own",
            "prompt": one.prompt,
            "key": one.key,
            "split": one.split,
            "models": {SMALL: one.scores["small"], MID: one.scores["large"]},
        }
        for one in made_up(count)
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return Source(outcomes=path, manifests=MANIFESTS)


def lived(folder: Path, count: int, *, prompts: bool = True, baseline: bool = True) -> Source:
    """Receipts of made-up calls that gates judged, and manifests with a baseline of their task."""
    yes, no = Verdict("shape", passed=True), Verdict("shape", passed=False)
    path, lines = folder / "receipts.jsonl", []
    rows = made_up(count)
    for at, one in enumerate(rows):
        weak, strong = (yes if one.scores[name] else no for name in ("small", "large"))
        answers = [attempt(model=SMALL, tier="small", verdicts=(weak,))]
        if not weak.passed:
            answers.append(attempt(model=MID, tier="mid", verdicts=(strong,)))
        line = line_of(at=at, attempts=tuple(answers))
        lines.append({**line, "prompt": f"{one.prompt} ({at})"} if prompts else line)
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    manifests = folder / "manifests"
    manifests.mkdir()
    (manifests / "tiers.yaml").write_text((MANIFESTS / "tiers.yaml").read_text())
    passed = sum(one.scores["large"] for one in rows) / len(rows)
    if baseline:
        version = read_resources(manifests).catalogue.version
        (manifests / "tasks.yaml").write_text(TASK.format(catalogue=version, passed=passed))
    return Source(receipts=(path,), manifests=manifests)


def profiled(folder: Path, count: int, *, prompts: int) -> Source:
    """A profile of made-up outcomes, and a file with so many of its prompts."""
    rows = made_up(count)
    fields: Any = [
        (one.id, tier, model, bool(one.scores[name]))
        for one in rows
        for tier, model, name in (("small", SMALL, "small"), ("mid", MID, "large"))
    ]
    trials = [
        make_trial(sample, tier, model=model, passed=passed)
        for sample, tier, model, passed in fields
    ]
    write_profile(folder, make_profile(trials))
    path = folder / "prompts.jsonl"
    lines = [json.dumps({"id": one.id, "prompt": one.prompt}) for one in rows[:prompts]]
    path.write_text("\n".join(lines) + "\n")
    return Source(folder=folder, prompts=path, manifests=MANIFESTS)


async def train(source: Source, out: Path, *, anyway: bool = False, strong: str = MID) -> int:
    return await run_train(source, weak=SMALL, strong=strong, out=out, anyway=anyway)


async def test_enough_outcomes_make_weights_and_a_card(tmp_path: Path) -> None:
    out = tmp_path / "own.weights"
    assert await train(outcomes(tmp_path, 800), out) == TRAINED
    assert Weights.read(out.read_bytes()).thresholds
    assert f"{SMALL} to {MID}" in out.with_suffix(".md").read_text()


async def test_too_few_are_refused_unless_anyway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = profiled(tmp_path, 300, prompts=300), tmp_path / "own.weights"
    assert await train(source, out) == TOO_LITTLE
    assert not out.exists()
    assert "--anyway" in capsys.readouterr().out
    assert await train(source, out, anyway=True) == TRAINED
    assert "500 or more are needed" in out.with_suffix(".md").read_text()


async def test_other_prompts_than_the_profiles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="has not the prompts"):
        await train(profiled(tmp_path, 20, prompts=5), tmp_path / "own.weights")


async def test_models_that_no_tier_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="no tier has the model nobody"):
        await train(outcomes(tmp_path, 20), tmp_path / "own.weights", strong="nobody")


async def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl.gz"
    path.write_bytes(b"plain")
    source = Source(outcomes=path, manifests=MANIFESTS)
    with pytest.raises(LaunchError, match="no gzip file"):
        await train(source, tmp_path / "own.weights")


async def test_receipts_make_weights_and_the_card_says_what_was_assumed(tmp_path: Path) -> None:
    out = tmp_path / "own.weights"
    assert await train(lived(tmp_path, 800), out) == TRAINED
    assert Weights.read(out.read_bytes()).thresholds
    card = out.with_suffix(".md").read_text()
    assert "## Assumed" in card
    assert "classification: 800 prompts, weak passed 0." in card
    assert "nobody has asked the strong one" in card


async def test_too_few_receipts_are_refused_unless_anyway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = lived(tmp_path, 300), tmp_path / "own.weights"
    assert await train(source, out) == TOO_LITTLE
    assert not out.exists()
    assert (
        "300 judged calls with their prompt; 300 prompts to learn from" in capsys.readouterr().out
    )
    assert await train(source, out, anyway=True) == TRAINED


@pytest.mark.parametrize(
    ("source", "strong", "why"),
    [
        ({"prompts": False}, MID, "start the sidecars with --keep-prompts true"),
        ({"baseline": False}, MID, "no task can be reckoned with: classification: its baseline"),
        ({}, SMALL, "are of one tier, small"),
        ({}, "nobody", "no tier has the model nobody"),
    ],
)
async def test_receipts_that_cannot_train_are_refused_with_what_to_do(
    tmp_path: Path, source: dict[str, bool], strong: str, why: str
) -> None:
    out = tmp_path / "own.weights"
    with pytest.raises(LaunchError, match=why):
        await train(lived(tmp_path, 40, **source), out, strong=strong, anyway=True)
    assert not out.exists()


async def test_lines_that_are_no_receipts_are_told(tmp_path: Path) -> None:
    source, out = lived(tmp_path, 200), tmp_path / "own.weights"
    with source.receipts[0].open("ab") as file:
        file.write(b'{"call": "cut of')
    assert await train(source, out, anyway=True) == TRAINED
    assert "1 lines were no receipts" in out.with_suffix(".md").read_text()
