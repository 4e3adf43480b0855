"""Which status is to be written next: what differs from the one that stands, and may be written.

The one rule: it goes by the difference between what should stand and what does, never by what has
happened, so that whatever is lost is made good. Each resource rests between two writes, longer when
only words differ, and after a failure; that one waits holds up no other. This module must not know
how a status is made or sent.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.kube.conditions import Json, Seen, conditions_of
from controller.kube.happenings import News
from farebox.core.instant import BootMs
from farebox.manifests.resources import Kind, ResourceId

REST_MS: Final = 1_000
"""A resource whose figures move is written no oftener."""

WORDS_REST_MS: Final = 30_000
"""Nor is one of which only the messages of conditions have changed."""

BACK_OFF_MS_MIN: Final = 1_000
BACK_OFF_MS_MAX: Final = 300_000

SAME: Final = 0
WORDS: Final = 1
FIGURES: Final = 2
TURNS: Final = 3
"""How much two statuses differ: nothing, messages only, figures, or whether a condition holds."""

Jitter = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A status as it should be, where `before` stands; `news` is told whether written or not."""

    seen: Seen
    before: Json
    status: Json
    news: tuple[News, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Row:
    """What is remembered of one resource.

    `answered` is what the API server had after the last write, at whose time the mirror knew
    `version`. `applied` is what was written then. After a failure `generation` is the resource's
    at that time: another one is tried at once. `said`: the last failure.
    """

    uid: str
    version: str = ""
    answered: Json | None = None
    applied: Json | None = None
    written_at: BootMs | None = None
    not_before: BootMs = BootMs(0)
    failures: int = 0
    generation: int = 0
    said: str = ""
    under_way: bool = False


class Plan:
    """The state of all writes; at most one row for each resource that the API server has."""

    def __init__(
        self, own: Mapping[Kind, Sequence[str]], *, jitter: Jitter = random.uniform
    ) -> None:
        """`own` are the types of the conditions that are written, for each kind."""
        self._own = own
        self._rows: dict[ResourceId, _Row] = {}
        self._jitter = jitter

    def __len__(self) -> int:
        return len(self._rows)

    def standing(self, seen: Seen) -> Seen:
        """A resource with the status that stands: the mirror's, or the answer to a later write."""
        row = self._rows.get(seen.id)
        if row is None or row.uid != seen.uid or row.answered is None:
            return seen
        return replace(seen, status=row.answered) if row.version == seen.version else seen

    def due(self, drafts: Iterable[Draft], now: BootMs) -> list[Draft]:
        """What to write now: where a condition has turned, figures, words; the oldest first."""
        found = []
        for draft in drafts:
            weight = self._weight(draft.seen, draft.before, draft.status)
            if weight and self._may_write(draft.seen, weight, now):
                found.append((-weight, self._written_at(draft.seen.id), draft))
        return [draft for _, _, draft in sorted(found, key=lambda one: one[:2])]

    def begin(self, draft: Draft) -> bool:
        """Note that a write begins; False when another one of this resource is under way."""
        row = self._row(draft.seen)
        if row.under_way:
            return False
        row.under_way = True
        return True

    def drop(self, draft: Draft) -> None:
        """Note that a write that was begun is not made."""
        self._row(draft.seen).under_way = False

    def written(self, draft: Draft, answered: Json, now: BootMs) -> None:
        """Note how a write ended: this is the status that stands now."""
        row = self._row(draft.seen)
        # What was written twice and does not stand will not stand the next time either.
        stands = self._weight(draft.seen, answered, draft.status) == SAME
        heeded = stands or row.applied != draft.status
        row.failures = 0 if heeded else row.failures + 1
        row.not_before = BootMs(now + (REST_MS if heeded else self._back_off(row.failures)))
        row.generation, row.version = draft.seen.generation, draft.seen.version
        row.answered, row.applied = answered, draft.status
        row.written_at, row.said, row.under_way = now, "", False

    def failed(self, draft: Draft, sentence: str, now: BootMs, *, wait_ms: int = 0) -> bool:
        """Note that a write failed: it rests so long, or ever longer; says whether that is new."""
        row = self._row(draft.seen)
        row.failures += 1
        row.not_before = BootMs(now + max(wait_ms, self._back_off(row.failures)))
        row.under_way, row.answered, row.generation = False, None, draft.seen.generation
        new, row.said = row.said != sentence, sentence
        return new

    def forget_but(self, kept: Iterable[ResourceId]) -> None:
        """Remember nothing of resources that are gone."""
        for id_ in self._rows.keys() - set(kept):
            del self._rows[id_]

    def _row(self, seen: Seen) -> _Row:
        row = self._rows.get(seen.id)
        if row is None or row.uid != seen.uid:
            row = self._rows[seen.id] = _Row(uid=seen.uid)
        return row

    def _written_at(self, id_: ResourceId) -> int:
        row = self._rows.get(id_)
        return -1 if row is None or row.written_at is None else row.written_at

    def _weight(self, seen: Seen, before: Json, status: Json) -> int:
        return difference(before, status, self._own[seen.id.kind])

    def _may_write(self, seen: Seen, weight: int, now: BootMs) -> bool:
        row = self._rows.get(seen.id)
        if row is None or row.uid != seen.uid:
            return True
        if row.under_way:
            return False
        if row.failures and row.generation != seen.generation:
            return True
        if weight == WORDS and row.written_at is not None and now - row.written_at < WORDS_REST_MS:
            return False
        return now >= row.not_before

    def _back_off(self, failures: int) -> int:
        longest = min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** min(failures, 16))
        return int(self._jitter(longest / 2, longest))


def difference(before: Json, after: Json, own: Sequence[str]) -> int:
    """How much differs. Conditions of types that are not `own` are somebody else's."""
    was, is_ = conditions_of(before), conditions_of(after)
    was = {type_: one for type_, one in was.items() if type_ in own}
    if {type_: _turn(one) for type_, one in was.items()} != {
        type_: _turn(one) for type_, one in is_.items()
    }:
        return TURNS
    if _without_conditions(before) != _without_conditions(after):
        return FIGURES
    return WORDS if any(dict(one) != dict(is_[type_]) for type_, one in was.items()) else SAME


def _turn(condition: Json) -> tuple[Any, ...]:
    return tuple(condition.get(name) for name in ("status", "reason", "observedGeneration"))


def _without_conditions(status: Json) -> dict[str, Any]:
    return {name: value for name, value in status.items() if name != "conditions"}
