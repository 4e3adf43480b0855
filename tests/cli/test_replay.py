"""`farebox replay` against a simulated provider, and what it writes."""

import json
from pathlib import Path

import pytest

from farebox.cli.replay import run_replay, write_outcomes
from farebox.simulated.config import parse_config
from farebox.simulated.server import SimulatedProvider
from tests.support.runs import outcome

MODELS = [{"name": "small", "inputPerMillion": "0.15", "outputPerMillion": "0.60"}]


def prompts_file(folder: Path, *, model: str) -> Path:
    path = folder / "prompts.jsonl"
    lines = [
        {"id": str(number), "task": "code", "model": model, "prompt": "hello"}
        for number in range(5)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("model", "status", "ending"), [("small", 0, "served"), ("unknown", 2, "failed")]
)
async def test_prompts_are_sent_counted_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, status: int, ending: str
) -> None:
    output = tmp_path / "outcomes.jsonl"
    config = parse_config({"models": MODELS})
    async with SimulatedProvider(config, tmp_path / "ledger.jsonl") as provider:
        found = await run_replay(
            prompts_file(tmp_path, model=model),
            base_urls=[provider.base_url],
            callers=2,
            limit=4,
            output=output,
        )
    assert found == status
    assert {json.loads(line)["ending"] for line in output.read_text().splitlines()} == {ending}
    printed = capsys.readouterr().out
    assert "100 %" in printed
    assert "Calls by task" in printed
    assert ("Refused or failed" in printed) is (ending == "failed")


def test_each_outcome_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    write_outcomes(path, [outcome(id="a"), outcome(id="b", tier="mid")])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["id"], line["tier"]) for line in lines] == [("a", ""), ("b", "mid")]
