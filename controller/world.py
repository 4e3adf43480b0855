"""All that the controller knows, in memory: leases, holders, wants, resources.

It is the ledger's content plus what only lives as long as a stream (who is connected, what is
wanted, who was asked to give back). The one rule: what `allocate` reads of a lease is derived here,
by `refresh`, after every change, together with the sums over its cell. This module must not know
messages, why anything changes, or the store.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.agenda import Agenda, HolderSilent, LimitChanges, WindowEnds, WindowNears
from controller.brought import Brought
from controller.store.protocol import PutAccount
from controller.terms import Terms
from farebox.core.allocation import Account, Sums
from farebox.core.bucket import Bucket
from farebox.core.budgets import Charge, Per, Pool, PoolUid, by_namespace, with_reserves
from farebox.core.instant import BootMs, DurationMs, UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.manifests.resources import Resources
from farebox.wire.messages import Want, Workload

LEASES_PER_POD_MAX: Final = 16_384
"""So many one Hello can name; a pod's keys are made up by whoever calls."""


@dataclass(slots=True, kw_only=True)
class Recall:
    """A holder, having returned `returned`, was asked for `amount`; others wait until `until`."""

    amount: Nanos
    returned: Nanos
    until: UtcMs


@dataclass(slots=True, kw_only=True)
class Entry:
    """One holder's open lease, in the cell named `home`.

    `known` is the total granted that the holder has confirmed, so `granted - known` is on its way.
    `finished`: the holder said that it is done with this lease. `rests_until`: it gave nothing when
    it was last asked, and is left alone until then. `idle_since`: nothing of it is lent or held any
    more, though its window goes on for ever. `watched`: the agenda has a reminder of that.
    """

    lease: LeaseId
    home: LeaseId
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
    idle_since: UtcMs | None = None
    watched: bool = False

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

    The leases of a window that never ends all stand in one cell, whatever their numbers;
    `next_number` is the lowest that no closed one had. `counts_until`: until when the money counts
    against the limit. `accounts` is what allocation reads. What it adds up to is kept: `sums`, and
    `outstanding`, what is lent and not spent. `closed_for`: whose lease this process has closed
    here, and what it had spent.
    """

    lease: LeaseId
    window_ends: UtcMs | None
    counts_until: UtcMs | None = None
    next_number: int = 0
    closed_spent: Nanos = ZERO
    sums: Sums = field(default_factory=Sums)
    outstanding: Nanos = ZERO
    entries: dict[str, Entry] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    closed_for: dict[str, Nanos] = field(default_factory=dict)

    @property
    def committed(self) -> Nanos:
        """The most that all leases of this window can cost."""
        return Nanos(self.closed_spent + self.sums.committed)

    @property
    def settled(self) -> Nanos:
        """What is known to be spent."""
        return Nanos(self.closed_spent + self.sums.spent)

    @property
    def starts(self) -> UtcMs:
        """When the window starts; its number says so, except of one that never ends."""
        return UtcMs(0 if self.window_ends is None else self.lease.window)

    def over_at(self, now: UtcMs) -> bool:
        """Whether the window has ended."""
        return self.window_ends is not None and now >= self.window_ends

    def counts_at(self, now: UtcMs) -> bool:
        """Whether the money of the window still counts against the limit of a later one."""
        return self.counts_until is None or now < self.counts_until

    def raise_closed(self, spent: Nanos) -> None:
        """Count money that a closed lease has spent."""
        self.closed_spent = Nanos(self.closed_spent + spent)

    def exchange(self, before: Account | None, after: Account | None) -> None:
        """Keep the sums when one account becomes another."""
        self.sums = self.sums.exchanged(before, after)
        for sign, account in ((-1, before), (1, after)):
            if account is not None:
                self.outstanding = Nanos(self.outstanding + sign * outstanding(account))


def outstanding(account: Account) -> Nanos:
    """What is lent and not known to be spent."""
    return Nanos(max(0, account.granted - account.returned - account.spent))


@dataclass(slots=True, kw_only=True)
class Holder:
    """One incarnation of a sidecar.

    `stream` is None while it is away, since `away_since` or before this controller. `boot_ms` is
    its clock in its last message, which came at `heard_at` (0: not to this controller) and lets it
    spend for `ttl`; by that clock it spends until `spends_until` at the latest,
    by the one here until `deadline`; who has not been heard since a restart may have been told a
    longer time, but none beyond `spends_at_most`. `seq`: the
    number of its last report on this stream.
    `frozen`: it is silent past `deadline`, or a copy of its journal has turned up. `watched`: the
    agenda has a reminder of its deadline. `poisoned`: money of it was written off, so it is never
    accepted again.
    """

    uid: str
    boot_seq: int
    workload: Workload
    deadline: UtcMs
    stream: int | None = None
    away_since: UtcMs = UtcMs(0)
    boot_ms: BootMs = BootMs(0)
    heard_at: UtcMs = UtcMs(0)
    ttl: DurationMs = DurationMs(0)
    spends_until: BootMs = BootMs(0)
    spends_at_most: UtcMs = UtcMs(0)
    seq: int | None = None
    frozen: bool = False
    watched: bool = False
    poisoned: bool = False
    leases: dict[LeaseId, Entry] = field(default_factory=dict)
    wants: set[Charge] = field(default_factory=set)
    policy: Policy | None = None


@dataclass(slots=True, kw_only=True)
class Waiter:
    """What a holder in the line of a (sub-)pool wants, and since when.

    `reserves`: what comes free is kept for it once it is the first. `passed`: it was the first for
    as long as that may last, and others went past it.
    """

    want: Want
    since: UtcMs
    reserves: bool = False
    passed: bool = False


@dataclass(slots=True, kw_only=True)
class World:
    """Everything, with the indices that keep one demand as cheap as its pool has holders.

    `now` is the instant of the step under way. `pools` are those of the resources and the ones that
    keep their reserves free, `pools_in` the same by namespace. `buckets` holds what token buckets
    could lend when it last changed.
    `nearing`: the cells whose windows end soon. `flows`: when who waits for a bucket looks again.
    `brought`: what pods have told of that the ledger did not know. `leases_of_pods`: how many each
    known pod has, by its uid.
    """

    epoch: int
    terms: Terms
    resources: Resources
    now: UtcMs
    generation: int = 1
    pools: Mapping[PoolUid, Pool] = field(default_factory=dict)
    pools_in: Mapping[str, tuple[Pool, ...]] = field(default_factory=dict)
    cells: dict[LeaseId, Cell] = field(default_factory=dict)
    cells_of: dict[Charge, dict[LeaseId, Cell]] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    streams: dict[int, str] = field(default_factory=dict)
    waiting: dict[Charge, dict[str, Waiter]] = field(default_factory=dict)
    buckets: dict[Charge, Bucket] = field(default_factory=dict)
    nearing: set[LeaseId] = field(default_factory=set)
    flows: dict[Charge, UtcMs] = field(default_factory=dict)
    brought: Brought = field(default_factory=Brought)
    leases_of_pods: Counter[str] = field(default_factory=Counter)
    agenda: Agenda = field(default_factory=Agenda)

    @property
    def nearing_for(self) -> DurationMs:
        """So long before a window ends, its holders get money of the next one: two heartbeats."""
        return DurationMs(2 * self.terms.beat(len(self.streams)).heartbeat)

    def adopt(self, resources: Resources) -> None:
        """Put resources in force."""
        self.resources = resources
        self.pools = with_reserves(resources.pools)
        self.pools_in = by_namespace(self.pools.values())
        for pool in self.pools.values():
            if pool.override is not None and pool.override.until > self.now:
                self.agenda.add(pool.override.until, LimitChanges(pool.uid))

    def pool_of(self, charge: Charge) -> Pool | None:
        """The pool that a charge draws on; None when there is none or the key is not its kind.

        A key for a pool that has none would open a second limit beside the one that is meant.
        """
        pool = self.pools.get(charge.pool)
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

    def cell(
        self, lease: LeaseId, window_ends: UtcMs | None, counts_until: UtcMs | None = None
    ) -> Cell:
        """The cell of a lease, new if need be. Its end only moves later, with its pool's window.

        `counts_until` is that of a new cell of a window that ends; its end unless said otherwise.
        """
        cell = self.cells.get(lease)
        if cell is None:
            cell = Cell(lease=lease, window_ends=window_ends, counts_until=window_ends)
            self.cells[lease] = cell
            self.cells_of.setdefault(lease.charge, {})[lease] = cell
        elif cell.window_ends == window_ends or not _is_later(window_ends, cell.window_ends):
            return cell
        cell.window_ends = window_ends
        cell.counts_until = counts_until if counts_until is not None else window_ends
        if window_ends is not None:
            self.agenda.add(window_ends, WindowEnds(lease))
            self.agenda.add(UtcMs(window_ends - self.nearing_for), WindowNears(lease))
        return cell

    def remove_cell(self, cell: Cell) -> None:
        """Know nothing of a window any more."""
        del self.cells[cell.lease]
        self.nearing.discard(cell.lease)
        siblings = self.cells_of[cell.lease.charge]
        del siblings[cell.lease]
        if not siblings:
            del self.cells_of[cell.lease.charge]

    def counted(self, charge: Charge) -> Iterator[Cell]:
        """The cells of a (sub-)pool whose money counts now."""
        return (cell for cell in self.cells_of.get(charge, {}).values() if cell.counts_at(self.now))

    def add_entry(self, cell: Cell, entry: Entry) -> None:
        """Open a lease."""
        holder = self.holders[entry.holder]
        cell.entries[entry.holder] = entry
        holder.leases[entry.lease] = entry
        if holder.workload.uid:
            self.leases_of_pods[holder.workload.uid] += 1
        self.refresh(entry)

    def remove_entry(self, entry: Entry) -> None:
        """Take a lease out, without counting what it spent."""
        cell = self.cells[entry.home]
        del cell.entries[entry.holder]
        cell.exchange(cell.accounts.pop(entry.holder), None)
        holder = self.holders[entry.holder]
        del holder.leases[entry.lease]
        if holder.workload.uid:
            self._count_out(holder.workload.uid)

    def _count_out(self, pod: str) -> None:
        self.leases_of_pods[pod] -= 1
        if not self.leases_of_pods[pod]:
            del self.leases_of_pods[pod]

    def may_have_more(self, holder: Holder, *, ahead: bool = False) -> bool:
        """Whether a holder, or all of a known pod together, may be lent of one more window.

        What is lent `ahead` leaves half of the room to what is wanted now.
        """
        pod, most = holder.workload.uid, LEASES_PER_POD_MAX // (2 if ahead else 1)
        return (self.leases_of_pods[pod] if pod else len(holder.leases)) < most

    def refresh(self, entry: Entry) -> None:
        """Derive again what allocation reads of a lease."""
        cell = self.cells[entry.home]
        holder = self.holders[entry.holder]
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
        cell.exchange(cell.accounts.get(entry.holder), after)
        cell.accounts[entry.holder] = after

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
