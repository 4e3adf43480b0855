"""Made-up outcomes with a pattern that can be learned: sums are hard, greetings are easy."""

import random
from collections.abc import Sequence

from farebox.learn.outcomes import DEV, TRAIN, Outcome
from farebox.learn.pairs import Pair, Priced

PAIR = Pair(
    name="T",
    title="small to large",
    weak=Priced(names=("small",), input=100, output=100),
    strong=Priced(names=("large",), input=1_000, output=1_000),
    sources=("made-up",),
    second=Priced(names=("second",), input=100, output=100),
)

_NAMES = "Anna Boris Chloe David Elena Farid Greta Hugo Irene Jonas".split()
_THINGS = "apples bottles chairs drums eggs forks gloves hats inks jars".split()


def made_up(rows: int, seed: int = 1, source: str = "made-up") -> list[Outcome]:
    """Rows of which half are sums (the weak model mostly fails) and half are greetings."""
    chance = random.Random(seed)
    return [_row(number, chance, source) for number in range(rows)]


def prompts(rows: Sequence[Outcome]) -> list[str]:
    return [row.prompt for row in rows]


def _row(number: int, chance: random.Random, source: str) -> Outcome:
    name, thing = chance.choice(_NAMES), chance.choice(_THINGS)
    hard = chance.random() < 0.5
    prompt = (
        f"{name} has {chance.randint(2, 99)} {thing} and buys {chance.randint(2, 99)} more; "
        f"what is the total when {chance.randint(2, 9)} are lost?"
        if hard
        else f"Greet {name} with a short line about {thing}."
    )
    weak = float(chance.random() < (0.2 if hard else 0.9))
    strong = float(chance.random() < 0.92)
    second = float(chance.random() < (0.3 if hard else 0.9))
    return Outcome(
        id=f"{source}/{number}",
        source=source,
        prompt=prompt,
        key=f"{source} question {number}",
        split=DEV if number % 4 == 0 else TRAIN,
        scores={"small": weak, "large": strong, "second": second},
        answers={"small": _said(weak, "7"), "large": "42", "second": _said(second, "9")},
        out_chars={"small": 40, "large": 80, "second": 40},
    )


def _said(score: float, wrong: str) -> str:
    return "42" if score else wrong
