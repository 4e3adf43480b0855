"""What the live routing run is made of: prompts, exact bills, a book of outcomes, resources.

The simulated provider counts bytes as tokens, so a byte costs here what a quarter of a token costs
in `farebox.learn.pairs`: a call is billed what the offline figures say of it, to the byte. The one
rule: manifests, provider and offline figures are told the same. This module must not know processes
or callers.
"""

import enum
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np

from bench import manifests
from farebox.core.money import Nanos
from farebox.learn.encoding import Floats
from farebox.learn.pairs import CHARS_PER_TOKEN, Pooled, Priced, answer_chars

SHARES: Final = (10, 25, 50)
"""Budgets, in percent of what the strong model would cost for all calls."""

CONTRASTED: Final = (10, 25)
"""Those that are run in other manners as well, to show what these make of them."""

LATENCY_MS: Final = {"weak": 150, "strong": 300}
TEMPLATE_TOKENS: Final = 6
"""What the simulated provider counts for the template of one message: three and three."""

MAX_TOKENS_PERCENT: Final = 125
"""Callers ask for at most so much of the longest answer that a source of prompts gets."""

ANSWER_MAX: Final = 4_096
QUALITY: Final = "0.99"
"""The threshold of the policy: below it pacing decides which calls are worth the strong model."""

_SAID: Final = {1.0: "yes", 0.0: "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call to come, in the order of arrival. `scores` are by the name of the model."""

    prompt: str
    max_tokens: int
    scores: Mapping[str, float]


class Manner(enum.StrEnum):
    """How a budget is run: as it should be, without pacing, or with callers that ask for much."""

    PACED = "paced"
    UNPACED = "unpaced"
    CARELESS = "careless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One pool with a sidecar of its own: a share of the always-strong bill."""

    percent: int
    limit: Nanos
    manner: Manner = Manner.PACED

    @property
    def name(self) -> str:
        """The name of the pool, of its pod and of the key that its callers have."""
        return f"{self.manner[0]}{self.percent:03}"

    @property
    def namespace(self) -> str:
        """Where its pool and its routing policy are."""
        return "unpaced" if self.manner is Manner.UNPACED else "default"

    def max_tokens(self, question: Question) -> int:
        """What its callers ask for."""
        return ANSWER_MAX if self.manner is Manner.CARELESS else question.max_tokens

    @property
    def labels(self) -> dict[str, str]:
        return {"budget": self.name}


def sampled(pool: Pooled, count: int) -> Pooled:
    """A fixed sample of so many rows, none with a prompt that another one has, exactly billed."""
    order = sorted(range(len(pool)), key=lambda n: crc32(f"live {pool.rows[n].id}".encode()))
    seen: set[str] = set()
    places: list[int] = []
    for place in order:
        if pool.rows[place].prompt not in seen and len(places) < count:
            seen.add(pool.rows[place].prompt)
            places.append(place)
    chosen = pool.at(sorted(places))
    return replace(
        chosen,
        weak_cost=_bills(chosen, chosen.pair.weak),
        strong_cost=_bills(chosen, chosen.pair.strong),
    )


def _bills(pool: Pooled, model: Priced) -> Floats:
    """What each call is billed, n$: whole numbers."""
    read = np.array([len(row.prompt.encode()) + TEMPLATE_TOKENS for row in pool.rows])
    return np.asarray(
        read * _per_byte(model.input) + _written(pool, model) * _per_byte(model.output), np.float64
    )


def _written(pool: Pooled, model: Priced) -> Floats:
    """The length of each answer; none is shorter than what it is graded by."""
    return np.maximum(answer_chars(pool.rows, model), CHARS_PER_TOKEN)


def _per_byte(rate: int) -> int:
    """A rate of a token as that of a byte; raises ValueError for one that has no whole quarter."""
    whole, rest = divmod(rate, CHARS_PER_TOKEN)
    if rest:
        raise ValueError(f"{rate} n$ a token is no whole number of n$ a byte.")
    return whole


def budgets(pool: Pooled) -> list[Budget]:
    """The budgets of a sample, those that are to be judged first."""
    whole = int(pool.strong_cost.sum())
    wanted = [(Manner.PACED, share) for share in SHARES]
    wanted += [(manner, share) for manner in list(Manner)[1:] for share in CONTRASTED]
    return [
        Budget(percent=share, limit=Nanos(whole * share // 100), manner=manner)
        for manner, share in wanted
    ]


def questions(pool: Pooled, order: Sequence[int]) -> list[Question]:
    """The calls in an order of positions; callers know how long answers to such prompts are."""
    pair = pool.pair
    longest: dict[str, float] = {}
    lengths = np.maximum(_written(pool, pair.weak), _written(pool, pair.strong))
    for row, length in zip(pool.rows, lengths.tolist(), strict=True):
        longest[row.source] = max(longest.get(row.source, 0.0), length)
    names = model_names(pool)
    return [
        Question(
            prompt=pool.rows[place].prompt,
            max_tokens=ceil(longest[pool.rows[place].source] * MAX_TOKENS_PERCENT / 100),
            scores={
                names["weak"]: float(pool.weak[place]),
                names["strong"]: float(pool.strong[place]),
            },
        )
        for place in order
    ]


def model_names(pool: Pooled) -> dict[str, str]:
    """The models' names by side."""
    return {"weak": pool.pair.weak.names[0], "strong": pool.pair.strong.names[0]}


def said(score: float) -> str:
    """What a model answers that does so well: at most as long as the shortest answer."""
    return _SAID.get(score, f"{score:.2f}")


def graded(text: str) -> float:
    """The score that an answer stands for; 0 for one that was cut short."""
    by_text = {text_: score for score, text_ in _SAID.items()}
    try:
        return by_text[text] if text in by_text else float(text)
    except ValueError:
        return 0.0


def write_book(path: Path, pool: Pooled) -> None:
    """The book of outcomes that the simulated provider answers by."""
    names, pair = model_names(pool), pool.pair
    sides = {
        names["weak"]: (pool.weak.tolist(), _written(pool, pair.weak).tolist()),
        names["strong"]: (pool.strong.tolist(), _written(pool, pair.strong).tolist()),
    }
    with gzip.open(path, "wt", encoding="utf-8") as book:
        for place, row in enumerate(pool.rows):
            line = {
                "prompt": row.prompt,
                "answers": {name: said(scores[place]) for name, (scores, _) in sides.items()},
                "output_tokens": {name: int(sizes[place]) for name, (_, sizes) in sides.items()},
            }
            book.write(json.dumps(line) + "\n")


def provider_config(pool: Pooled, book: Path) -> dict[str, Any]:
    """A provider that answers by the book and bills by the byte."""
    names, pair = model_names(pool), pool.pair
    return {
        "models": [
            {
                "name": names[side],
                "inputPerMillion": manifests.per_million(_per_byte(priced.input)),
                "outputPerMillion": manifests.per_million(_per_byte(priced.output)),
                "contextWindow": manifests.CONTEXT_WINDOW,
                "latencyMs": LATENCY_MS[side],
            }
            for side, priced in (("weak", pair.weak), ("strong", pair.strong))
        ],
        "tokenizer": "Bytes",
        "outcomes": str(book),
    }


def resources(
    pool: Pooled, found: Sequence[Budget], *, provider_port: int, period_ms: int
) -> list[dict[str, Any]]:
    """A pool for each budget, the two models as tiers, and a policy that scores and paces.

    An answer cut short is worth nothing to these callers, so max_tokens is never lowered.
    """
    names, pair = model_names(pool), pool.pair
    pools = [
        manifests.pool(one.name, limit_nanos=one.limit, period_ms=period_ms, per_user=False)
        for one in found
    ]
    for made, one in zip(pools, found, strict=True):
        made["spec"]["selector"] = {"matchLabels": one.labels}
        made["metadata"]["namespace"] = one.namespace
    sides = (("weak", 1, "0.5", pair.weak), ("strong", 2, "1.0", pair.strong))
    tiers = [
        manifests.tier(
            side,
            rank=rank,
            max_difficulty=hardest,
            model=manifests.model(
                names[side],
                base_url=f"http://127.0.0.1:{provider_port}/v1",
                input_nanos=_per_byte(priced.input),
                output_nanos=_per_byte(priced.output),
            ),
        )
        for side, rank, hardest, priced in sides
    ]
    routing = {
        "classifier": "Model",
        "weights": pair.name.lower(),
        "quality": QUALITY,
        "minOutputTokens": ANSWER_MAX,
        "defaultMaxOutputTokens": ANSWER_MAX,
    }
    paced = manifests.resource("RoutingPolicy", "default", routing)
    unpaced = manifests.resource("RoutingPolicy", "default", routing | {"pacing": False})
    unpaced["metadata"]["namespace"] = "unpaced"
    return [*pools, *tiers, paced, unpaced]
