"""All that the controller knows, in memory: leases, holders, wants, resources.

It is the ledger's content plus what only lives as long as a stream (who is connected, what is
wanted, who was asked to give back). The one rule: what `allocate` reads of a lease is derived here,
by `refresh`, after every change, together with the sum over its cell. This module must not know
messages, why anything changes, or the store.
"""

from dataclasses import dataclass, field

from controller.agenda import Agenda, HolderSilent, WindowEnds
from controller.store.protocol import PutAccount, Snapshot
from controller.terms import Terms
from farebox.core.allocation import Account, PoolState
from farebox.core.budgets import Charge, Per, Pool
from farebox.core.instant import BootMs, UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.manifests.resources import Resources
from farebox.wire.messages import Want, Workload


@dataclass(slots=True, kw_only=True)
class Recall:
    """A holder, having returned `returned`, was asked for `amount`; others wait until `until`."""

    amount: Nanos
    returned: Nanos
    until: UtcMs


@dataclass(slots=True, kw_only=True)
class Entry:
    """One holder's open lease.

    `known` is the total granted that the holder has confirmed, so `granted - known` is on its way.
    `finished`: the holder said that it is done with this lease. `rests_until`: it gave nothing when
    it was last asked, and is left alone until then.
    """

    lease: LeaseId
    holder: str
    granted: Nanos = ZERO
    returned: Nanos = ZERO
    spent: Nanos = ZERO
    reserved: Nanos = ZERO
    state: LeaseState = LeaseState.GRANTED
    known: Nanos = ZERO
    finished: bool = False
    recall: Recall | None = None
    rests_until: UtcMs | None = None

    @property
    def unspent(self) -> Nanos:
        """What is lent and not known to be spent, held or not."""
        return Nanos(max(0, self.granted - self.returned - self.spent))

    @property
    def idle(self) -> Nanos:
        """What the holder had free when it last reported."""
        return Nanos(max(0, self.unspent - self.reserved))


@dataclass(slots=True, kw_only=True)
class Cell:
    """A (sub-)pool in one window: what its closed leases spent, and the open ones by holder.

    `accounts` is what allocation reads; `committed` is kept equal to the sum over it plus
    `closed_spent`. `closed_for`: whose lease this process has closed here, and what it had spent.
    """

    lease: LeaseId
    window_ends: UtcMs | None
    closed_spent: Nanos = ZERO
    committed: Nanos = ZERO
    entries: dict[str, Entry] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    closed_for: dict[str, Nanos] = field(default_factory=dict)

    def over_at(self, now: UtcMs) -> bool:
        """Whether the window has ended."""
        return self.window_ends is not None and now >= self.window_ends

    def state(self, pool: Pool) -> PoolState:
        """The cell as `allocate` wants it."""
        return PoolState(limit=pool.limit, closed_spent=self.closed_spent, accounts=self.accounts)

    def raise_closed(self, spent: Nanos) -> None:
        """Count money that a closed lease has spent."""
        self.closed_spent = Nanos(self.closed_spent + spent)
        self.committed = Nanos(self.committed + spent)


@dataclass(slots=True, kw_only=True)
class Holder:
    """One incarnation of a sidecar.

    `stream` is None while it is away. `boot_ms` is its clock in its last message, which came at
    `heard_at`. `frozen`: it is silent past `deadline`, or a copy of its journal has turned up.
    `watched`: the agenda has a reminder of its deadline.
    """

    uid: str
    boot_seq: int
    workload: Workload
    deadline: UtcMs
    stream: int | None = None
    boot_ms: BootMs = BootMs(0)
    heard_at: UtcMs = UtcMs(0)
    frozen: bool = False
    watched: bool = False
    leases: dict[LeaseId, Entry] = field(default_factory=dict)
    wants: set[Charge] = field(default_factory=set)
    policy: Policy | None = None


@dataclass(slots=True, kw_only=True)
class World:
    """Everything, with the indices that keep one demand as cheap as its pool has holders."""

    epoch: int
    terms: Terms
    resources: Resources
    generation: int = 1
    cells: dict[LeaseId, Cell] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    streams: dict[int, str] = field(default_factory=dict)
    waiting: dict[Charge, dict[str, Want]] = field(default_factory=dict)
    agenda: Agenda = field(default_factory=Agenda)

    def pool_of(self, charge: Charge) -> Pool | None:
        """The pool that a charge draws on; None when there is none or the key is not its kind.

        A key for a pool that has none would open a second limit beside the one that is meant.
        """
        pool = self.resources.pools.get(charge.pool)
        if pool is None or pool.per is Per.REQUEST or (pool.per is Per.SHARED) != (not charge.key):
            return None
        return pool

    def holder_on(self, stream: int) -> Holder | None:
        """Who speaks on a stream; None after it was refused or replaced."""
        uid = self.streams.get(stream)
        return None if uid is None else self.holders[uid]

    def add_holder(self, holder: Holder) -> None:
        """Know a holder from now on."""
        self.holders[holder.uid] = holder
        self.watch(holder)

    def watch(self, holder: Holder) -> None:
        """Have one reminder of a holder's deadline, however often it moves."""
        if not holder.watched:
            holder.watched = True
            self.agenda.add(holder.deadline, HolderSilent(holder.uid))

    def cell(self, lease: LeaseId, window_ends: UtcMs | None) -> Cell:
        """The cell of a lease, new if need be. Its end only moves later, with its pool's window."""
        cell = self.cells.get(lease)
        if cell is None:
            cell = self.cells[lease] = Cell(lease=lease, window_ends=window_ends)
        elif cell.window_ends == window_ends or not _is_later(window_ends, cell.window_ends):
            return cell
        cell.window_ends = window_ends
        if window_ends is not None:
            self.agenda.add(window_ends, WindowEnds(lease))
        return cell

    def add_entry(self, cell: Cell, entry: Entry) -> None:
        """Open a lease."""
        cell.entries[entry.holder] = entry
        self.holders[entry.holder].leases[entry.lease] = entry
        self.refresh(entry)

    def remove_entry(self, entry: Entry) -> None:
        """Take a lease out, without counting what it spent."""
        cell = self.cells[entry.lease]
        del cell.entries[entry.holder]
        account = cell.accounts.pop(entry.holder)
        cell.committed = Nanos(cell.committed - account.committed)
        del self.holders[entry.holder].leases[entry.lease]

    def refresh(self, entry: Entry) -> None:
        """Derive again what allocation reads of a lease."""
        cell = self.cells[entry.lease]
        holder = self.holders[entry.holder]
        before = cell.accounts.get(entry.holder)
        # Who is away, or gave nothing when asked, can't be asked: its free money counts as held.
        unreachable = holder.stream is None or entry.rests_until is not None
        after = Account(
            granted=entry.granted,
            returned=entry.returned,
            spent=entry.spent,
            reserved=max(entry.reserved, entry.unspent) if unreachable else entry.reserved,
            frozen=holder.frozen,
            recalled=entry.recall is not None,
        )
        cell.accounts[entry.holder] = after
        cell.committed = Nanos(
            cell.committed + after.committed - (before.committed if before else 0)
        )

    def refresh_all(self, holder: Holder) -> None:
        """Derive again all leases of a holder, after it came, left, froze or revived."""
        for entry in holder.leases.values():
            self.refresh(entry)

    def stop_waiting(self, holder: Holder, charge: Charge) -> None:
        """Drop one want."""
        holder.wants.discard(charge)
        line = self.waiting.get(charge)
        if line is not None:
            line.pop(holder.uid, None)
            if not line:
                del self.waiting[charge]


def _is_later(window_ends: UtcMs | None, than: UtcMs | None) -> bool:
    return window_ends is None or (than is not None and window_ends > than)


def restore(snapshot: Snapshot, *, terms: Terms, resources: Resources, now: UtcMs) -> World:
    """The world as the ledger has it. No holder is connected yet.

    Each may have reported just before the restart, so none is silent before a whole `ttl`.
    """
    world = World(epoch=snapshot.epoch, terms=terms, resources=resources)
    deadline = UtcMs(now + terms.ttl)
    for row in snapshot.holders:
        world.add_holder(
            Holder(uid=row.holder, boot_seq=row.boot_seq, workload=row.workload, deadline=deadline)
        )
    for total in snapshot.closed:
        world.cell(total.lease, total.window_ends).raise_closed(total.spent)
    for account in snapshot.accounts:
        _restore_account(world, account)
    return world


def _restore_account(world: World, row: PutAccount) -> None:
    cell = world.cell(row.lease, row.window_ends)
    entry = Entry(
        lease=row.lease,
        holder=row.holder,
        granted=row.granted,
        returned=row.returned,
        spent=row.spent,
        state=row.state,
    )
    world.add_entry(cell, entry)


def put(cell: Cell, entry: Entry) -> PutAccount:
    """The write that keeps a lease as it is now."""
    return PutAccount(
        lease=entry.lease,
        holder=entry.holder,
        granted=entry.granted,
        returned=entry.returned,
        spent=entry.spent,
        state=entry.state,
        window_ends=cell.window_ends,
    )
