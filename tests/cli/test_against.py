"""`farebox replay --against`: figures, words and the file, from receipts and from prompts."""

import json
from pathlib import Path

import pytest

from farebox.after.compared import Pair, Side
from farebox.cli.against import Question, run_against, saying
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from tests.support.past import line_of
from tests.support.tuned import TIER

POOL = """
---
apiVersion: farebox.dev/v1alpha1
kind: BudgetPool
metadata: {{name: team}}
spec:
  limit: "{limit}"
  window: {{type: Lifetime}}
  selector: {{matchLabels: {{app: assistant}}}}
"""
APP = {"app": "assistant"}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no cell is folded."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "tiers.yaml").write_text(TIER.format(name="small", rank=1, difficulty="1"))
    (folder / "pools.yaml").write_text(POOL.format(limit="0.01"))
    return folder


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    path = tmp_path / "receipts.jsonl"
    refused = line_of(
        at=1, call_id="b", refused=Reason.POOL_EXHAUSTED, model="", attempts=(), usage=None
    )
    path.write_text(json.dumps(line_of(call_id="a")) + "\n" + json.dumps(refused) + "\n{cut")
    return path


async def test_receipts_are_decided_about_again(
    manifests: Path, receipts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    question = Question(manifests=manifests, receipts=(receipts,), labels=APP, output=output)
    assert await run_against(question) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in (
        "By task",
        "small-model",
        "pool_exhausted 1 0",
        "would have cost",
        "1 lines were no receipts",
        "2 costs are reckoned",
    ):
        assert words in printed
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(one["call"], one["model"], one["billed"]) for one in lines] == [
        ("a", "small-model", False),
        ("b", "small-model", False),
    ]
    assert lines[0]["cost_usd"] == "0.000140000"


async def test_a_pod_without_pools_has_no_limit_and_is_told(
    manifests: Path, receipts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await run_against(Question(manifests=manifests, receipts=(receipts,), labels={}))
    assert "No pool selects this pod" in capsys.readouterr().out


@pytest.mark.parametrize(("limit", "refused"), [("0.01", 0), ("0.0003", 1)])
async def test_prompts_are_classified_and_spread_over_time(
    manifests: Path, tmp_path: Path, limit: str, refused: int
) -> None:
    (manifests / "pools.yaml").write_text(POOL.format(limit=limit))
    prompts, output = tmp_path / "prompts.jsonl", tmp_path / "out.jsonl"
    lines = [
        {"id": str(number), "task": "code", "prompt": "hello", "max_tokens": 40, "user": "ana"}
        for number in range(3)
    ]
    prompts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    question = Question(manifests=manifests, prompts=prompts, labels=APP, output=output)
    assert await run_against(question) == 0
    made = [json.loads(line) for line in output.read_text().splitlines()]
    assert sum(one["refused"] is not None for one in made) == refused
    assert not any(one["billed"] for one in made)


@pytest.mark.parametrize(
    ("was", "would", "words"),
    [
        (2_000_000_000, 500_000_000, "$1.500000 (75 %) less"),
        (500_000_000, 2_000_000_000, "$1.500000 (300 %) more"),
        (0, 5_000, "$0.000005 more"),
    ],
)
def test_the_difference_is_one_sentence(was: int, would: int, words: str) -> None:
    assert words in saying(Pair(was=Side(cost=Nanos(was)), would=Side(cost=Nanos(would))))
