"""The weights that ship with the project: which there are, how they are made and where they lie.

The one rule: heads come from the train split, thresholds from the dev split by CMQ's own
definition, and both are written once; whoever measures reads them as they are. A prompt that is
not familiar is routed to the strong model, in thresholds as in figures.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

import numpy as np

from farebox.core.scoring import Score, Weights
from farebox.learn import cascades
from farebox.learn.encoding import Bools, Floats, structures_of
from farebox.learn.outcomes import DEV, TRAIN, Outcome, of_split
from farebox.learn.packing import pack, with_thresholds
from farebox.learn.pairs import Pair, Pooled, pair_named, pooled
from farebox.learn.rules import Rule, grow, of_json
from farebox.learn.savings import forecast, threshold_for
from farebox.learn.teaching import fold_of, witnesses
from farebox.learn.training import Recipe, train

SHARES: Final = (0.95, 0.99)
CASCADE_SHARES: Final = (0.95, 0.99, 1.0)
FEW_LABELS: Final = 1_500
UNFAMILIAR: Final = 1e10
"""The score that stands for "do not save here": above every threshold, savings.NOTHING too."""

RULES_FILE: Final = "rules.json"
RULED: Final = ("A", "B2", "C2")
"""The releases that have rules."""

OVERLAP_MIN: Final = 0.8
"""A source that shares this much of its questions with another is the same kind of prompts."""

PURITY_MIN: Final = 0.8
"""A rule decides as the model did on at least this share of the training prompts it holds for."""

_SMALL: Final = Recipe(
    bits=15, word_bits=15, strength=2.0, taught=("zeroeval-gsm", "zeroeval-math-l5")
)
_LARGE: Final = Recipe(bits=16, word_bits=16, taught=("mmlu-pro",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One file of weights. `labels_max` bounds the training rows, 0 for all of `sources`."""

    name: str
    pair: Pair
    sources: tuple[str, ...]
    recipe: Recipe
    labels_max: int = 0


def _whole(name: str, recipe: Recipe) -> Release:
    pair = pair_named(name)
    return Release(name=name, pair=pair, sources=pair.sources, recipe=recipe)


RELEASES: Final = (
    _whole("A", Recipe(bits=16, word_bits=16, taught=("routellm-gsm8k",))),
    Release(
        name="A-mmlu-few",
        pair=pair_named("A"),
        sources=("routellm-mmlu",),
        recipe=Recipe(bits=14, word_bits=15),
        labels_max=FEW_LABELS,
    ),
    Release(
        name="A-gsm8k",
        pair=pair_named("A"),
        sources=("routellm-gsm8k",),
        recipe=Recipe(bits=16, word_bits=15, trust=0.5, taught=("routellm-gsm8k",)),
    ),
    _whole("B1", _SMALL),
    _whole("B2", _SMALL),
    _whole("B3", _SMALL),
    _whole("C1", _LARGE),
    _whole("C2", _LARGE),
)


def release_named(name: str) -> Release:
    """A release by its name; raises KeyError when there is none."""
    return {release.name: release for release in RELEASES}[name]


def weights(name: str) -> Weights:
    """Shipped weights by name; raises FileNotFoundError or scoring.Unreadable."""
    return Weights.read(content(name))


def content(name: str) -> bytes:
    """The bytes of shipped weights; raises FileNotFoundError."""
    return (resources.files("farebox.data") / "routing" / file_name(name)).read_bytes()


def file_name(name: str) -> str:
    """The name of a release's file in farebox/data/routing."""
    return f"{name.lower()}.weights"


def make(rows: Sequence[Outcome], releases: Sequence[Release]) -> Iterator[tuple[str, bytes]]:
    """Train releases on the train split of rows, thresholds on dev: names with their files' bytes.

    A release whose sources have no rows raises ValueError.
    """
    learned, reported = of_split(rows, TRAIN), of_split(rows, DEV)
    seen = witnesses(learned)
    for release in releases:
        pool = _limited(pooled(learned, release.pair).of_sources(release.sources), release)
        dev = pooled(reported, release.pair).of_sources(release.sources)
        if not len(pool) or not len(dev):
            raise ValueError(f"{release.name}: no outcomes of {release.sources} to train on.")
        fitted = train(pool, dev.rows, _others(learned, release.pair), seen, release.recipe)
        packed = pack(release.name, fitted)
        yield release.name, finished(packed, dev)


def finished(packed: bytes, dev: Pooled) -> bytes:
    """Packed weights with the thresholds that the dev rows give them."""
    scored = scores_of(Weights.read(packed), dev)
    order = routed(scored)
    chosen = {f"cmq-{share:.2f}": threshold_for(order, dev, share) for share in SHARES}
    second = dev.pair.second
    found = cascades.agreed(dev, second) if second is not None else None
    for share in CASCADE_SHARES if found is not None else ():
        assert found is not None
        cascade = cascades.choose(found, order, share)
        chosen[f"cascade-{share:.2f}-trust"] = cascade.trust
        chosen[f"cascade-{share:.2f}-doubt"] = cascade.doubt
    gain = float(np.mean([score.gain for score in scored]))
    packed = with_thresholds(packed, chosen, (), (), gain)
    usual = forecast(paced(scores_of(Weights.read(packed), dev)), dev)
    return with_thresholds(packed, chosen, usual.scores.tolist(), usual.spend.tolist(), gain)


def scores_of(model: Weights, pool: Pooled) -> list[Score]:
    """Scores of all rows, by the very code that runs beside a workload."""
    return [model.score(row.prompt) for row in pool.rows]


def routed(scores: Sequence[Score]) -> Floats:
    """What routes follow: the worth, or UNFAMILIAR where the model has no opinion."""
    return np.array([s.worth if s.familiar else UNFAMILIAR for s in scores], dtype=np.float64)


def paced(scores: Sequence[Score]) -> Floats:
    """What routes follow where money must be paced."""
    return np.array([score.pacing for score in scores], dtype=np.float64)


def gains(scores: Sequence[Score]) -> Floats:
    """What an APGR ranks by, since it counts calls and not money: the score alone."""
    return np.array([score.gain for score in scores], dtype=np.float64)


def familiar(scores: Sequence[Score]) -> Bools:
    """Which rows the model has an opinion on."""
    return np.array([score.familiar for score in scores], dtype=np.bool_)


def weak_chances(scores: Sequence[Score]) -> Floats:
    """The calibrated chances of the weak model."""
    return np.array([score.weak for score in scores], dtype=np.float64)


def _others(rows: Sequence[Outcome], pair: Pair) -> list[Outcome]:
    """Prompts that ask other questions than all sources of a pair, as examples of the unlike.

    A release of one of the sources does not learn to tell the pair's other ones, so that those
    stay unseen to it.
    """
    keys = {row.key for row in rows if row.source in pair.sources}
    shared = {row.source for row in rows if row.key in keys}
    # A source that puts the very questions of these is no example of what is strange.
    asked = {name for name in shared if _overlap(rows, name, keys) >= OVERLAP_MIN}
    return [row for row in rows if row.source not in asked and row.key not in keys]


def _overlap(rows: Sequence[Outcome], source: str, keys: set[str]) -> float:
    """The share of a source's rows whose questions are among those given."""
    own = [row.key in keys for row in rows if row.source == source]
    return sum(own) / len(own)


def _limited(pool: Pooled, release: Release) -> Pooled:
    if not release.labels_max:
        return pool
    order = sorted(range(len(pool)), key=lambda n: fold_of(f"few {pool.rows[n].key}", 2**32))
    return pool.at(sorted(order[: release.labels_max]))


def make_rules(rows: Sequence[Outcome], release: Release, model: Weights) -> list[Rule]:
    """Rules that decide as a release does at its threshold for 95 %, grown on the train split."""
    pool = pooled(of_split(rows, TRAIN), release.pair).of_sources(release.sources)
    readings = [model.reading_of(row.prompt) for row in pool.rows]
    strong = routed(list(map(model.score_reading, readings))) >= model.thresholds["cmq-0.95"]
    return grow(structures_of([one.wording for one in readings]), strong, PURITY_MIN)


def rules(name: str) -> list[Rule]:
    """Shipped rules of a release; raises FileNotFoundError or ValueError."""
    folder = resources.files("farebox.data") / "routing"
    return of_json(json.loads((folder / RULES_FILE).read_text("utf-8"))[name])
