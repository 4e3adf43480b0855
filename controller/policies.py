"""Which policy a sidecar gets.

The one rule: a policy follows from the resources and the workload alone, and is pushed when it
differs from the last one pushed. Where a limit is written that can't be enforced, none is pushed.
This module must not know leases.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller.events import Draft
from controller.world import Holder, World
from farebox.core.budgets import Pool, PoolUid, pools_of_pod, with_reserves
from farebox.core.policy import Policy
from farebox.core.tasks import RoutingPolicy
from farebox.manifests.resources import Resources
from farebox.wire.messages import PolicyPush, Workload


def policy_of(
    resources: Resources,
    workload: Workload,
    *,
    generation: int,
    pools: Mapping[PoolUid, Pool] | None = None,
    own: Iterable[Pool] | None = None,
) -> Policy:
    """Pools of the pod (leaves first), and tiers, tasks and routing of its namespace.

    `pools` are those of the resources `with_reserves`, and `own` those of them that are in its
    namespace, where these are at hand.
    """
    namespace = workload.namespace
    return Policy(
        generation=generation,
        pools=pools_of_pod(
            with_reserves(resources.pools) if pools is None else pools,
            namespace=namespace,
            labels=workload.labels,
            own=own,
        ),
        catalogue=resources.catalogue,
        tasks=resources.tasks.get(namespace, ()),
        routing=resources.routing.get(namespace, RoutingPolicy()),
    )


def push_policies(world: World, draft: Draft, holders: Iterable[Holder]) -> None:
    """Send each connected holder its policy, unless it has it. Equal workloads share the work."""
    made: dict[tuple[str, frozenset[tuple[str, str]]], Policy] = {}
    for holder in holders:
        if holder.stream is None or world.resources.is_closed(holder.workload.namespace):
            # A sidecar that has a policy keeps it; one that has none refuses every call.
            continue
        kind = (holder.workload.namespace, frozenset(holder.workload.labels.items()))
        if kind not in made:
            made[kind] = policy_of(
                world.resources,
                holder.workload,
                generation=world.generation,
                pools=world.pools,
                own=world.pools_in.get(holder.workload.namespace, ()),
            )
        _push(world, draft, holder, made[kind])


def _push(world: World, draft: Draft, holder: Holder, policy: Policy) -> None:
    last = holder.policy
    if last is not None and replace(last, generation=policy.generation) == policy:
        return
    holder.policy = policy
    draft.send(holder.stream, PolicyPush(epoch=world.epoch, policy=policy))
