"""The world as the ledger has it, at the start of a controller.

The one rule: nothing is believed of a holder but what is kept; each may have reported just before
the restart, so none is silent before a whole time to live, and none is lost before the longest that
any report is worth. This module must not know streams or messages.
"""

from controller.agenda import HolderForgotten
from controller.store.protocol import PutAccount, Snapshot
from controller.terms import Terms
from controller.world import Cell, Entry, Holder, World
from farebox.core.bucket import Bucket
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.windows import WindowType
from farebox.manifests.resources import Resources
from farebox.wire.messages import Workload


def restore(snapshot: Snapshot, *, terms: Terms, resources: Resources, now: UtcMs) -> World:
    """The world as the ledger has it. No holder is connected yet."""
    world = World(epoch=snapshot.epoch, terms=terms, resources=resources, now=now)
    world.adopt(resources)
    _restore_holders(world, snapshot)
    for total in snapshot.closed:
        cell = world.cell(total.lease, total.window_ends)
        cell.raise_closed(total.spent)
        if total.window_ends is None:
            cell.next_number = total.last + 1
    for account in snapshot.accounts:
        _restore_account(world, account)
    for row in snapshot.buckets:
        world.buckets[row.charge] = Bucket(level=row.level, at=row.at)
    for cell in world.cells.values():
        count_by_pool(world, cell)
    return world


def count_by_pool(world: World, cell: Cell) -> None:
    """Let the money of a window count for as long as its pool says now; longer when in doubt."""
    pool = world.pool_of(cell.lease.charge)
    if pool is None or cell.window_ends is None:
        return
    period = pool.window.period
    if pool.window.type is WindowType.SLIDING and isinstance(period, int):
        cell.counts_until = UtcMs(cell.window_ends + period)
    else:
        cell.counts_until = cell.window_ends


def _restore_holders(world: World, snapshot: Snapshot) -> None:
    terms = world.terms
    deadline = UtcMs(world.now + terms.beat(len(snapshot.holders)).ttl)
    for row in snapshot.holders:
        world.add_holder(
            Holder(uid=row.holder, boot_seq=row.boot_seq, workload=row.workload, deadline=deadline)
        )
    for uid in snapshot.poisoned:
        if uid not in world.holders:
            nobody = Workload(namespace="", name="")
            world.add_holder(Holder(uid=uid, boot_seq=0, workload=nobody, deadline=deadline))
        world.holders[uid].poisoned = True
        world.agenda.add(UtcMs(world.now + terms.forget_after), HolderForgotten(uid))
    for holder in world.holders.values():
        holder.spends_at_most = UtcMs(world.now + terms.ttl_max)


def _restore_account(world: World, row: PutAccount) -> None:
    home = row.lease if row.window_ends is not None else LeaseId(row.lease.charge, 0)
    entry = Entry(
        lease=row.lease,
        home=home,
        holder=row.holder,
        granted=row.granted,
        returned=row.returned,
        spent=row.spent,
        state=row.state,
    )
    world.add_entry(world.cell(home, row.window_ends), entry)
