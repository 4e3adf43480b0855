"""`farebox audit` on paper, and the profiles that it proposes."""

from pathlib import Path

import pytest
import yaml

from farebox.cli.audit import run_audit
from farebox.cli.demo import MANIFESTS
from farebox.cli.demo_answers import PROMPTS
from tests.cli.test_rehearsals import receipt, write


@pytest.fixture(autouse=True)
def wide_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow the terminal is from which the tests are run."""
    monkeypatch.setenv("COLUMNS", "200")


async def test_tasks_of_prompts_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    status = await run_audit(
        MANIFESTS, namespace="default", receipts=None, prompts=PROMPTS, out=None
    )
    said = capsys.readouterr().out
    assert status == 0
    assert "(not recognised)" in said
    assert "108 of 216 calls (50 %)" in said


async def test_what_receipts_tell_of_unknown_tasks_is_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipts = write(tmp_path, receipt(task="triage", rule="heuristic_matched=keywords"))
    out = tmp_path / "proposed.yaml"
    for target in (None, out):
        await run_audit(MANIFESTS, namespace="default", receipts=receipts, prompts=None, out=target)
    said = capsys.readouterr().out
    assert "Proposed, to be checked" in said
    assert f"Proposed TaskProfiles are in {out}" in said
    (document,) = yaml.safe_load_all(out.read_text())
    assert document["metadata"]["name"] == "triage"


async def test_without_calls_the_profiles_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    await run_audit(MANIFESTS, namespace="default", receipts=None, prompts=None, out=None)
    said = capsys.readouterr().out
    assert "baseline" in said
    assert "not told" not in said
