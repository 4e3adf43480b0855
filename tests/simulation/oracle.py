"""The judge: sees all ledgers, journals and bills at once, and knows what must hold.

It keeps a ledger of its own from the writes that became durable, and what every journal says. Names
are those of the lease protocol's invariants. The one rule: a figure that judges is never taken from
what is judged. This module must not know how anything came about.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from farebox.core.budgets import Charge
from farebox.core.leases import Lease, LeaseId
from farebox.core.windows import WindowType
from farebox.wire.messages import Goodbye
from tests.simulation.bills import Bills
from tests.simulation.books import CellKept, Kept, Rules
from tests.simulation.changes import Change, LevelIs, RowGone, RowIs, TotalGone, TotalIs
from tests.simulation.provider import Attempt


class Violation(Exception):
    """An invariant does not hold: its name and what was seen."""


@dataclass(slots=True)
class Said:
    """What a holder's journal says of a lease now."""

    granted: int = 0
    returned: int = 0
    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """What a controller went by when it decided: the highest limits since, and its own time.

    `passing` are pools that were deleted or made meanwhile: it may have decided without them.
    `after` says when overrides end, and what the limits are then: what is lent ahead of a window
    goes by the limit that holds when it begins.
    """

    limits: Mapping[str, int]
    passing: frozenset[str]
    utc_ms: int
    epoch: int
    after: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def limit_of(self, home: LeaseId) -> int:
        """The limit that a cell is under."""
        pool = home.charge.pool
        limit = self.limits.get(pool, 0)
        ends, later = self.after.get(pool, (home.window + 1, 0))
        return max(limit, later) if home.window >= ends else limit


class Oracle:
    """Checks each commit, each change of a journal and each bill."""

    def __init__(
        self, rules: Rules, bills: Bills, *, ttl_s: float, overtaking: bool = False
    ) -> None:
        """`bills` is the provider's ledger as the judge adds it up.

        With `overtaking` messages a report may come after its lease was closed by a later one; of a
        window that ends, the ledger may then count the lease once more, which is too much and so
        the safe side.
        """
        self.again: defaultdict[LeaseId, int] = defaultdict(int)
        self.counted_again: set[tuple[LeaseId, str]] = set()
        self._overtaking = overtaking
        self.rules = rules
        self.bills = bills
        self.cells: defaultdict[LeaseId, CellKept] = defaultdict(CellKept)
        self._homes: defaultdict[Charge, dict[LeaseId, None]] = defaultdict(dict)
        self.durable: defaultdict[tuple[LeaseId, str], int] = defaultdict(int)
        self.said: defaultdict[tuple[LeaseId, str], Said] = defaultdict(Said)
        self.heard: dict[str, float] = {}
        self.lost: set[str] = set()
        self.passed: defaultdict[tuple[LeaseId, str], int] = defaultdict(int)
        self._passed_at: defaultdict[LeaseId, int] = defaultdict(int)
        self.epoch = 0
        self.commits = self.grants = self.closed = 0
        # A holder's clock may run 1 % slow, which is more than the terms allow for.
        self._ttl_s = ttl_s * 1.011

    # The durable ledger.

    def opened(self, epoch: int) -> None:
        """A controller has won the ledger: from now on nobody of an earlier epoch may commit."""
        if epoch <= self.epoch:
            raise Violation(f"I7: epoch {epoch} begins after epoch {self.epoch}")
        self.epoch = epoch

    def commit(self, changes: Sequence[Change], going: Going) -> None:
        """Changes have become durable together."""
        if not changes:
            return
        self.commits += 1
        if going.epoch < self.epoch:
            raise Violation(f"I7: epoch {going.epoch} commits after epoch {self.epoch}")
        self.epoch = going.epoch
        homes = {self.rules.home(change.lease): None for change in changes}
        for home in homes:
            self._homes[home.charge][home] = None
        before = {home: (self._lent(home, going), self.cells[home].closed) for home in homes}
        gone: defaultdict[LeaseId, list[tuple[RowGone, Kept]]] = defaultdict(list)
        forgotten = {
            self.rules.home(change.lease) for change in changes if isinstance(change, TotalGone)
        }
        for change in changes:
            home = self.rules.home(change.lease)
            self._take(self.cells[home], change, gone[home])
            self._check_window(change, going)
        self._check_levels(changes, going)
        for home, (lent, closed) in before.items():
            if home in forgotten:
                del self.cells[home]
                self._homes[home.charge].pop(home, None)
            else:
                self._check_closed(home, self.cells[home].closed - closed, gone[home])
                self._check_lent(home, lent, going)

    def _take(self, cell: CellKept, change: Change, gone: list[tuple[RowGone, Kept]]) -> None:
        match change:
            case RowIs():
                self._put(cell, change)
            case RowGone():
                kept = cell.drop((change.lease, change.holder)) or Kept()
                gone.append((change, kept))
            case TotalIs():
                cell.closed = change.spent
            case _:
                pass

    def _put(self, cell: CellKept, row: RowIs) -> None:
        at = row.lease, row.holder
        ends = self.rules.ends(row.lease) is not None
        twice = (self._overtaking and ends) or self.passed[at]
        if twice and at not in cell.open and self.durable[at]:
            self.again[self.rules.home(row.lease)] += row.granted - row.returned
            self.counted_again.add(at)
        kept = cell.open.get(at) or Kept()
        now = Kept(row.granted, row.returned, row.spent)
        said = self.said[at]
        if now.returned > said.returned and row.holder not in self.lost:
            raise Violation(
                f"I4: {row.lease} of {row.holder} counts {now.returned} n$ returned, "
                f"its journal {said.returned}"
            )
        if now.spent > said.spent and row.holder not in self.lost:
            raise Violation(
                f"I5: {row.lease} of {row.holder} counts {now.spent} n$ spent, "
                f"its journal {said.spent}"
            )
        self._must_grow(row.lease, row.holder, kept, now)
        self.grants += now.granted > kept.granted
        cell.put(at, now)
        self.durable[at] = max(self.durable[at], row.granted)

    def _check_window(self, change: Change, going: Going) -> None:
        """What is left of a deleted pool's windows is nobody's guess."""
        pool = change.lease.charge.pool
        if not isinstance(change, RowIs) or pool in going.passing or pool not in going.limits:
            return
        if not self.rules.is_window(change.lease, change.ends):
            raise Violation(f"I9: no window of the calendar is {change.lease} until {change.ends}")

    def _check_closed(self, home: LeaseId, rise: int, gone: Sequence[tuple[RowGone, Kept]]) -> None:
        """What closes takes with it at least what was spent or is held, at most what was lent.

        A call that passes a pool may be booked on a lease while that is closed: it needs none.
        """
        least = most = 0
        for row, kept in gone:
            said, passed = self.said[row.lease, row.holder], self.passed[row.lease, row.holder]
            used = said.spent + said.reserved
            least += kept.spent if row.holder in self.lost else max(kept.spent, used - passed)
            most += max(used, kept.granted - kept.returned, kept.spent)
            if passed and kept == Kept():
                # Told once more, by such a call or by an old message of one: it counts twice.
                most += passed
                self.again[home] += rise
        self.closed += len(gone)
        if not least <= rise <= most:
            raise Violation(
                f"I12: {rise} n$ join the closed total of {home}, it must be {least} to {most}: "
                f"{[row for row, _ in gone]}"
            )

    def _must_grow(self, lease: LeaseId, holder: str, kept: Kept, now: Kept) -> None:
        if now.granted < kept.granted or now.returned < kept.returned or now.spent < kept.spent:
            raise Violation(f"a counter of {lease} of {holder} falls: {kept} to {now}")

    def _lent(self, home: LeaseId, going: Going) -> int:
        """What counts against the limit that a cell is under, as its controller's clock has it."""
        return sum(
            self.rules.counted(home, self.cells[cell])
            for cell in self.rules.together(home, self._homes[home.charge], going.utc_ms)
        )

    def _check_lent(self, home: LeaseId, before: int, going: Going) -> None:
        limit = going.limit_of(home)
        lent = self._lent(home, going)
        beyond = self.beyond(home)
        if lent > limit + beyond and lent > before + beyond:
            raise Violation(
                f"I1: {home} is lent {lent} n$ after {before}, over a limit of {limit} n$ "
                f"(beyond it {beyond})"
            )

    def beyond(self, home: LeaseId) -> int:
        """What a cell may be over its limit by: what cost more than its hold, or passed it by."""
        return self.bills.overrun_of(home.charge) + self.again[home] + self._passed_at[home]

    def _check_levels(self, changes: Sequence[Change], going: Going) -> None:
        """I9 where it begins: what a bucket can lend and what is lent are together within it."""
        levels = {change.lease: change.level for change in changes if isinstance(change, LevelIs)}
        for home, level in levels.items():
            window, lent = self.rules.window(home.charge.pool), self.cells[home].outstanding
            size = going.limits.get(home.charge.pool)
            bucket = window is not None and window.type is WindowType.TOKEN_BUCKET
            # The level of a deleted pool stays as it is, and is cut when the pool is used again.
            if home.charge.pool in going.passing:
                continue
            if bucket and size is not None and level > max(0, size - lent):
                raise Violation(
                    f"I9: {home.charge} can lend {level} n$ beside {lent} n$ lent, of {size}"
                )

    # The journals.

    def restarted(self, holder: str, leases: Iterable[Lease]) -> None:
        """A process has opened a journal that says this."""
        if holder in self.lost:
            return
        found = {lease.id: lease for lease in leases}
        for cell in self.cells.values():
            for (lease_id, owner), kept in cell.open.items():
                lease = found.get(lease_id) or Lease(id=lease_id)
                if owner == holder and (kept.returned > lease.returned or kept.spent > lease.spent):
                    raise Violation(
                        f"I4: the ledger has heard more than the journal of {holder} says: "
                        f"{kept}, {lease}"
                    )

    def look(
        self, holder: str, leases: Iterable[Lease], *, overruns: bool, since: dict[LeaseId, Said]
    ) -> None:
        """A journal has changed. `since` is what this process has seen, and is brought up to it."""
        for lease in leases:
            seen = since.get(lease.id)
            if (
                seen is None
                or seen.spent != lease.spent
                or seen.reserved != lease.reserved
                or seen.granted != lease.granted
                or seen.returned != lease.returned
            ):
                self._look_at(holder, lease, overruns=overruns, seen=seen)
                said = Said(lease.granted, lease.returned, lease.spent, lease.reserved)
                since[lease.id] = self.said[lease.id, holder] = said

    def _look_at(self, holder: str, lease: Lease, *, overruns: bool, seen: Said | None) -> None:
        durable = self.durable[lease.id, holder]
        if lease.granted > durable:
            raise Violation(
                f"I3: {holder} was granted {lease.granted} n$ of {lease.id}, the ledger has "
                f"{durable}"
            )
        over = lease.spent + lease.reserved - (lease.granted - lease.returned)
        beyond = self.bills.overrun_of(lease.id.charge) if overruns else 0
        if over > beyond + self.passed[lease.id, holder]:
            raise Violation(f"I2: {holder} holds {over} n$ of {lease.id} more than it was lent")
        if seen is not None and (
            lease.returned < seen.returned
            or lease.spent < seen.spent
            or lease.granted < seen.granted
        ):
            raise Violation(f"a counter of {lease} falls in the journal of {holder}: was {seen}")

    def left(self, holder: str, word: Goodbye) -> None:
        """A holder's goodbye was answered: the ledger has all that it says."""
        for item in word.leases:
            kept = self.cells[self.rules.home(item.lease)].open.get((item.lease, holder))
            if kept is not None and (kept.returned < item.returned or kept.spent < item.spent):
                raise Violation(f"G1: the last word of {holder} was {item}, the ledger has {kept}")

    # The calls.

    def passes(self, attempt: Attempt, holder: str) -> None:
        """A call is booked on leases without the money, of pools that let it."""
        for lease in attempt.leases:
            if lease.charge in attempt.passed:
                most = max(attempt.worst, attempt.cost)
                self.passed[lease, holder] += most
                self._passed_at[self.rules.home(lease)] += most

    def dispatched(self, attempt: Attempt, now: float, *, late: bool) -> None:
        """A call leaves; `late`, its process was stopped after the last check."""
        heard = self.heard.get(attempt.sidecar, -1e9)
        checked = any(lease.charge not in attempt.passed for lease in attempt.leases)
        if not late and checked and now > heard + self._ttl_s:
            raise Violation(
                f"TTL: {attempt.sidecar} sends at {now:.3f} s, last heard at {heard:.3f} s"
            )

    def arrived(self, attempt: Attempt, utc_ms: int) -> None:
        """A call that left in time has come to the provider. Asked where all clocks are true."""
        for lease in attempt.leases:
            ends = self.rules.ends(lease)
            if ends is not None and utc_ms > ends:
                raise Violation(
                    f"I11: a call of {attempt.sidecar} arrives {utc_ms - ends} ms after the end of "
                    f"{lease}"
                )

    def billed(self, attempt: Attempt) -> None:
        """The provider has billed a call."""
        for lease in attempt.leases:
            found = self.bills.beyond_limit(lease, attempt)
            if found:
                raise Violation(f"I6: {found}")
            home = self.rules.home(lease)
            billed = self.bills.of(home)
            worst = self.cells[home].worst
            beyond = self.bills.overrun_of(lease.charge) + self.bills.passed_of(lease.charge)
            if billed > worst + beyond:
                raise Violation(f"I6: {billed} n$ billed on {home}, the ledger has {worst}")
