"""`farebox train`: the small model, trained on one's own outcomes.

The one rule: too little data is refused unless the user insists, and the model card says so.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from farebox.after.receipts import read_receipts
from farebox.cli.rehearsals import samples_of
from farebox.cli.resources import read_resources
from farebox.core.tiers import Catalogue, Tier
from farebox.core.usage import UsageKind
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import read_profile
from farebox.launch.samples import last_user_text

if TYPE_CHECKING:
    from farebox.launch.judged import Reckoned
    from farebox.learn.outcomes import Outcome

TRAINED: Final = 0
TOO_LITTLE: Final = 1
_RATE_TOKENS: Final = 1_000_000

_OF_RECEIPTS: Final = (
    (
        "Trained on what gates said in production, not on who was right: an answer that a gate "
        "wrongly lets pass counts as right here (a baseline whose samples named right answers "
        "counts it as wrong)."
    ),
    (
        "Where the weak tier passed, nobody has asked the strong one: there its rate is reckoned, "
        "for each task, and taken to be the same for all such prompts."
    ),
    (
        "Models of one tier stand for each other. Which prompts the weak tier answered first was "
        "the routing policy's choice at the time; others are no part of these rows."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where outcomes come from: a profile and its prompts, a file of outcomes, or receipts.

    `namespace` is that of the receipts' tasks, whose baselines stand in the manifests.
    """

    folder: Path | None = None
    prompts: Path | None = None
    outcomes: Path | None = None
    receipts: tuple[Path, ...] = ()
    namespace: str = "default"
    manifests: Path


class _Rows(NamedTuple):
    rows: "list[Outcome]"
    assumed: Sequence[str] = ()
    doubts: Sequence[str] = ()


async def run_train(source: Source, *, weak: str, strong: str, out: Path, anyway: bool) -> int:
    """Train, write weights and card; exit status 1, and nothing written, for too little data."""
    from farebox.launch.training import doubts_about, pair_of, train_weights

    catalogue = read_resources(source.manifests).catalogue
    pair = pair_of(weak, strong, {model: _price(catalogue, model) for model in (weak, strong)})
    found = await asyncio.to_thread(_rows, source, (weak, strong))
    doubts = [*doubts_about(found.rows, pair), *found.doubts]
    for doubt in doubts:
        print(f"Not to be relied on: {doubt}.")
    if doubts and not anyway:
        print("Nothing is written. --anyway writes the weights all the same.")
        return TOO_LITTLE
    name = out.name.removesuffix(out.suffix)
    trained = await asyncio.to_thread(
        train_weights,
        name,
        found.rows,
        pair,
        assumed=found.assumed,
        doubts=found.doubts,
    )
    card = out.with_suffix(".md")
    await asyncio.to_thread(out.write_bytes, trained.content)
    await asyncio.to_thread(card.write_text, trained.card, "utf-8")
    print(f"{out} ({len(trained.content):,} bytes) and its model card {card}. Give the sidecar its")
    print(f"folder with --weights-dir, and write weights: {name} into the RoutingPolicy.")
    return TRAINED


def _rows(source: Source, models: tuple[str, str]) -> _Rows:
    """All outcomes of both models. Raises LaunchError."""
    from farebox.learn.outcomes import BadOutcomes, read_file

    if source.receipts:
        return _rows_of_receipts(source, *models)
    if source.outcomes is None:
        assert source.folder is not None
        assert source.prompts is not None
        return _Rows(_rows_of_profile(source.folder, source.prompts, models))
    try:
        return _Rows(list(read_file(source.outcomes)))
    except BadOutcomes as error:
        raise LaunchError(str(error)) from error


def _rows_of_profile(folder: Path, prompts: Path, models: tuple[str, str]) -> "list[Outcome]":
    from farebox.launch.training import row

    profile = read_profile(folder)
    texts = {one.id: last_user_text(one.body["messages"]) for one in samples_of(prompts)}
    scores: dict[str, dict[str, float]] = {}
    for trial in profile.trials:
        if trial.ending == "answered" and trial.model in models and not trial.unrun:
            scores.setdefault(trial.sample, {})[trial.model] = float(trial.passed)
    if missing := sorted(scores.keys() - texts.keys()):
        raise LaunchError(
            f"{prompts} has not the prompts of this profile ({missing[0]} and others): name the "
            "file that was profiled"
        )
    return [row(sample, texts[sample], found, {}) for sample, found in sorted(scores.items())]


def _rows_of_receipts(source: Source, weak: str, strong: str) -> _Rows:
    from farebox.after.heard import heard_of
    from farebox.launch.judged import Models, reckon

    resources = read_resources(source.manifests)
    cheap, dear = _tier_of(resources.catalogue, weak), _tier_of(resources.catalogue, strong)
    if cheap.name == dear.name:
        raise LaunchError(
            f"{weak} and {strong} are of one tier, {dear.name}: name two of two tiers"
        )
    read = read_receipts(source.receipts)
    heard = [one for past in read.calls if (one := heard_of(past, cheap, dear)) is not None]
    if not heard:
        raise LaunchError(
            f"no receipt has a prompt and a verdict on an answer of {cheap.name} or {dear.name}: "
            "start the sidecars with --keep-prompts true, and give tasks gates"
        )
    tasks = {task.name: task for task in resources.tasks.get(source.namespace, ())}
    baselines = {name: task.baseline for name, task in tasks.items()}
    pair = Models(
        weak=weak, strong=strong, strong_tier=dear.name, catalogue=resources.catalogue.version
    )
    found = reckon(heard, baselines, pair)
    assumed = _assumed(found, read.unread)
    print(f"{len(heard)} judged calls with their prompt; {len(found.rows)} prompts to learn from.")
    for line in assumed:
        print(f"  {line}")
    if not found.rows:
        raise LaunchError(f"no task can be reckoned with: {'; '.join(found.left_out)}")
    return _Rows(found.rows, (*_OF_RECEIPTS, *assumed), found.doubts)


def _assumed(found: "Reckoned", unread: int) -> list[str]:
    """What the user and the model card are told of the rows."""
    lines = [*found.told, *(f"Left out: {one}." for one in found.left_out)]
    if unread:
        lines.append(f"{unread} lines were no receipts of this version.")
    return lines


def _tier_of(catalogue: Catalogue, name: str) -> Tier:
    found = catalogue.find(name)
    if found is None or found[0] is None:
        raise LaunchError(f"no tier has the model {name}: name two of the manifests' models")
    return found[0]


def _price(catalogue: Catalogue, name: str) -> tuple[int, int]:
    """Nano-dollars per input and output token, at least 1. Raises LaunchError."""
    found = catalogue.find(name)
    if found is None:
        raise LaunchError(f"no tier has the model {name}: name two of the manifests' models")
    rates = found[1].price.rates
    read, written = (
        max(1, rates.of(kind) // _RATE_TOKENS) for kind in (UsageKind.INPUT, UsageKind.OUTPUT)
    )
    return read, written
