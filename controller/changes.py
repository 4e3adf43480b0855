"""Other resources come into force, or an override ends: what is lent is looked at again.

The one rule: a limit that falls below what is committed makes nothing undone; nothing more is lent,
and what lies idle is asked back until it fits. This module must not know where resources come from.
"""

from dataclasses import replace

from controller.agenda import HolderLost
from controller.closing import close_if_done
from controller.events import Draft
from controller.grants import reconsider
from controller.levels import before_change, put_level
from controller.policies import push_policies
from controller.recalls import recover_excess
from controller.restoring import count_by_pool
from controller.world import Cell, World
from farebox.core.budgets import PoolUid, with_reserves
from farebox.manifests.resources import Resources


def change_resources(world: World, draft: Draft, resources: Resources) -> None:
    """Put other resources in force."""
    before, after = world.pools, with_reserves(resources.pools)
    changed = {uid for uid in before.keys() | after.keys() if before.get(uid) != after.get(uid)}
    world.generation += 1
    _keep_levels(world, draft, changed)
    world.adopt(resources)
    for cell in _cells_of(world, changed):
        count_by_pool(world, cell)
    reassess(world, draft, changed)
    for holder in world.holders.values():
        if holder.frozen:
            world.agenda.add(draft.now, HolderLost(holder.uid))
    push_policies(world, draft, world.holders.values())


def reassess(world: World, draft: Draft, changed: set[PoolUid]) -> None:
    """Ask back what is lent beyond the limits of some pools, and serve who waits for them."""
    for cell in _cells_of(world, changed):
        recover_excess(world, draft, cell)
        if world.pool_of(cell.lease.charge) is None:
            for entry in tuple(cell.entries.values()):
                close_if_done(world, draft, entry)
    for charge in tuple(world.waiting):
        if charge.pool in changed:
            reconsider(world, draft, charge)


def _keep_levels(world: World, draft: Draft, changed: set[PoolUid]) -> None:
    """Let flow into each bucket what flowed by the old rate; while a pool is gone, nothing does."""
    for charge, kept in tuple(world.buckets.items()):
        if charge.pool not in changed:
            continue
        cell = next(iter(world.cells_of.get(charge, {}).values()), None)
        level = before_change(world, cell) if cell is not None else None
        bucket = level.bucket if level is not None else replace(kept, at=world.now)
        put_level(world, draft, charge, bucket)


def _cells_of(world: World, changed: set[PoolUid]) -> list[Cell]:
    return [cell for cell in world.cells.values() if cell.lease.charge.pool in changed]
