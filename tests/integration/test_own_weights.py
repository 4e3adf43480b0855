"""Weights from one's own traffic: a sidecar keeps the prompts of judged calls, `train` reads them.

A data plane on a real socket, the real client, and a simulated provider whose book says which model
is right on which prompt; so what `train` reckons can be compared with what is really so.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from farebox.cli.demo import MANIFESTS
from farebox.cli.resources import read_resources
from farebox.cli.train import TRAINED, Source, run_train
from farebox.core.scoring import Weights
from farebox.learn.outcomes import Outcome
from tests.support.gated import LABELS, TAG, gated_policy, steps
from tests.support.learning import made_up
from tests.support.planes import policy_at, running, simulated
from tests.support.tasks import beside

SMALL, MID = "gpt-4o-mini", "gpt-4o"
RIGHT, WRONG = "complaint", "I would rather not say."
CALLERS = 8
ROWS = 1_100
"""So many made-up rows have more than 500 different prompts."""

TASK = """
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {{name: mails}}
spec:
  defaultTier: small
  gates: [{{kind: Labels, labels: [complaint, question]}}]
  baseline:
    measured: 2026-01-31
    samples: {samples}
    catalogue: {catalogue}
    passRates: {{small: "{small:.3f}", mid: "{mid:.3f}"}}
"""


def book_of(folder: Path, rows: Sequence[Outcome]) -> Path:
    """What both models answer to each prompt, in a new folder."""
    folder.mkdir()
    book = folder / "book.jsonl"
    lines = [
        {
            "prompt": one.prompt,
            "answers": {
                SMALL: RIGHT if one.scores["small"] else WRONG,
                MID: RIGHT if one.scores["large"] else WRONG,
            },
        }
        for one in rows
    ]
    book.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return book


async def serve(folder: Path, rows: Sequence[Outcome], *, keep_prompts: bool) -> Path:
    """Send every prompt once through a data plane; its file of receipts."""
    book, receipts = book_of(folder, rows), folder / "receipts.jsonl"
    waiting = [one.prompt for one in rows]
    async with simulated(folder, outcomes=str(book)) as provider:
        policy = gated_policy(LABELS, base=policy_at(provider.base_url), escalation=steps(1))
        async with running(folder, policy, receipts=receipts, keep_prompts=keep_prompts) as run:
            writing = beside(run.plane.receipts.run())

            async def call() -> None:
                while waiting:
                    await run.client.chat.completions.create(
                        model="farebox/auto",
                        messages=[{"role": "user", "content": waiting.pop()}],
                        max_tokens=40,
                        extra_headers=TAG,
                    )

            await asyncio.gather(*(call() for _ in range(CALLERS)))
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
    return receipts


def manifests(folder: Path, rows: Sequence[Outcome]) -> Path:
    """The demo's tiers and the task, with the pass rates that the book has."""
    folder.mkdir()
    (folder / "tiers.yaml").write_text((MANIFESTS / "tiers.yaml").read_text())
    small, mid = (sum(one.scores[name] for one in rows) / len(rows) for name in ("small", "large"))
    catalogue = read_resources(folder).catalogue.version
    task = TASK.format(samples=len(rows), catalogue=catalogue, small=small, mid=mid)
    (folder / "task.yaml").write_text(task)
    return folder


@pytest.mark.timeout(600)
async def test_a_router_is_trained_on_what_gates_said_in_production(tmp_path: Path) -> None:
    rows = list({one.prompt: one for one in made_up(ROWS)}.values())
    receipts = await serve(tmp_path / "run", rows, keep_prompts=True)
    written = receipts.read_text()
    assert receipts.stat().st_mode & 0o777 == 0o600
    assert len(written.splitlines()) == len(rows)
    assert {json.loads(line)["prompt"] for line in written.splitlines()} == {r.prompt for r in rows}
    assert "sk-caller" not in written
    assert WRONG not in written

    out = tmp_path / "own.weights"
    source = Source(receipts=(receipts,), manifests=manifests(tmp_path / "manifests", rows))
    assert await run_train(source, weak=SMALL, strong=MID, out=out, anyway=False) == TRAINED
    weights, card = Weights.read(out.read_bytes()), out.with_suffix(".md").read_text()
    hard = weights.score("Anna has 12 apples and buys 7 more; what is the total when 3 are lost?")
    assert hard.gain > weights.score("Greet Anna with a short line about apples.").gain

    # Nobody has asked the strong model where the weak one passed: the book knows what it would say.
    told = re.search(r"where weak passed, strong is taken to pass ([\d.]+)", card)
    unseen = [one.scores["large"] for one in rows if one.scores["small"]]
    assert told is not None
    assert float(told.group(1)) == pytest.approx(sum(unseen) / len(unseen), abs=0.005)


async def test_without_the_switch_no_receipt_has_a_prompt(tmp_path: Path) -> None:
    rows = made_up(6)
    receipts = await serve(tmp_path / "run", rows, keep_prompts=False)
    written = receipts.read_text()
    assert len(written.splitlines()) == len(rows)
    assert all("prompt" not in json.loads(line) for line in written.splitlines())
    assert not any(one.prompt in written for one in rows)
