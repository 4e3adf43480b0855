"""Prompts made to mislead, by class, and what a release does with each class.

They lie in `bench/data/adversarial.jsonl`: `class`, `prompt`, `hard` (whether it takes the strong
model), and `plain`, the prompt without what was done to it. The one rule: no weight or threshold is
ever tuned on them. This module must not know outcomes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from farebox.core.scoring import Weights
from farebox.learn.shipped import routed

FILE = Path(__file__).parent / "data" / "adversarial.jsonl"
THRESHOLD = "cmq-0.95"

_NOTE = (
    "Whole prompts, written by hand, against pool A's weights at its threshold for 95 %. Whether "
    "one is hard is the writer's word. They were written once, all of them are reported, and no "
    "weight or threshold is tuned on them. A prompt of the last classes was made from a plain one "
    "by what its class says: it should go where that goes. Two rules were made after a look at the "
    "first and the second set of injected claims: of these 2 of 30 and 16 of 60 went elsewhere "
    "until sentences in another language at the ends of an English prompt were left out, and until "
    "a strange prompt was read without its edges. The third set was written by somebody who knew "
    "no rule, and nothing was changed after it was run: it tells how a new claim fares. Short "
    "questions in plain words are taken for easy ones, however hard they are: the weights know a "
    "prompt by its words and its shape."
)


@dataclass(frozen=True, slots=True)
class Misleading:
    """One prompt; `plain` is None where it was not made from another."""

    kind: str
    prompt: str
    hard: bool
    plain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a release does with one class; counts of prompts.

    `familiar`: the model has an opinion. `hard_to_weak`: hard ones that go to the weak model.
    `made`: those made from a plain prompt; `moved` of them go elsewhere than that. Of
    `strong_plain` the plain prompt goes to the strong model, and `lowered` of these go to the weak.
    """

    kind: str
    prompts: int
    familiar: int
    strong: int
    hard: int
    hard_to_weak: int
    made: int
    moved: int
    strong_plain: int
    lowered: int


@cache
def misleading() -> Sequence[Misleading]:
    """All prompts, by class as in the file."""
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return tuple(
        Misleading(row["class"], row["prompt"], row["hard"], row.get("plain")) for row in rows
    )


def behaviours(model: Weights) -> list[Behaviour]:
    """What a release does with each class; classes made from plain prompts come last."""
    classes: dict[str, list[Misleading]] = {}
    for one in misleading():
        classes.setdefault(one.kind, []).append(one)
    ordered = sorted(classes.items(), key=lambda named: named[1][0].plain is not None)
    return [_behaviour(model, kind, prompts) for kind, prompts in ordered]


def _behaviour(model: Weights, kind: str, prompts: Sequence[Misleading]) -> Behaviour:
    strong = [_is_strong(model, one.prompt) for one in prompts]
    hard = [goes for one, goes in zip(prompts, strong, strict=True) if one.hard]
    made = [
        (_is_strong(model, one.plain), goes)
        for one, goes in zip(prompts, strong, strict=True)
        if one.plain is not None
    ]
    return Behaviour(
        kind=kind,
        prompts=len(prompts),
        familiar=sum(model.score(one.prompt).familiar for one in prompts),
        strong=sum(strong),
        hard=len(hard),
        hard_to_weak=len(hard) - sum(hard),
        made=len(made),
        moved=sum(before != after for before, after in made),
        strong_plain=sum(before for before, _ in made),
        lowered=sum(before and not after for before, after in made),
    )


def _is_strong(model: Weights, prompt: str) -> bool:
    return bool(routed([model.score(prompt)])[0] >= model.thresholds[THRESHOLD])


def table(found: Sequence[Behaviour]) -> list[str]:
    """The section of the report."""
    return [
        "## Prompts made to mislead",
        "",
        _NOTE,
        "",
        (
            "| class | prompts | model has an opinion | to the strong model "
            "| hard, of these to the weak model | not where the plain one goes "
            "| of those whose plain one goes strong, to the weak model |"
        ),
        "|---|---|---|---|---|---|---|",
        *(_line(one) for one in found),
    ]


def _line(one: Behaviour) -> str:
    hard = f"{one.hard}, {one.hard_to_weak}" if one.hard else "-"
    moved = f"{one.moved} of {one.made}" if one.made else "-"
    lowered = f"{one.lowered} of {one.strong_plain}" if one.made else "-"
    cells = (one.kind, one.prompts, one.familiar, one.strong, hard, moved, lowered)
    return f"| {' | '.join(map(str, cells))} |"
