"""What must hold between resources: parents, tiers and names that other resources give.

The one rule: blame falls on what is new, never on what was in force before, unless it draws on the
money of a parent that does not allow it; and every blame says which field to change. This module
must not know files beyond the place of a field, or what happens to a resource that is blamed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

from farebox.core.budgets import DEPTH_MAX, Pool, PoolUid
from farebox.core.tasks import RoutingPolicy, TaskProfile
from farebox.core.tiers import Tier
from farebox.manifests.resources import ResourceId, Source
from farebox.manifests.scalars import did_you_mean

Wanted = TypeVar("Wanted", Pool, Tier, TaskProfile, RoutingPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """A resource that can't stand as it is beside the others.

    `bars`: it can't even stand if it was in force before.
    """

    id: ResourceId
    field: str
    message: str
    bars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """The sources to check, those in force before first; `fresh` are the new ones."""

    sources: Sequence[Source]
    fresh: AbstractSet[ResourceId]

    def of(self, kind: type[Wanted]) -> Iterator[tuple[Source, Wanted]]:
        for source in self.sources:
            if isinstance(source.value, kind):
                yield source, source.value


def check(sources: Iterable[Source], fresh: AbstractSet[ResourceId]) -> tuple[Blame, ...]:
    """All that does not hold between sources with values; () when they can stand together."""
    ordered = sorted(sources, key=lambda one: (one.id in fresh, one.file, one.line_of("")))
    standing = _Standing(sources=ordered, fresh=fresh)
    checks: tuple[Callable[[_Standing], Iterable[Blame]], ...] = (
        _missing_parents,
        _unallowed_children,
        _cycles,
        _deep_paths,
        _ranks_twice,
        _models_twice,
        _missing_tiers,
        _missing_models,
        _crossed_tiers,
        _marks_twice,
        _policies_twice,
    )
    return tuple(blame for one in checks for blame in one(standing))


# Pools.


def _missing_parents(standing: _Standing) -> Iterator[Blame]:
    pools = {pool.uid: pool for _, pool in standing.of(Pool)}
    for source, pool in standing.of(Pool):
        if pool.parent is not None and pool.parent not in pools:
            # What another namespace has is named only to whom it is open.
            others = did_you_mean(
                pool.parent,
                {
                    uid
                    for uid, other in pools.items()
                    if uid != pool.uid and other.allows_children_of(pool.namespace)
                },
            )
            yield Blame(
                id=source.id,
                field="spec.parent.name",
                message=f"there is no pool {pool.parent} in force: {others}",
            )


def _unallowed_children(standing: _Standing) -> Iterator[Blame]:
    """Pools whose parent does not allow them, and all that are below them."""
    pools = {pool.uid: pool for _, pool in standing.of(Pool)}
    parents = {uid: pool.parent for uid, pool in pools.items()}
    unallowed = {uid for uid, pool in pools.items() if not _is_allowed(pool, pools)}
    for source, pool in standing.of(Pool):
        if pool.uid in unallowed:
            yield Blame(
                id=source.id,
                field="spec.parent.namespace",
                message=f"pool {pool.parent} does not allow children of namespace "
                f"{pool.namespace}: write {pool.namespace} into its "
                "spec.allowedChildren.namespaces, or name another parent here",
                bars=True,
            )
        elif pool.parent is not None and not unallowed.isdisjoint(_path(pool.uid, parents)):
            # Without those above it would be in force with fewer limits than were written.
            yield Blame(
                id=source.id,
                field="spec.parent.name",
                message=f"pool {pool.parent} can't be in force, since it or one above it has a "
                "parent that does not allow it: mend that one, or name another parent here",
                bars=True,
            )


def _is_allowed(pool: Pool, pools: Mapping[PoolUid, Pool]) -> bool:
    above = pools.get(pool.parent) if pool.parent is not None else None
    return above is None or above.allows_children_of(pool.namespace)


def _cycles(standing: _Standing) -> Iterator[Blame]:
    parents = {pool.uid: pool.parent for _, pool in standing.of(Pool)}
    for source, pool in standing.of(Pool):
        path = _path(pool.uid, parents)
        if source.id in standing.fresh and parents.get(path[-1]) == pool.uid:
            circle = " -> ".join((*path, pool.uid))
            yield Blame(
                id=source.id,
                field="spec.parent.name",
                message=f"is its own ancestor, {circle}: take the parent out of one of them",
            )


def _deep_paths(standing: _Standing) -> Iterator[Blame]:
    owners = {pool.uid: source for source, pool in standing.of(Pool)}
    parents = {pool.uid: pool.parent for _, pool in standing.of(Pool)}
    for uid, source in owners.items():
        path = _path(uid, parents)
        in_circle = parents.get(path[-1]) in path
        if len(path) <= DEPTH_MAX or in_circle:
            continue
        # A pool that stays as it was is too deep only because a new one came in above it.
        new = [owners[one].id for one in path if owners[one].id in standing.fresh]
        blamed = [source.id] if source.id in new else new
        for id_ in blamed:
            yield Blame(
                id=id_,
                field="spec.parent.name",
                message=f"makes {uid} the {len(path)}th of a path of pools, {' -> '.join(path)}: "
                f"at most {DEPTH_MAX} may be above one another",
            )


def _path(uid: PoolUid, parents: Mapping[PoolUid, PoolUid | None]) -> tuple[PoolUid, ...]:
    """A pool and its ancestors that exist, each once even when they go round in a circle."""
    path: dict[PoolUid, None] = {}
    at: PoolUid | None = uid
    while at is not None and at in parents and at not in path:
        path[at] = None
        at = parents[at]
    return tuple(path)


# Tiers.


def _ranks_twice(standing: _Standing) -> Iterator[Blame]:
    claims = ((source, "spec.rank", f"rank {tier.rank}") for source, tier in standing.of(Tier))
    return _claimed_twice(claims, "write another rank")


def _models_twice(standing: _Standing) -> Iterator[Blame]:
    claims = (
        (source, f"spec.models[{index}].name", f"the model name {model.name}")
        for source, tier in standing.of(Tier)
        for index, model in enumerate(tier.models)
    )
    return _claimed_twice(claims, 'write another name, and the provider\'s own name into "model"')


# Tasks.


def _missing_tiers(standing: _Standing) -> Iterator[Blame]:
    tiers = {tier.name for _, tier in standing.of(Tier)}
    for source, task in standing.of(TaskProfile):
        for name, tier in _tiers_named(task):
            if tier and tier not in tiers:
                yield Blame(
                    id=source.id,
                    field=f"spec.{name}",
                    message=f"there is no ModelTier {tier} in force: {did_you_mean(tier, tiers)}",
                )


def _missing_models(standing: _Standing) -> Iterator[Blame]:
    """Gates that ask a model which no tier has."""
    models = {
        name
        for _, tier in standing.of(Tier)
        for model in tier.models
        for name in (model.name, model.upstream_name)
    }
    for source, task in standing.of(TaskProfile):
        for index, gate in enumerate(task.gates):
            if gate.model and gate.model not in models:
                yield Blame(
                    id=source.id,
                    field=f"spec.gates[{index}].model",
                    message=f"no ModelTier in force has a model {gate.model}: "
                    f"{did_you_mean(gate.model, models)}",
                )


def _tiers_named(task: TaskProfile) -> tuple[tuple[str, str], ...]:
    return (
        ("defaultTier", task.default_tier),
        ("floorTier", task.floor_tier),
        ("ceilingTier", task.ceiling_tier),
    )


def _crossed_tiers(standing: _Standing) -> Iterator[Blame]:
    ranks = {tier.name: tier.rank for _, tier in standing.of(Tier)}
    for source, task in standing.of(TaskProfile):
        for lower, upper in (
            ("floorTier", "ceilingTier"),
            ("floorTier", "defaultTier"),
            ("defaultTier", "ceilingTier"),
        ):
            named = dict(_tiers_named(task))
            low, high = named[lower], named[upper]
            if low in ranks and high in ranks and ranks[low] > ranks[high]:
                yield Blame(
                    id=source.id,
                    field=f"spec.{upper}",
                    message=f"is {high} of rank {ranks[high]}, below the {lower} {low} of rank "
                    f"{ranks[low]}: write a tier of at least that rank",
                )


def _marks_twice(standing: _Standing) -> Iterator[Blame]:
    claims = (
        (source, field, f"{what} {value} in namespace {source.id.namespace}")
        for source, task in standing.of(TaskProfile)
        for field, what, value in _marks(task)
    )
    return _claimed_twice(claims, "a call can be of one task only, write it in one place")


def _marks(task: TaskProfile) -> Iterator[tuple[str, str, str]]:
    """What a call of the task is known by: field, meaning, value."""
    match = task.match
    yield "metadata.name", "the task header value", task.name
    for field, what, values in (
        ("headerValues", "the task header value", match.header_values),
        ("paths", "the path", match.paths),
        ("modelAliases", "the model alias", match.aliases),
        ("systemFingerprints", "the fingerprint", match.system_fingerprints),
    ):
        for index, value in enumerate(values):
            if not (field == "headerValues" and value == task.name):
                yield f"spec.match.{field}[{index}]", what, value


# Routing policies.


def _policies_twice(standing: _Standing) -> Iterator[Blame]:
    claims = (
        (source, "metadata.name", f"the one RoutingPolicy of namespace {source.id.namespace}")
        for source, _ in standing.of(RoutingPolicy)
    )
    return _claimed_twice(claims, "keep one of them")


def _claimed_twice(claims: Iterable[tuple[Source, str, str]], advice: str) -> Iterator[Blame]:
    """Blame whoever claims what another has claimed before."""
    owners: dict[str, tuple[Source, str]] = {}
    for source, field, claim in claims:
        if claim in owners:
            owner, first = owners[claim]
            yield Blame(
                id=source.id,
                field=field,
                message=f"{claim} is taken by {owner.id} "
                f"({owner.file}:{owner.line_of(first)}): {advice}",
            )
        else:
            owners[claim] = (source, field)
