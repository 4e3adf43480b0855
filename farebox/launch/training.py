"""Weights of one's own: the small model trained on what a profiling run, a file, or gates showed.

The one rule: too little data is said and refused, since a router that was trained on noise is worse
than none. This module must not know the command line. Needs numpy.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from farebox.core.scoring import Weights
from farebox.launch.problems import LaunchError
from farebox.learn.encoding import Floats
from farebox.learn.outcomes import DEV, TRAIN, Outcome
from farebox.learn.packing import pack
from farebox.learn.pairs import Pair, Pooled, Priced, pooled
from farebox.learn.shipped import finished
from farebox.learn.training import Recipe, train

ROWS_MIN: Final = 500
GAP_MIN: Final = 0.05
"""With a smaller difference between the two models there is nothing to learn from."""

DEV_EVERY: Final = 4
"""Every fourth question is kept for the thresholds, as in the packaged weights."""

SOURCE: Final = "own"
BITS: Final = 14


class TrainingError(LaunchError):
    """Weights cannot be trained from this; the text says why and what to do."""


class Trained(NamedTuple):
    """A weights file, its model card, and what speaks against using it (nothing: [])."""

    content: bytes
    card: str
    doubts: list[str]


def pair_of(weak: str, strong: str, prices: Mapping[str, tuple[int, int]]) -> Pair:
    """The two models with their prices, in nano-dollars per input and output token."""
    (weak_in, weak_out), (strong_in, strong_out) = prices[weak], prices[strong]
    return Pair(
        name="own",
        title=f"{weak} to {strong}",
        weak=Priced(names=(weak,), input=weak_in, output=weak_out),
        strong=Priced(names=(strong,), input=strong_in, output=strong_out),
        sources=(SOURCE,),
    )


def row(sample: str, prompt: str, scores: Mapping[str, float], chars: Mapping[str, int]) -> Outcome:
    """One prompt with how each model did; its split follows from its question.

    Prompts that differ in case or white space only ask the same question.
    """
    question = " ".join(prompt.casefold().split())
    digest = zlib.crc32(question.encode(errors="replace"))
    return Outcome(
        id=sample,
        source=SOURCE,
        prompt=prompt,
        key=f"{digest:08x}",
        split=DEV if digest % DEV_EVERY == 0 else TRAIN,
        scores=dict(scores),
        out_chars=dict(chars),
    )


def doubts_about(rows: Sequence[Outcome], pair: Pair) -> list[str]:
    """Why weights from these rows should not decide about anything; [] when they may."""
    found, pool = [], pooled(rows, pair)
    if len(rows) < ROWS_MIN:
        found.append(f"{len(rows)} prompts with both outcomes; {ROWS_MIN} or more are needed")
    if len(pool) and pool.gap < GAP_MIN:
        found.append(
            f"the strong model is right {pool.gap:.3f} more often than the weak one; below "
            f"{GAP_MIN} there is nothing to choose: send everything to the weak one"
        )
    return found


def train_weights(
    name: str,
    rows: Sequence[Outcome],
    pair: Pair,
    *,
    assumed: Sequence[str] = (),
    doubts: Sequence[str] = (),
) -> Trained:
    """Train, set thresholds on the rows kept back, and write the model card.

    `assumed` is told in the card: what the rows hold that nobody has seen. `doubts` are further
    ones, of whoever made the rows. Raises TrainingError when the rows cannot train anything at all.
    """
    learning = [one for one in rows if one.split == TRAIN]
    kept = [one for one in rows if one.split == DEV]
    taught, dev = pooled(learning, pair), pooled(kept, pair)
    if not len(taught) or not len(dev):
        raise TrainingError(
            "no prompt has an outcome of both models: profile both tiers, or name other models"
        )
    if any(len(set(outcomes.tolist())) == 1 for outcomes in (taught.weak, taught.strong)):
        raise TrainingError(
            "a model was always right, or never: there is nothing to learn from these prompts"
        )
    if pair.strong.input <= pair.weak.input:
        raise TrainingError(f"{pair.title}: the strong model must cost more than the weak one")
    fitted = train(taught, dev.rows, [], {}, Recipe(bits=BITS, word_bits=BITS))
    content = finished(pack(name, fitted), dev)
    found = [*doubts_about(rows, pair), *doubts]
    card = _card(name, taught, dev, Weights.read(content), assumed=assumed, doubts=found)
    return Trained(content, card, found)


def _card(
    name: str,
    taught: Pooled,
    dev: Pooled,
    weights: Weights,
    *,
    assumed: Sequence[str],
    doubts: Sequence[str],
) -> str:
    thresholds = [f"| {key} | {value:.5f} |" for key, value in sorted(weights.thresholds.items())]
    assumptions = ["## Assumed", "", *(f"- {one}" for one in assumed), ""] if assumed else []
    return "\n".join(
        [
            f"# Routing weights: {name}",
            "",
            f"Pair: {taught.pair.title}. Trained by `farebox train` on this team's own outcomes.",
            "",
            (
                f"- Split by question: {len(taught)} rows train the heads, {len(dev)} rows set the "
                "thresholds and are not trained on."
            ),
            f"- On those: weak right {_mean(dev.weak)}, strong right {_mean(dev.strong)}.",
            (
                "- Thresholds were chosen on the rows they are reported on; on new prompts savings "
                "can miss their quality by sampling error."
            ),
            "- A prompt unlike these is called unfamiliar and goes to the strong model.",
            "",
            "| threshold | score |",
            "|---|---|",
            *thresholds,
            "",
            *assumptions,
            "## Doubts",
            "",
            *(f"- {doubt}" for doubt in doubts or ("None by the checks of this version.",)),
            "",
        ]
    )


def _mean(scores: Floats) -> str:
    return f"{float(scores.mean()):.3f}"
