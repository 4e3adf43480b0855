"""Heuristics: what a prompt's own words say about its task and difficulty.

Plain substring tests, because a regular expression over every prompt would cost more than all the
rest of a decision; an entry that begins with a space begins a word, and is looked for only where
the prompt has a word with its first letters. The first heuristic that holds decides; those that
lack such a word are not tried. The one rule: every heuristic has a name that stands in the receipt.
This module must not know tiers, prices or policies.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from farebox.core.features import STEM_CHARS, Features

NEARBY_CHARS: Final = 80
"""So far after a verb its object is looked for: "write a small Python function"."""

LABELLED_CHARS_MAX: Final = 1_500
"""Longer prompts that mention labels are rarely about choosing one."""

SHORT_CHARS_MAX: Final = 120

_MET_KEPT_MAX: Final = 512
"""For so many sets of stems it is remembered which heuristics they leave to be tried."""

_ANY_WORDS: Final[frozenset[str]] = frozenset()

_FIRST_SOURCE: Final = " [1]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heuristic:
    """A named test. `task` is "" where only the difficulty (in thousandths) can be told.

    `stems`: it can only hold where the text has one of them; none where the words do not say.
    """

    name: str
    task: str
    difficulty: int
    holds: Callable[[Features], bool]
    stems: frozenset[str] = _ANY_WORDS


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


class _Entries:
    """Entries by the stem of their first word, which must be whole or at least a stem long."""

    def __init__(self, entries: tuple[str, ...]) -> None:
        self._by_stem: dict[str, list[str]] = {}
        for entry in entries:
            first = entry.split()[0]
            if not entry.startswith(" ") or (len(first) < STEM_CHARS and entry == f" {first}"):
                raise ValueError(f"{entry!r} can't be found by a stem of {STEM_CHARS} characters.")
            self._by_stem.setdefault(first[:STEM_CHARS], []).append(entry)
        self.stems = frozenset(self._by_stem)

    def met(self, seen: Features) -> list[str]:
        """The entries that may stand in the text: all that do, and few others."""
        stems = self.stems & seen.stems
        return [entry for stem in stems for entry in self._by_stem[stem]] if stems else []

    def said(self, seen: Features) -> bool:
        """Whether any entry stands in the text."""
        text, by_stem = seen.text, self._by_stem
        for stem in self.stems & seen.stems:
            for entry in by_stem[stem]:
                if entry in text:
                    return True
        return False


_code_verbs = _Entries(_CODE_VERBS)


def _asks_code(seen: Features) -> bool:
    for verb in _code_verbs.met(seen):
        at = seen.text.find(verb)
        if at >= 0:
            nearby = seen.text[at : at + NEARBY_CHARS]
            if any(map(nearby.__contains__, _CODE_NOUNS)):
                return True
    return False


_labels = _Entries(_LABELS)
_asks_fields = _Entries(_FIELDS).said
_summaries = _Entries(_SUMMARIES)
_names_sources = _Entries(_SOURCES).said
_reasoning = _Entries(_REASONING)

HEURISTICS: Final = (
    Heuristic(name="stack-trace", task="code", difficulty=900, holds=lambda seen: seen.stack_trace),
    Heuristic(
        name="asks-code", task="code", difficulty=850, holds=_asks_code, stems=_code_verbs.stems
    ),
    Heuristic(
        name="label-set",
        task="classification",
        difficulty=150,
        holds=lambda seen: seen.chars <= LABELLED_CHARS_MAX and _labels.said(seen),
        stems=_labels.stems,
    ),
    Heuristic(
        name="schema",
        task="extraction",
        difficulty=250,
        holds=lambda seen: seen.json_schema or _asks_fields(seen),
    ),
    Heuristic(
        name="summary",
        task="summarization",
        difficulty=450,
        holds=_summaries.said,
        stems=_summaries.stems,
    ),
    Heuristic(
        name="sources",
        task="rag",
        difficulty=500,
        holds=lambda seen: _names_sources(seen) or _FIRST_SOURCE in seen.text,
    ),
    Heuristic(name="code-block", task="code", difficulty=800, holds=lambda seen: seen.code),
    Heuristic(
        name="reasoning",
        task="reasoning",
        difficulty=850,
        holds=_reasoning.said,
        stems=_reasoning.stems,
    ),
    Heuristic(
        name="short-plain",
        task="",
        difficulty=200,
        holds=lambda seen: seen.chars <= SHORT_CHARS_MAX and seen.turns <= 2 and seen.numbers < 2,
    ),
)


def guess(seen: Features) -> Heuristic | None:
    """The first heuristic that holds for these features; None when nothing can be told."""
    for heuristic in _worth_trying(_STEMS & seen.stems):
        if heuristic.holds(seen):
            return heuristic
    return None


@functools.lru_cache(maxsize=_MET_KEPT_MAX)
def _worth_trying(met: frozenset[str]) -> tuple[Heuristic, ...]:
    """The heuristics that can hold for a text with these stems, in their order."""
    return tuple(one for one in HEURISTICS if not one.stems or not met.isdisjoint(one.stems))


def difficulty_of(name: str) -> int:
    """The difficulty that a heuristic tells, by its name; 0 when there is none of that name."""
    return _DIFFICULTIES.get(name, 0)


_STEMS: Final = frozenset[str]().union(*(heuristic.stems for heuristic in HEURISTICS))
_DIFFICULTIES: Final = {heuristic.name: heuristic.difficulty for heuristic in HEURISTICS}
