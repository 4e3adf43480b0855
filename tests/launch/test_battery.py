"""The battery: every sample on every tier, stopped in good order, within the cap."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from farebox.core.money import Nanos
from farebox.core.tiers import Capability, Catalogue, Tier
from farebox.gates.functions import Functions
from farebox.launch.battery import (
    ANSWERED,
    LOST,
    REFUSED,
    UNFIT,
    Battery,
    Plan,
    Rung,
    Trial,
    output_asked,
    rungs_of,
    why_unfit,
)
from farebox.launch.judging import Judge
from farebox.launch.paying import Payer
from farebox.launch.provider import Provider
from farebox.launch.results import Results
from farebox.launch.samples import Sample
from farebox.launch.till import Till
from farebox.runtime.clock import SystemClock
from farebox.simulated.ledger import bill_nanos, read_entries
from tests.support.launching import LABELS, make_sample, simulated_provider, tiers_at
from tests.support.policies import make_model

SAMPLES = [make_sample(f"s-{n}", f"yes or no, number {n}?") for n in range(6)]
BOOK = [
    {
        "prompt": f"yes or no, number {n}?",
        "answers": {"gpt-4o-mini": "yes" if n % 2 else "perhaps", "gpt-4o": "yes", "o1": "no"},
    }
    for n in range(6)
]
RICH = Nanos(10**12)


@asynccontextmanager
async def battery(
    folder: Path,
    *,
    cap: Nanos = RICH,
    samples: list[Sample] = SAMPLES,
    note: Callable[[Trial], None] = lambda _: None,
    **config: Any,
) -> AsyncIterator[tuple[Battery, Till]]:
    """A battery against a running provider that answers by the book."""
    book = folder / "book.jsonl"
    book.write_text("".join(json.dumps(line) + "\n" for line in BOOK))
    functions = Functions()
    async with (
        simulated_provider(folder, outcomes=str(book), **config) as provider,
        Provider(SystemClock()) as asker,
    ):
        with Results(folder / "results.jsonl") as results:
            till = Till(cap, spent=results.spent)
            tiers = tiers_at(provider.base_url)
            payer = Payer(asker, results, till)
            judge = Judge(Catalogue(tiers=tiers), payer, functions, output_default=50)
            plan = Plan(
                samples=[(sample, "label") for sample in samples],
                rungs=rungs_of(tiers, input_tokens=100, output_tokens=50),
                gates={"label": (LABELS,)},
                output_default=50,
            )
            yield Battery(plan, payer, judge, note=note), till
    await functions.close()


async def test_every_sample_is_tried_on_every_tier_and_judged(tmp_path: Path) -> None:
    async with battery(tmp_path) as (runner, till):
        await runner.run(concurrency=4)
        assert runner.complete
        assert till.spent == bill_nanos(read_entries(tmp_path / "ledger.jsonl"))
    found = {(one.sample, one.tier): one.passed for one in runner.trials}
    assert len(found) == 18
    assert [found[f"s-{n}", "small"] for n in range(6)] == [False, True] * 3
    assert all(found[f"s-{n}", "mid"] for n in range(6))
    first = next(one for one in runner.trials if one.tier == "small" and one.sample == "s-0")
    assert (first.ending, first.failed, first.cost > 0) == (ANSWERED, ("known",), True)


async def test_a_battery_that_was_stopped_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    seen: list[Trial] = []
    async with battery(tmp_path, note=seen.append) as (runner, _):
        watched = runner

        def stop(trial: Trial) -> None:
            seen.append(trial)
            watched.stop()

        runner._note = stop
        await runner.run(concurrency=2)
    assert not runner.complete
    assert 1 <= len(seen) <= 2
    async with battery(tmp_path) as (runner, till):
        await runner.run(concurrency=2)
        assert runner.complete
    entries = read_entries(tmp_path / "ledger.jsonl")
    assert len(entries) == 18
    assert till.spent == bill_nanos(entries)


async def test_the_cap_ends_the_run_before_it_is_passed(tmp_path: Path) -> None:
    cap = Nanos(4_000_000)
    async with battery(tmp_path, cap=cap) as (runner, till):
        await runner.run(concurrency=4)
    assert "cap of $0.0040 is reached" in runner.cap_reached
    assert not runner.complete
    assert bill_nanos(read_entries(tmp_path / "ledger.jsonl")) == till.spent <= cap


@pytest.mark.parametrize(("fault", "ending"), [("hangUp", LOST), ("error500", REFUSED)])
async def test_what_gave_no_answer_is_a_trial_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, ending: str
) -> None:
    monkeypatch.setattr("farebox.launch.paying.WAIT_S", 0.01)
    async with battery(tmp_path, samples=SAMPLES[:1], faults={"mix": {fault: 1}}) as (runner, _):
        await runner.run(concurrency=1)
    assert {one.ending for one in runner.trials} == {ending}
    assert all(one.why for one in runner.trials)


async def test_what_does_not_fit_a_model_is_not_sent(tmp_path: Path) -> None:
    long = make_sample("long", "word " * 120_000)
    async with battery(tmp_path, samples=[long]) as (runner, till):
        await runner.run(concurrency=1)
        assert till.spent == 0
    assert {one.ending for one in runner.trials} == {UNFIT}


def test_a_model_without_a_capability_is_unfit() -> None:
    plain = make_model("plain", "1", "1", capabilities=frozenset({Capability.VISION}))
    rung = Rung(tier=Tier(name="t", rank=1, max_difficulty=1, models=(plain,)), model=plain)
    assert why_unfit(make_sample(body={"tools": [{}]}), rung) == "plain lacks Tools"
    assert why_unfit(make_sample(), rung) == ""


def test_a_tier_is_tried_with_its_cheapest_model() -> None:
    dear, cheap = make_model("dear", "9", "9"), make_model("cheap", "1", "1")
    tiers = [
        Tier(name="high", rank=2, max_difficulty=1000, models=(dear,)),
        Tier(name="low", rank=1, max_difficulty=500, models=(dear, cheap)),
        Tier(name="none", rank=3, max_difficulty=500, models=()),
    ]
    rungs = rungs_of(tiers, input_tokens=1, output_tokens=1)
    assert [(rung.tier.name, rung.model.name) for rung in rungs] == [
        ("low", "cheap"),
        ("high", "dear"),
    ]


@pytest.mark.parametrize(("asked", "found"), [(None, 50), (9, 9), (10**6, 16_384)])
def test_the_callers_limit_counts_and_the_models(asked: int | None, found: int) -> None:
    body = {} if asked is None else {"max_tokens": asked}
    model = make_model("m", "1", "1")
    assert output_asked(make_sample(body=body), model, 50) == found
