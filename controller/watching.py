"""The watch over tasks: sums of what sidecars counted, and the conditions that follow from them.

The one rule: it only reads; no call is routed and no money lent by what it finds. This module must
not know how a condition is shown, and the core decides whether one holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.observations import BUCKETS, HOUR_MS, Observations, Observed, TaskId
from controller.world import World
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.tallies import EMPTY
from farebox.core.tasks import RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue
from farebox.core.watching import (
    Condition,
    ConditionType,
    Status,
    Watched,
    findings,
    prices_old,
    renewed,
)
from farebox.manifests.pricebook import price_table_date
from farebox.manifests.resources import Resources
from farebox.wire.messages import Tallies

REVIEW_MS_MAX: Final = DurationMs(5_000)
"""Conditions are looked at so often, or more often where the window is short."""

PRICES_DAYS_MAX: Final = 90
"""A price table older than a quarter is probably wrong somewhere."""

_DAY_MS: Final = 24 * 3_600_000

Conditions = dict[ConditionType, Condition]


@dataclass(slots=True, kw_only=True)
class Row:
    """A task as it is watched."""

    id: TaskId
    observed: Observed = field(default_factory=Observed)
    profile: TaskProfile | None = None
    conditions: Conditions = field(default_factory=dict)


class Watching:
    """What has become of every task, and whether that is as it was measured."""

    def __init__(
        self, window: DurationMs = HOUR_MS, *, prices_days_max: int = PRICES_DAYS_MAX
    ) -> None:
        """Watch from now on; `window` is how far back calls count."""
        self.observations = Observations(window)
        self.rows: dict[TaskId, Row] = {}
        self.everywhere: Conditions = {}
        self._prices_days_max = prices_days_max
        self._pause = min(REVIEW_MS_MAX, window // BUCKETS)
        self._reviewed_at: UtcMs | None = None
        self._catalogue: Catalogue | None = None
        self._version = ""

    def hear(self, namespace: str, tallies: Tallies | None, now: UtcMs) -> None:
        """Take what a sidecar of a namespace says of its tasks, if it says anything."""
        if tallies is not None:
            self.observations.hear(namespace, tallies, now)

    def review(self, world: World) -> None:
        """Look at every task again, if that was not done just now."""
        now, resources, generation = world.now, world.resources, world.generation
        if self._reviewed_at is not None and now - self._reviewed_at < self._pause:
            return
        self._reviewed_at = now
        self.observations.pass_to(now)
        self._review_prices(now, generation)
        rows = {row.id: row for row in self._rows(resources)}
        for row in rows.values():
            row.conditions = self._conditions(row, resources, generation, now)
        self.rows = rows

    def raised(self) -> Iterator[tuple[TaskId | None, Condition]]:
        """The conditions that hold; None stands for what concerns all tasks."""
        for condition in _true(self.everywhere):
            yield None, condition
        for row in self.rows.values():
            for condition in _true(row.conditions):
                yield row.id, condition

    def _rows(self, resources: Resources) -> Iterator[Row]:
        """Every task that has a profile or had calls, by name."""
        profiles = {
            TaskId(namespace, profile.name): profile
            for namespace, tasks in resources.tasks.items()
            for profile in tasks
        }
        observed = self.observations.rows
        for asked in sorted(profiles.keys() | observed.keys()):
            known = self.rows.get(asked)
            yield Row(
                id=asked,
                observed=observed.get(asked) or Observed(),
                profile=profiles.get(asked),
                conditions={} if known is None else known.conditions,
            )

    def _conditions(
        self, row: Row, resources: Resources, generation: int, now: UtcMs
    ) -> Conditions:
        if row.profile is None and row.observed.total == EMPTY:
            return {}
        routing = resources.routing.get(row.id.namespace) or RoutingPolicy()
        watched = Watched(
            task=row.id.task,
            tally=row.observed.recent,
            profile=row.profile,
            routing=routing,
            catalogue=self._version_of(resources.catalogue),
            tiers=tuple(tier.name for tier in resources.catalogue.tiers),
            raised=frozenset(condition.type for condition in _true(row.conditions)),
        )
        return renewed(row.conditions, findings(watched), now=now, generation=generation)

    def _review_prices(self, now: UtcMs, generation: int) -> None:
        dated, since = price_table_date()
        age_days = max(0, now - since) // _DAY_MS
        found = prices_old(dated, age_days, days_max=self._prices_days_max)
        self.everywhere = renewed(self.everywhere, (found,), now=now, generation=generation)

    def _version_of(self, catalogue: Catalogue) -> str:
        if catalogue is not self._catalogue:
            self._catalogue, self._version = catalogue, catalogue.version
        return self._version


def _true(conditions: Mapping[ConditionType, Condition]) -> Iterator[Condition]:
    return (one for one in conditions.values() if one.status is Status.TRUE)
