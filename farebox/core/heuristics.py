"""Heuristics: what a prompt's own words say about its task and difficulty.

Plain substring tests, because a regular expression over every prompt would cost more than all the
rest of a decision; an entry that begins with a space begins a word. The first heuristic that holds
decides. The one rule: every heuristic has a name that stands in the receipt. This module must not
know tiers, prices or policies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from farebox.core.features import Features

NEARBY_CHARS: Final = 80
"""So far after a verb its object is looked for: "write a small Python function"."""

LABELLED_CHARS_MAX: Final = 1_500
"""Longer prompts that mention labels are rarely about choosing one."""

SHORT_CHARS_MAX: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Heuristic:
    """A named test. `task` is "" where only the difficulty (in thousandths) can be told."""

    name: str
    task: str
    difficulty: int
    holds: Callable[[Features], bool]


_CODE_VERBS: Final = (
    " write ",
    " implement",
    " refactor",
    " debug",
    " fix ",
    " optimi",
    " schreib",
    " écris",
    " escribe",
)
_CODE_NOUNS: Final = (
    "function",
    " class",
    "method",
    " query",
    " sql",
    "script",
    " code",
    " regex",
    "endpoint",
    "unit test",
    "dockerfile",
    "funktion",
    "fonction",
    "función",
    " component",
    " migration",
)
_LABELS: Final = (
    " classif",
    " klassifi",
    " clasific",
    " label",
    " categor",
    " kategor",
    " catégor",
    " sentiment",
    " intent",
    " which queue",
    " exactly one of",
    " one of:",
    " choose from",
    " with one word",
)
_FIELDS: Final = (
    " extract",
    " extrahier",
    " extrai",
    " extrae",
    " pull out",
    " as json",
    " fields",
)
_SUMMARIES: Final = (
    " summar",
    " tl;dr",
    " tldr",
    " zusammenfass",
    " fasse ",
    " résum",
    " resum",
    " condense",
    " recap",
    " gist",
    " key points",
    " boil ",
    " shorten",
    " sum up",
)
_SOURCES: Final = (
    " [1]",
    " passage",
    " context:",
    " excerpt",
    " sources:",
    " according to the",
    " based on the",
    " based only on",
    " using only",
    " cite ",
    " auszug",
    " extrait",
    " pasaje",
)
_REASONING: Final = (
    " step by step",
    " prove ",
    " how many",
    " how much",
    " trade-off",
    " tradeoff",
    " plan ",
    " puzzle",
    " optimal",
    " which option",
    " decide",
    " recommend",
    " compare",
    " probability",
    " estimate",
    " wie viele",
    " combien",
    " cuánt",
)


def _says(words: tuple[str, ...]) -> Callable[[Features], bool]:
    return lambda seen: any(map(seen.text.__contains__, words))


def _asks_code(seen: Features) -> bool:
    if not any(map(seen.text.__contains__, _CODE_VERBS)):
        return False
    for verb in _CODE_VERBS:
        at = seen.text.find(verb)
        if at >= 0:
            nearby = seen.text[at : at + NEARBY_CHARS]
            if any(map(nearby.__contains__, _CODE_NOUNS)):
                return True
    return False


_asks_label = _says(_LABELS)
_asks_fields = _says(_FIELDS)

HEURISTICS: Final = (
    Heuristic(name="stack-trace", task="code", difficulty=900, holds=lambda seen: seen.stack_trace),
    Heuristic(name="asks-code", task="code", difficulty=850, holds=_asks_code),
    Heuristic(
        name="label-set",
        task="classification",
        difficulty=150,
        holds=lambda seen: seen.chars <= LABELLED_CHARS_MAX and _asks_label(seen),
    ),
    Heuristic(
        name="schema",
        task="extraction",
        difficulty=250,
        holds=lambda seen: seen.json_schema or _asks_fields(seen),
    ),
    Heuristic(name="summary", task="summarization", difficulty=450, holds=_says(_SUMMARIES)),
    Heuristic(name="sources", task="rag", difficulty=500, holds=_says(_SOURCES)),
    Heuristic(name="code-block", task="code", difficulty=800, holds=lambda seen: seen.code),
    Heuristic(name="reasoning", task="reasoning", difficulty=850, holds=_says(_REASONING)),
    Heuristic(
        name="short-plain",
        task="",
        difficulty=200,
        holds=lambda seen: seen.chars <= SHORT_CHARS_MAX and seen.turns <= 2 and seen.numbers < 2,
    ),
)


def guess(seen: Features) -> Heuristic | None:
    """The first heuristic that holds for these features; None when nothing can be told."""
    return next((heuristic for heuristic in HEURISTICS if heuristic.holds(seen)), None)
