"""Decides what is in force: the new version of each resource that is good, else its last good one.

The one rule: a bad resource never replaces or removes a good one; only a resource that is plainly
gone from the folder is removed, and a pool barred that draws on another without being allowed to.
Pure: this module must not know the file system.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farebox.core.budgets import Pool, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.tasks import RoutingPolicy, TaskProfile
from farebox.core.tiers import Tier
from farebox.manifests.links import check
from farebox.manifests.reading import Reading
from farebox.manifests.resources import EVERYWHERE, Kind, Problem, ResourceId, Resources, Source
from farebox.manifests.tiers import Surroundings, catalogue_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A folder as it was last read.

    `sources` are the resources in force, `left_out` those that the folder names and that have never
    been good, or are barred: nothing enforces them. `barred` are pools that were in force and whose
    parent does not allow them any more; each comes back once it does. At `prices_change_at` a price
    of the built-in book changes, so the folder should be read again then; None when no change is
    known.
    """

    resources: Resources = field(default_factory=Resources)
    problems: tuple[Problem, ...] = ()
    sources: Mapping[ResourceId, Source] = field(default_factory=dict)
    left_out: frozenset[ResourceId] = frozenset()
    barred: Mapping[ResourceId, Source] = field(default_factory=dict)
    prices_change_at: UtcMs | None = None


def adopt(readings: Sequence[Reading], previous: Loaded | None, around: Surroundings) -> Loaded:
    """Choose what is in force after a folder was read; `readings` are in the order of its files."""
    before = {**previous.sources, **previous.barred} if previous is not None else {}
    written, doubled = _choose(readings, before)
    standing = _standing(readings, written, before)
    blamed, barred_ids = _settle(standing, written, before)
    problems = [problem for reading in readings for problem in reading.problems]
    before_all = previous.resources if previous is not None else Resources()
    barred = {id_: standing[id_] for id_ in barred_ids}
    in_force = {id_: source for id_, source in standing.items() if id_ not in barred}
    left_out = frozenset((written.keys() | barred.keys()) - in_force.keys())
    closed = _closed(readings, left_out, standing.values())
    return Loaded(
        resources=_resources(in_force.values(), before_all, around, closed),
        problems=tuple(sorted({*problems, *doubled, *blamed}, key=_by_place)),
        sources=in_force,
        left_out=left_out,
        barred=barred,
        prices_change_at=around.prices.next_change(around.now),
    )


def _closed(
    readings: Iterable[Reading], left_out: Iterable[ResourceId], standing: Iterable[Source]
) -> frozenset[str]:
    """Where a limit was meant that nothing enforces: there nobody may begin to spend.

    A file that can't be read and of which nothing was ever good may have meant any namespace.
    """
    files = {source.file for source in standing}
    if any(not reading.complete and reading.file not in files for reading in readings):
        return frozenset({EVERYWHERE})
    return frozenset(id_.namespace for id_ in left_out if id_.kind is Kind.BUDGET_POOL)


def _by_place(problem: Problem) -> tuple[str, int, str, str]:
    return problem.file, problem.line, problem.field, problem.message


def _choose(
    readings: Iterable[Reading], before: Mapping[ResourceId, Source]
) -> tuple[dict[ResourceId, Source], list[Problem]]:
    """One source for each resource: of several the one in the file it came from, else the first."""
    found: dict[ResourceId, list[Source]] = {}
    for reading in readings:
        for source in reading.sources:
            found.setdefault(source.id, []).append(source)
    chosen: dict[ResourceId, Source] = {}
    problems: list[Problem] = []
    for id_, sources in found.items():
        home = before[id_].file if id_ in before else ""
        chosen[id_] = next((one for one in sources if one.file == home), sources[0])
        problems += [
            Problem(
                file=one.file,
                line=one.line_of("metadata.name"),
                resource=str(id_),
                field="metadata.name",
                message=f"is written at {chosen[id_].place} too, which counts: keep one of them",
            )
            for one in sources
            if one is not chosen[id_]
        ]
    return chosen, problems


def _standing(
    readings: Sequence[Reading],
    written: Mapping[ResourceId, Source],
    before: Mapping[ResourceId, Source],
) -> dict[ResourceId, Source]:
    """What would be in force if everything good fitted together."""
    doubtful = {reading.file for reading in readings if not reading.complete}
    gone = {source.file for source in before.values()} - {reading.file for reading in readings}
    # A file that is gone while another can't be read was perhaps renamed and damaged.
    keeping = doubtful | gone if doubtful else set()
    kept = {
        id_: source for id_, source in before.items() if id_ in written or source.file in keeping
    }
    good = {id_: source for id_, source in written.items() if source.value is not None}
    return kept | good


def _settle(
    standing: dict[ResourceId, Source],
    written: Mapping[ResourceId, Source],
    before: Mapping[ResourceId, Source],
) -> tuple[list[Problem], set[ResourceId]]:
    """Take back what does not fit together, until the rest does; every round takes back some.

    What is not new is judged beside what stays in force, so in the last round. Returns what is
    wrong, and which of those standing are barred.
    """
    problems: list[Problem] = []
    while True:
        fresh = {id_ for id_, source in standing.items() if _is_fresh(source, before.get(id_))}
        blames = check(standing.values(), fresh)
        taken_back = {blame.id for blame in blames} & fresh
        for blame in blames:
            if taken_back and blame.id not in fresh:
                continue
            place = written.get(blame.id) or standing[blame.id]
            problems.append(
                Problem(
                    file=place.file,
                    line=place.line_of(blame.field),
                    resource=str(blame.id),
                    field=blame.field,
                    message=blame.message,
                )
            )
        if not taken_back:
            return problems, {blame.id for blame in blames if blame.bars}
        for id_ in taken_back:
            if id_ in before:
                standing[id_] = before[id_]
            else:
                del standing[id_]


def _is_fresh(source: Source, before: Source | None) -> bool:
    return before is None or source.value != before.value


def _resources(
    sources: Iterable[Source],
    before: Resources,
    around: Surroundings,
    closed: frozenset[str],
) -> Resources:
    """What is in force. What is as before is the same object, so that comparing it costs nothing:
    of thousands of resources mostly one has changed.
    """
    pools: dict[PoolUid, Pool] = {}
    tiers: list[Tier] = []
    tasks: dict[str, tuple[TaskProfile, ...]] = {}
    routing: dict[str, RoutingPolicy] = {}
    for source in sorted(sources, key=lambda one: (one.id.kind, one.id.namespace, one.id.name)):
        match source.value:
            case Pool() as pool:
                pools[pool.uid] = _with_generation(pool, before.pools.get(pool.uid))
            case Tier() as tier:
                tiers.append(tier)
            case TaskProfile() as task:
                namespace = source.id.namespace
                tasks[namespace] = (*tasks.get(namespace, ()), task)
            case RoutingPolicy() as policy:
                routing[source.id.namespace] = policy
    catalogue = catalogue_of(tiers, around)
    return Resources(
        pools=pools,
        catalogue=before.catalogue if catalogue == before.catalogue else catalogue,
        tasks=tasks,
        routing=routing,
        closed=closed,
    )


def _with_generation(pool: Pool, before: Pool | None) -> Pool:
    """Count the versions of a pool that have been in force, as long as this program runs."""
    if before is None:
        return replace(pool, generation=1)
    same = replace(pool, generation=before.generation)
    return before if same == before else replace(pool, generation=before.generation + 1)
