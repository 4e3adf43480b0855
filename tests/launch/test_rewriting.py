"""Rewritten manifests: the measured fields in, all else as it was, and free of problems."""

from pathlib import Path

import pytest
import yaml

from farebox.core.instant import UtcMs
from farebox.launch.rewriting import RewriteError, decimal, summary, write_manifests
from farebox.manifests.folder import load_folder
from tests.support.launching import make_profile, make_trials

NOW = UtcMs(1_790_000_000_000)
TIERS = "---\n".join(
    f"apiVersion: farebox.dev/v1alpha1\nkind: ModelTier\nmetadata: {{name: {name}}}\n"
    f'spec:\n  rank: {rank}\n  maxDifficulty: "{rank / 3:.1f}"\n  models:\n'
    f"    - {{name: {name}-model, provider: openai, baseURL: 'http://127.0.0.1:9/v1',\n"
    '       price: {input: "1", output: "1"}, contextWindow: 1000, maxOutputTokens: 100}\n'
    for rank, name in enumerate(("small", "mid", "frontier"), start=1)
)
TASKS = """\
# A comment.
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {name: label}
spec:
  defaultTier: frontier
  consequence: Medium
  match: {headerValues: [lbl]}
  gates: [{name: known, kind: Labels, labels: ["yes", "no"]}]
---
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {name: label, namespace: elsewhere}
spec: {defaultTier: mid}
"""
PROFILE = make_profile(make_trials(40, {"small": 38, "mid": 40, "frontier": 40}))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "tiers.yaml").write_text(TIERS)
    (folder / "tasks.yaml").write_text(TASKS)
    return folder


def test_a_profiled_task_gets_what_was_measured(source: Path, tmp_path: Path) -> None:
    changed = write_manifests(source, tmp_path / "out", PROFILE, now=NOW)
    assert [file.name for file in changed] == ["tasks.yaml"]
    assert (tmp_path / "out" / "tiers.yaml").read_text() == TIERS
    loaded = load_folder(tmp_path / "out", None, now=NOW)
    assert not loaded.problems
    (task,) = loaded.resources.tasks["default"]
    assert (task.default_tier, task.expected_output_tokens) == ("small", 5)
    assert task.match.header_values == ("lbl",)
    assert task.baseline is not None
    assert dict(task.baseline.pass_rates) == {"small": 950, "mid": 1000, "frontier": 1000}
    assert task.baseline.samples == 40
    assert task.baseline.catalogue == PROFILE.catalogue
    assert task.baseline.escalation_rate == 50
    assert sum(task.baseline.difficulties) == 1000
    (other,) = loaded.resources.tasks["elsewhere"]
    assert (other.default_tier, other.baseline) == ("mid", None)


def test_writing_again_replaces_what_was_there(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old.yaml").write_text("kind: nonsense")
    write_manifests(source, target, PROFILE, now=NOW)
    assert sorted(file.name for file in target.iterdir()) == ["tasks.yaml", "tiers.yaml"]


def test_why_a_tier_was_chosen_stands_above_it(source: Path, tmp_path: Path) -> None:
    write_manifests(source, tmp_path / "out", PROFILE, now=NOW)
    text = (tmp_path / "out" / "tasks.yaml").read_text()
    assert "# small is good enough: 95 % of 40 pass" in text
    assert len(list(yaml.safe_load_all(text))) == 2
    assert summary(PROFILE) == ["label: frontier -> small (trusted, 95 %)"]


def test_what_cannot_be_applied_is_said(source: Path, tmp_path: Path) -> None:
    (source / "pool.yaml").write_text("kind: BudgetPool\n")
    with pytest.raises(RewriteError, match=r"pool\.yaml"):
        write_manifests(source, tmp_path / "out", PROFILE, now=NOW)


@pytest.mark.parametrize(("rate", "text"), [(0, "0.000"), (57, "0.057"), (1000, "1.000")])
def test_shares_are_written_as_decimals(rate: int, text: str) -> None:
    assert decimal(rate) == text
