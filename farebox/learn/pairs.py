"""Pairs of a weak and a strong model whose outcomes are known, and what their calls cost.

The one rule: prices here are list prices of the models' own time, in nano-dollars per token, and
serve ratios only; nothing is ever billed by them. Sizes are tokens of four characters. A cost is a
float because it is a statistic, never an amount of money.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from farebox.learn.encoding import Floats
from farebox.learn.outcomes import Outcome

CHARS_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A model by its names in the data and its price, n$ per input and output token.

    `unsaid_chars` is the length of an answer whose length is not known; None takes the mean's.
    """

    names: tuple[str, ...]
    input: int
    output: int
    unsaid_chars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pool of two models; `second` is the cheap model whose agreement a cascade asks for.

    `sources` are the families of prompts that the pair is trained and reported on.
    """

    name: str
    title: str
    weak: Priced
    strong: Priced
    sources: tuple[str, ...]
    second: Priced | None = None


_GPT_4O_MINI = Priced(names=("gpt-4o-mini-2024-07-18",), input=150, output=600)
# Of the models that cost no more than the weak one, its agreement tells most on the train split.
_DEEPSEEK = Priced(names=("deepseek-v2.5-0908",), input=140, output=280)
_MATHS = ("zeroeval-gsm", "zeroeval-math-l5")

PAIRS: Final = (
    Pair(
        name="A",
        title="Mixtral 8x7B to GPT-4 turbo",
        # The answers to MMLU, whose lengths are not in the data, are one letter: a token.
        weak=Priced(names=("mixtral-8x7b-instruct",), input=240, output=240, unsaid_chars=4),
        strong=Priced(names=("gpt-4-1106-preview",), input=10_000, output=30_000, unsaid_chars=4),
        sources=("routellm-mmlu", "routellm-gsm8k"),
    ),
    Pair(
        name="B1",
        title="GPT-4o mini to GPT-4o",
        weak=_GPT_4O_MINI,
        strong=Priced(names=("gpt-4o-2024-08-06",), input=2_500, output=10_000),
        sources=_MATHS,
        second=_DEEPSEEK,
    ),
    Pair(
        name="B2",
        title="Claude 3 Haiku to Claude 3.5 Sonnet",
        weak=Priced(names=("claude-3-haiku-20240307",), input=250, output=1_250),
        strong=Priced(names=("claude-3-5-sonnet-20241022",), input=3_000, output=15_000),
        sources=_MATHS,
        second=_GPT_4O_MINI,
    ),
    Pair(
        name="B3",
        title="Llama 3 8B to o1-mini",
        weak=Priced(names=("Meta-Llama-3-8B-Instruct",), input=50, output=80),
        strong=Priced(names=("o1-mini-2024-09-12",), input=3_000, output=12_000),
        sources=_MATHS,
    ),
    Pair(
        name="C1",
        title="Llama 3.1 8B to Llama 3.1 70B",
        weak=Priced(names=("Meta-Llama-3_1-8B-Instruct",), input=50, output=80),
        strong=Priced(names=("Meta-Llama-3_1-70B-Instruct",), input=590, output=790),
        sources=("mmlu-pro",),
    ),
    Pair(
        name="C2",
        title="Gemini 1.5 Flash to Gemini 1.5 Pro",
        weak=Priced(names=("gemini-1.5-flash-002",), input=75, output=300),
        strong=Priced(names=("gemini-1.5-pro-002",), input=1_250, output=5_000),
        sources=("mmlu-pro",),
    ),
)


@dataclass(frozen=True, eq=False)
class Pooled:
    """The rows that both models of a pair answered, with arrays of one entry per row.

    `weak` and `strong` are scores 0 to 1; `weak_cost` and `strong_cost` are n$ per call.
    """

    pair: Pair
    rows: Sequence[Outcome]
    weak: Floats
    strong: Floats
    weak_cost: Floats
    strong_cost: Floats

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def gap(self) -> float:
        """By how much the strong model is better in the mean."""
        return float(self.strong.mean() - self.weak.mean()) if len(self) else 0.0

    def at(self, places: Sequence[int]) -> "Pooled":
        """Some of the rows, by position; a position may come twice."""
        some = np.asarray(places, dtype=np.int64)
        return Pooled(
            self.pair,
            [self.rows[place] for place in some],
            self.weak[some],
            self.strong[some],
            self.weak_cost[some],
            self.strong_cost[some],
        )

    def of_sources(self, sources: Iterable[str]) -> "Pooled":
        """The rows of some sources."""
        wanted = set(sources)
        return self.at([n for n, row in enumerate(self.rows) if row.source in wanted])


def pair_named(name: str) -> Pair:
    """A pair by its name; raises KeyError when there is none."""
    return {pair.name: pair for pair in PAIRS}[name]


def pooled(rows: Iterable[Outcome], pair: Pair) -> Pooled:
    """The rows that have an outcome of both models, with costs."""
    both = [r for r in rows if score_of(r, pair.weak) is not None]
    both = [r for r in both if score_of(r, pair.strong) is not None]
    return Pooled(
        pair,
        both,
        np.array([score_of(r, pair.weak) for r in both], dtype=np.float64),
        np.array([score_of(r, pair.strong) for r in both], dtype=np.float64),
        costs(both, pair.weak),
        costs(both, pair.strong),
    )


def score_of(row: Outcome, model: Priced) -> float | None:
    """A model's score on a row; None when it was not asked."""
    return next((row.scores[name] for name in model.names if name in row.scores), None)


def answer_of(row: Outcome, model: Priced) -> str | None:
    """A model's answer on a row; None when it is not known."""
    return next((row.answers[name] for name in model.names if name in row.answers), None)


def costs(rows: Sequence[Outcome], model: Priced) -> Floats:
    """What each call costs, n$, by the sizes of its prompt and its answer."""
    answers = answer_chars(rows, model)
    prompts = np.array([len(row.prompt) for row in rows], dtype=np.float64)
    return np.asarray((prompts * model.input + answers * model.output) / CHARS_PER_TOKEN)


def answer_chars(rows: Sequence[Outcome], model: Priced) -> Floats:
    """The length of each answer in characters; where the data is silent, the usual length."""
    lengths = [
        next((row.out_chars[name] for name in model.names if name in row.out_chars), None)
        for row in rows
    ]
    known = [length for length in lengths if length is not None]
    usual = model.unsaid_chars
    if usual is None:
        usual = round(sum(known) / len(known)) if known else 0
    return np.array([usual if length is None else length for length in lengths], dtype=np.float64)


def answer_size(pool: Pooled) -> float:
    """What the usual answers add to the extra cost of the strong model, as characters of prompt."""
    answers = [
        answer_chars(pool.rows, model).mean() for model in (pool.pair.strong, pool.pair.weak)
    ]
    extra = answers[0] * pool.pair.strong.output - answers[1] * pool.pair.weak.output
    return max(0.0, float(extra) / (pool.pair.strong.input - pool.pair.weak.input))
