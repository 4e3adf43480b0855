"""What must hold in every state of the small world.

I1 no more is committed than the limit, unless it fell; I2 no holder spends or holds more than it
has; I3, I4, I5 no holder has more, has returned less or spent less than the ledger believes; I6 no
provider may have billed more than the limit; I12 the sums kept are the sums made anew, and what the
engine knows is what the ledger keeps. Each function returns a sentence, "" when all is well. This
module must not know how a state came about.
"""

from collections.abc import Iterable, Mapping

from farebox.core.budgets import PoolUid
from farebox.core.leases import LeaseId
from tests.model.controllers import SmallController
from tests.model.sidecars import SmallSidecar

Committed = Mapping[LeaseId, int]


def committed_in(controller: SmallController) -> dict[LeaseId, int]:
    """The most that each lease's pool can cost in its window, by the ledger alone."""
    tables = controller.tables
    sums = {lease: int(total.spent) for lease, total in tables.closed.items()}
    for (lease, _), row in tables.accounts.items():
        most = max(row.granted - row.returned, row.spent)
        sums[lease] = sums.get(lease, 0) + most
    return sums


def limits_kept(before: Committed, after: Committed, limits: Mapping[PoolUid, int]) -> str:
    """I1, for one step of the controller."""
    for lease, sum_now in after.items():
        limit = limits.get(lease.charge.pool, 0)
        if sum_now > max(limit, before.get(lease, 0)):
            return f"I1: {sum_now} committed of {_name(lease)}, whose limit is {limit}"
    return ""


def books_agree(controller: SmallController) -> str:
    """I12."""
    world, tables = controller.engine.world, controller.tables
    for lease, cell in world.cells.items():
        made = cell.closed_spent + sum(one.committed for one in cell.accounts.values())
        if made != cell.committed:
            return f"I12: {_name(lease)} keeps {cell.committed} as its sum, which is {made}"
        closed = tables.closed.get(lease)
        if cell.closed_spent != (closed.spent if closed else 0):
            return f"I12: the ledger's closed total of {_name(lease)} is another"
    known = {
        (entry.lease, entry.holder): (entry.granted, entry.returned, entry.spent)
        for cell in world.cells.values()
        for entry in cell.entries.values()
    }
    kept = {key: (row.granted, row.returned, row.spent) for key, row in tables.accounts.items()}
    return "" if known == kept else f"I12: the engine knows {known}, the ledger keeps {kept}"


def purse_is_sound(sidecar: SmallSidecar) -> str:
    """I2, and that the journal says what the purse has."""
    leases = {lease.id: lease for lease in sidecar.purse.leases()}
    for lease in leases.values():
        if lease.spent + lease.reserved > lease.granted - lease.returned:
            return f"I2: {_holder(sidecar)} has more spent and held than it has: {lease}"
    if leases != sidecar.journal.leases:
        return f"the journal of {_holder(sidecar)} says {sidecar.journal.leases}, not {leases}"
    return ""


def holder_is_known(controller: SmallController, sidecar: SmallSidecar) -> str:
    """I3, I4, I5: what the ledger believes of a holder is on the safe side."""
    tables, uid = controller.tables, sidecar.purse.holder
    journal = sidecar.journal.leases
    for lease in journal.values():
        row = tables.accounts.get((lease.id, uid))
        if row is not None and lease.granted > row.granted:
            return f"I3: {uid} was lent {lease.granted} of {_name(lease.id)}, not {row.granted}"
        if row is None and lease.id in tables.closed and lease.headroom + lease.reserved:
            return f"I3: {uid} can spend of {_name(lease.id)}, which is closed"
    for (lease_id, holder), row in tables.accounts.items():
        if holder != uid:
            continue
        lease_now = journal.get(lease_id)
        returned, spent = (lease_now.returned, lease_now.spent) if lease_now else (0, 0)
        if row.returned > returned:
            return f"I4: {uid} has returned {returned} of {_name(lease_id)}, not {row.returned}"
        if row.spent > spent:
            return f"I5: {uid} has spent {spent} of {_name(lease_id)}, not {row.spent}"
    return ""


def bills_fit(sidecars: Iterable[SmallSidecar], limits: Mapping[PoolUid, int]) -> str:
    """I6: the most that providers may have billed, over all holders there ever were."""
    sums: dict[LeaseId, int] = {}
    for sidecar in sidecars:
        for lease, billed in sidecar.billed.items():
            sums[lease] = sums.get(lease, 0) + billed
    for lease, billed in sums.items():
        limit = limits[lease.charge.pool]
        if billed > limit:
            return f"I6: {billed} billed of {_name(lease)}, whose limit is {limit}"
    return ""


def _name(lease: LeaseId) -> str:
    return f"{lease.charge.pool}@{lease.window}" if lease.window else str(lease.charge.pool)


def _holder(sidecar: SmallSidecar) -> str:
    return str(sidecar.purse.holder)
