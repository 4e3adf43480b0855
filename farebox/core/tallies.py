"""Tallies: what became of the calls of one task, as numbers that only grow.

A sidecar counts, the controller adds up, a watch compares. The one rule: nothing here names a
caller or holds a text, so a tally can be told, kept and shown. This module must not know when
anything was counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from operator import add, sub
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from farebox.core.gates import GateKind

BINS: Final = 10
"""Equal parts of the range of difficulties, whose shares make a distribution of prompts."""

BIN_WIDTH: Final = 1_000 // BINS

OTHER: Final = "other"
"""In place of names beyond a bound."""

_NOTHING: Final[tuple[int, ...]] = (0,) * BINS


class ServedBy(NamedTuple):
    """A model, in the tier that lists it ("" when none does)."""

    tier: str
    model: str


class Service(NamedTuple):
    """What a model did for a task.

    `calls` it served. Of the first answers that were checked it gave `judged`, and of these
    `failed` did not pass. `cost` in n$ is that of all its attempts, also of those that only judged
    another's answer.
    """

    calls: int = 0
    judged: int = 0
    failed: int = 0
    cost: int = 0


class Checks(NamedTuple):
    """What gates of one kind said: how many answers they checked, how many of these they failed.

    `unrun`: so often one could not be run, which is neither.
    """

    checked: int = 0
    failed: int = 0
    unrun: int = 0


_Counted = TypeVar("_Counted", Service, Checks)
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The calls of one task.

    `refused` by Farebox. `gated`: at least one answer was checked. `escalated`: a second answer was
    fetched because the first did not pass. `unmended`: the last answer did not pass either.
    `unsure`: the prompt was unlike what the small model knows. `difficulties` are calls by the bin
    that their difficulty is in, easiest first.
    """

    calls: int = 0
    refused: int = 0
    gated: int = 0
    escalated: int = 0
    unmended: int = 0
    unsure: int = 0
    difficulties: tuple[int, ...] = _NOTHING
    services: Mapping[ServedBy, Service] = field(default_factory=lambda: MappingProxyType({}))
    gates: Mapping[GateKind, Checks] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def cost(self) -> int:
        """What all attempts cost, in n$."""
        return sum(service.cost for service in self.services.values())

    def checks(self, kind: GateKind) -> Checks:
        """What gates of one kind said."""
        return self.gates.get(kind, _NO_CHECKS)


_NO_CHECKS: Final = Checks()
EMPTY: Final = Tally()


def bin_of(difficulty: int) -> int:
    """The bin of a difficulty in thousandths."""
    return min(BINS - 1, max(0, difficulty // BIN_WIDTH))


def added(one: Tally, other: Tally) -> Tally:
    """Both together."""
    return Tally(
        calls=one.calls + other.calls,
        refused=one.refused + other.refused,
        gated=one.gated + other.gated,
        escalated=one.escalated + other.escalated,
        unmended=one.unmended + other.unmended,
        unsure=one.unsure + other.unsure,
        difficulties=tuple(map(add, one.difficulties, other.difficulties)),
        services=_sums(one.services, other.services, Service()),
        gates=_sums(one.gates, other.gates, Checks()),
    )


def grown(later: Tally, earlier: Tally) -> Tally:
    """What came between two tallies of the same counter; never less than nothing."""
    return Tally(
        calls=max(0, later.calls - earlier.calls),
        refused=max(0, later.refused - earlier.refused),
        gated=max(0, later.gated - earlier.gated),
        escalated=max(0, later.escalated - earlier.escalated),
        unmended=max(0, later.unmended - earlier.unmended),
        unsure=max(0, later.unsure - earlier.unsure),
        difficulties=_growth(later.difficulties, earlier.difficulties),
        services=_growths(later.services, earlier.services),
        gates=_growths(later.gates, earlier.gates),
    )


def _sums(
    one: Mapping[_Key, _Counted], other: Mapping[_Key, _Counted], nothing: _Counted
) -> Mapping[_Key, _Counted]:
    if not other or not one:
        return one or other
    sums: dict[_Key, Any] = dict(one)
    for key, counts in other.items():
        sums[key] = type(nothing)(*map(add, sums.get(key, nothing), counts))
    return sums


def _growth(later: tuple[int, ...], earlier: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(max, map(sub, later, earlier), repeat(0)))


def _growths(
    later: Mapping[_Key, _Counted], earlier: Mapping[_Key, _Counted]
) -> Mapping[_Key, _Counted]:
    """What is new under each key, and no key where nothing is."""
    growths: dict[_Key, Any] = {}
    for key, counts in later.items():
        before = earlier.get(key)
        growth = counts if before is None else type(counts)(*_growth(counts, before))
        if any(growth):
            growths[key] = growth
    return growths
