"""What a pod may draw on, where it is known which pod speaks.

The one rule: a pod asks for money of the pools of its policy alone, and nobody believes it that it
had money of a pool that its namespace can't reach. Where a sidecar says itself who it is, it may
say this too, and nothing is checked. This module must not know how much is asked or lent.
"""

from collections.abc import Iterable

from controller.denials import unknown_pool
from controller.events import Draft, StreamId
from controller.policies import push_policies
from controller.store.protocol import PutHolder
from controller.world import Holder, World
from farebox.core.budgets import Charge, Pool, PoolUid, normal_uid, path_of, pools_of_pod
from farebox.wire.messages import Want, Workload


def change_workload(world: World, draft: Draft, stream: StreamId, workload: Workload) -> None:
    """The pod of a stream has changed: keep that, and have its sidecar work by other rules."""
    holder = world.holder_on(stream)
    if holder is None or holder.workload == workload:
        return
    holder.workload = workload
    draft.writes.append(PutHolder(holder=holder.uid, boot_seq=holder.boot_seq, workload=workload))
    push_policies(world, draft, (holder,))
    for charge in tuple(holder.wants):
        if not draws_on(world, holder, charge):
            world.stop_waiting(holder, charge)


def own_wants(
    world: World, draft: Draft, holder: Holder, wants: Iterable[Want]
) -> tuple[Want, ...]:
    """The wants that a holder may have; of others it hears that there is no such pool."""
    own = []
    for want in wants:
        if draws_on(world, holder, want.charge):
            own.append(want)
        else:
            draft.send(holder.stream, unknown_pool(world, want.charge))
    return tuple(own)


def draws_on(world: World, holder: Holder, charge: Charge) -> bool:
    """Whether a holder may be lent money of a (sub-)pool: it is one of its policy."""
    if not holder.workload.uid:
        return True
    return any(pool.uid == charge.pool for pool in pools_of(world, holder))


def pools_of(world: World, holder: Holder) -> tuple[Pool, ...]:
    """The pools that a holder's calls draw on."""
    workload, policy = holder.workload, holder.policy
    if policy is not None and not world.resources.is_closed(workload.namespace):
        return policy.pools
    # None was pushed, for its resources can't be enforced; the one that it has from before may
    # name a parent that does not allow it any more.
    return pools_of_pod(
        world.pools,
        namespace=workload.namespace,
        labels=workload.labels,
        own=world.pools_in.get(workload.namespace, ()),
    )


def within_reach(world: World, workload: Workload) -> frozenset[PoolUid]:
    """The pools that a pod can have had money of, whatever its labels were: by its namespace."""
    found: set[PoolUid] = set()
    for pool in world.pools_in.get(workload.namespace, ()):
        if pool.uid not in found:
            for member in path_of(world.pools, pool.uid):
                found |= {member.uid, normal_uid(member.uid)}
    return frozenset(found)
