"""Pieces of the steps before launch for tests: samples, trials, profiles, a provider's books."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from farebox.core.gates import Gate, GateKind
from farebox.core.tasks import Baseline, RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue, Tier
from farebox.launch.battery import ANSWERED, Trial
from farebox.launch.measures import cells_of
from farebox.launch.profiles import Profile, TaskMeasured, oracle_of
from farebox.launch.proposals import propose
from farebox.launch.results import Line, Results
from farebox.launch.samples import Sample
from farebox.simulated.config import parse_config
from farebox.simulated.server import SimulatedProvider
from tests.support.policies import TIERS, make_model

TIER_NAMES: Final = ("small", "mid", "frontier")
CATALOGUE: Final = Catalogue(tiers=TIERS)
LABELS: Final = Gate(name="known", kind=GateKind.LABELS, labels=("yes", "no"))
BASELINE: Final = Baseline(
    measured="2026-01-31", samples=40, catalogue=CATALOGUE.version, pass_rates=(("small", 950),)
)
TASK: Final = TaskProfile(name="label", default_tier="small", gates=(LABELS,), baseline=BASELINE)
BODY: Final[Mapping[str, Any]] = {"messages": [{"role": "user", "content": "yes or no?"}]}


def make_sample(name: str = "s-1", prompt: str = "yes or no?", **fields: Any) -> Sample:
    body = {"messages": [{"role": "user", "content": prompt}], **fields.pop("body", {})}
    return Sample(id=name, body=body, **{"task": "label", **fields})


def make_trial(sample: str = "s-1", tier: str = "small", **fields: Any) -> Trial:
    """An answered trial that passed, with changes."""
    usual: dict[str, Any] = {
        "task": "label",
        "model": f"{tier}-model",
        "ending": ANSWERED,
        "passed": True,
        "accepted": True,
        "input_tokens": 10,
        "output_tokens": 5,
        "latency_ms": 20,
        "cost": {"small": 100, "mid": 1_000, "frontier": 10_000}[tier],
    }
    return Trial(sample=sample, tier=tier, **{**usual, **fields})


def make_trials(count: int, passing: Mapping[str, int], **fields: Any) -> list[Trial]:
    """`count` samples on each tier, of which the first so many pass there."""
    return [
        make_trial(f"s-{n:03d}", tier, passed=n < good, accepted=n < good, **fields)
        for tier, good in passing.items()
        for n in range(count)
    ]


def make_measured(trials: Sequence[Trial], **fields: Any) -> TaskMeasured:
    """What trials of one task say."""
    cells = cells_of(trials, TIER_NAMES)
    task = trials[0].task
    usual: dict[str, Any] = {
        "task": task,
        "samples": len({trial.sample for trial in trials}),
        "expected": 0,
        "gates": ("known",),
        "oracle": oracle_of((LABELS,)),
        "proposal": propose(task, cells, RoutingPolicy()),
        "tier_before": "frontier",
        "expected_output_tokens": 5,
        "escalation_rate": 50,
        "steps_max": 2,
        "difficulties": (0,) * 9 + (1000,),
        "cells": tuple(cells),
    }
    return TaskMeasured(**{**usual, **fields})


def make_profile(*tasks: Sequence[Trial], **fields: Any) -> Profile:
    """A complete profile of tasks, each given by its trials."""
    measured = tuple(make_measured(trials) for trials in tasks)
    usual: dict[str, Any] = {
        "measured": "2026-01-31",
        "namespace": "default",
        "catalogue": CATALOGUE.version,
        "tiers": TIER_NAMES,
        "complete": True,
        "simulated": False,
        "samples": sum(task.samples for task in measured),
        "spent": 5_000,
        "cap": 2_000_000_000,
        "gaps": (),
        "tasks": measured,
        "trials": tuple(trial for trials in tasks for trial in trials),
    }
    return Profile(**{**usual, **fields})


def simulated_provider(folder: Path, **config: Any) -> SimulatedProvider:
    """A provider of the three tiers' models at their prices."""
    models = [
        {"name": "gpt-4o-mini", "inputPerMillion": "0.15", "outputPerMillion": "0.60"},
        {"name": "gpt-4o", "inputPerMillion": "2.50", "outputPerMillion": "10.00"},
        {"name": "o1", "inputPerMillion": "15.00", "outputPerMillion": "60.00"},
    ]
    document = {"models": models, "tokenizer": "Pieces", **config}
    return SimulatedProvider(parse_config(document), folder / "ledger.jsonl")


def tiers_at(base_url: str) -> tuple[Tier, ...]:
    """The three tiers, served at an address."""
    prices = {"small": ("0.15", "0.60"), "mid": ("2.50", "10.00"), "frontier": ("15.00", "60.00")}
    return tuple(
        Tier(
            name=tier.name,
            rank=tier.rank,
            max_difficulty=tier.max_difficulty,
            models=(make_model(tier.models[0].name, *prices[tier.name], base_url=base_url),),
        )
        for tier in TIERS
    )


def lines_of(path: Path) -> list[Line]:
    """Everything that a file of results says was answered."""
    with Results(path) as results:
        return list(results.answered.values())
