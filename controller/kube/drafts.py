"""Makes the status that each resource should have from the world as it is.

The one rule: a resource whose status can't be made is no reason to leave out the others. This
module must not know when a status is written, or how.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from controller.engine import Engine
from controller.kube.conditions import Seen
from controller.kube.facts import Facts, PoolFacts
from controller.kube.happenings import News
from controller.kube.other_status import (
    POLICY_CONDITIONS,
    TASK_CONDITIONS,
    TIER_CONDITIONS,
    policy_status,
    task_status,
    tier_status,
)
from controller.kube.plan import SAME, Draft, difference
from controller.kube.pool_status import POOL_CONDITIONS, PoolView, dollars, pool_status
from controller.observations import TaskId
from controller.world import World
from farebox.core.budgets import Pool, PoolUid
from farebox.core.watching import ConditionType
from farebox.manifests.resources import Kind, ResourceId

_LOG = logging.getLogger(__name__)

OWN_CONDITIONS: Final = {
    Kind.BUDGET_POOL: POOL_CONDITIONS,
    Kind.MODEL_TIER: TIER_CONDITIONS,
    Kind.TASK_PROFILE: TASK_CONDITIONS,
    Kind.ROUTING_POLICY: POLICY_CONDITIONS,
}
"""The types of conditions that the controller writes; others are somebody else's."""


class Drafting:
    """Drafts of one reign. It remembers what calls lacked, and who was silent."""

    def __init__(self) -> None:
        self._facts = Facts()
        self._broken: set[ResourceId] = set()
        self._silent: dict[PoolUid, int] = {}
        self._settled: dict[PoolUid, _Settled] = {}

    def drafts(
        self, engine: Engine, seen: Iterable[Seen], bare_pods: Mapping[PoolUid, int]
    ) -> Iterator[Draft | None]:
        """The status that each resource should have; none of one that is not judged yet.

        None stands for a bit of work without a draft: the world may move on after each.
        """
        self._forget_but(engine.world.pools)
        facts: dict[PoolUid, PoolFacts] = {}
        yield from self._facts.steps(engine.world, facts)
        for one in seen:
            try:
                status = self._status(engine, one, facts, bare_pods)
            except Exception:  # noqa: BLE001  money goes on being lent, whatever a status does
                if one.id not in self._broken:
                    self._broken.add(one.id)
                    _LOG.exception("%s: no status can be made of it", one.id)
                continue
            if status is None:
                yield None
            else:
                news = self._silent_news(one, facts)
                yield Draft(seen=one, before=one.status, status=status, news=news)

    def _forget_but(self, pools: Mapping[PoolUid, Pool]) -> None:
        for table in (self._silent, self._settled):
            for uid in table.keys() - pools.keys():
                del table[uid]

    def _silent_news(self, seen: Seen, all_facts: Mapping[PoolUid, PoolFacts]) -> tuple[News, ...]:
        """What is to be told when sidecars that have money of a pool have fallen silent."""
        facts = all_facts.get(seen.value.uid) if isinstance(seen.value, Pool) else None
        if facts is None:
            return ()
        uid = facts.pool.uid
        before = self._silent.get(uid, 0)
        self._silent[uid] = facts.frozen
        if facts.frozen <= before:
            return ()
        lost = dollars(facts.lost)
        note = (
            f"{facts.frozen} of {facts.holders} sidecars with a lease are silent; ${lost} that "
            "they were lent is kept for them until they come back or the window is over"
        )
        return (News("Warning", "SidecarsSilent", "Lend", note),)

    def _status(
        self,
        engine: Engine,
        seen: Seen,
        facts: Mapping[PoolUid, PoolFacts],
        bare_pods: Mapping[PoolUid, int],
    ) -> dict[str, Any] | None:
        now = engine.world.now
        if not seen.is_judged:
            return None
        match seen.id.kind:
            case Kind.BUDGET_POOL:
                return self._pool_status(engine.world, seen, facts, bare_pods)
            case Kind.MODEL_TIER:
                prices = engine.watching.everywhere.get(ConditionType.PRICES_OLD)
                return tier_status(seen, prices, now)
            case Kind.TASK_PROFILE:
                row = engine.watching.rows.get(TaskId(seen.id.namespace, seen.id.name))
                watched = {} if row is None else row.conditions
                # The watch looks every few seconds: what stands there is true until it has.
                waits = seen.in_force is not None and not watched
                return None if waits else task_status(seen, watched, now)
            case Kind.ROUTING_POLICY:
                return policy_status(seen, now)

    def _pool_status(
        self,
        world: World,
        seen: Seen,
        facts: Mapping[PoolUid, PoolFacts],
        bare_pods: Mapping[PoolUid, int],
    ) -> dict[str, Any] | None:
        pool = seen.value
        if not isinstance(pool, Pool):
            return pool_status(PoolView(seen, None), world.now)
        taken = world.pools.get(pool.uid)
        settled = _Settled(PoolView(seen, facts.get(pool.uid), bare_pods.get(pool.uid)), taken)
        if settled.is_like(self._settled.get(pool.uid)):
            return None
        # The engine takes a version into force just after the watch has.
        if taken is None or replace(taken, generation=pool.generation) != pool:
            return None
        status = pool_status(settled.view, world.now)
        if difference(seen.status, status, POOL_CONDITIONS) == SAME:
            self._settled[pool.uid] = settled
        return status


class _Settled(NamedTuple):
    """A pool whose status stands as it should, and what that was made from."""

    view: PoolView
    taken: Pool | None

    def is_like(self, other: "_Settled | None") -> bool:
        """Whether the same would come of it; what is the same object has not changed."""
        if other is None or self.taken is not other.taken:
            return False
        (mine, facts, bare), (theirs, their_facts, their_bare) = self.view, other.view
        return (
            facts is their_facts
            and bare == their_bare
            and mine.status is theirs.status
            and mine.value is theirs.value
            and mine.problems is theirs.problems
            and (mine.generation, mine.in_force) == (theirs.generation, theirs.in_force)
        )
