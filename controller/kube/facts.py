"""What is true of each pool's money now, gathered from the world for its status.

The one rule: the figures are those that denials name (`controller/status.py`), and a pool is
exhausted exactly where the engine would say so to a call like those that wait, or the last that
did. This module changes nothing, and must not know how a status is written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from controller.denials import softened
from controller.kube.needs import NEEDS_MAX, Needs, Windows, new_cell
from controller.limits import back_at, limit_of
from controller.status import PoolFigures, figures_of
from controller.world import Cell, World
from farebox.core.allocation import Sums
from farebox.core.budgets import Charge, Mode, Per, Pool, PoolUid, normal_uid, path_of
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from farebox.core.windows import Window, WindowType


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """A pool in its current window. Money is summed over the sub-pools of a pool that is split.

    `limit` is that of each sub-pool, `headroom` that of the one with the least. `starts` is None
    where the window has no beginning, `ends` where it never ends. `sub_pools` is None for a pool
    that is not split. `over` is what the worst (sub-)pool is committed beyond its limit, and
    `overs` how many are. `exhausted`: how many (sub-)pools have no money for `need`, which the
    smallest call lacked that was turned away (0: not even 1 n$ is left), and has it again at
    `back` (None: not by itself). `only_reserve`: calls that may not use the reserve have none.
    `above`: the title of an exhausted pool above. `frozen` and `lost`: holders that are silent, and
    what they have of the pool.
    """

    pool: Pool
    limit: Nanos
    spent: Nanos = ZERO
    held: Nanos = ZERO
    leased: Nanos = ZERO
    headroom: Nanos = ZERO
    holders: int = 0
    sub_pools: int | None = None
    starts: UtcMs | None = None
    ends: UtcMs | None = None
    over: Nanos = ZERO
    overs: int = 0
    exhausted: int = 0
    need: Nanos = ZERO
    back: UtcMs | None = None
    only_reserve: bool = False
    above: str = ""
    frozen: int = 0
    lost: Nanos = ZERO


class Facts:
    """The facts of every pool, look by look; what did not move since the last is not made anew."""

    def __init__(self, *, needs_max: int = NEEDS_MAX) -> None:
        """`needs_max`: of so many (sub-)pools it is remembered what calls lacked."""
        self.windows = Windows()
        self.needs = Needs(self.windows, needs_max=needs_max)
        self._known: dict[PoolUid, _Known] = {}

    def of(self, world: World) -> dict[PoolUid, PoolFacts]:
        """The facts of every pool of which money is lent, by its uid."""
        found: dict[PoolUid, PoolFacts] = {}
        for _ in self.steps(world, found):
            pass
        return found

    def steps(self, world: World, found: dict[PoolUid, PoolFacts]) -> Iterator[None]:
        """Fill in `found`, one pool a step: between two steps the world may move on."""
        self.needs.look(world)
        pools, keyed = world.pools, _keyed_charges(world)
        facts: dict[PoolUid, PoolFacts] = {}
        for uid, pool in pools.items():
            if pool.per is Per.REQUEST:
                continue
            charges = (Charge(uid, ""),) if pool.per is Per.SHARED else keyed.get(uid, ())
            facts[uid] = self._facts(world, pool, charges)
            yield
        out = {uid: one for uid, one in facts.items() if one.exhausted}
        self._known = {uid: one for uid, one in self._known.items() if uid in pools}
        found.update(
            (uid, _with_others(pools, one, out))
            for uid, one in facts.items()
            if one.pool.normal_of is None
        )

    def _facts(self, world: World, pool: Pool, charges: Sequence[Charge]) -> PoolFacts:
        window = self.windows.at(pool.window, world.now)
        if pool.window.type in _MOVES_BY_ITSELF:
            return _facts(world, self.needs, pool, window, charges)
        cells = [world.cells.get(LeaseId(charge, window.id)) for charge in charges]
        # The sums of a cell are another object after every change of any of its accounts.
        sums = tuple(cell.sums for cell in cells if cell is not None)
        stamp = (
            limit_of(world, pool, new_cell(Charge(pool.uid, ""), window)),
            *(self.needs.of(charge) for charge in charges),
            *(None if cell is None else (id(cell.sums), cell.closed_spent) for cell in cells),
        )
        known = self._known.get(pool.uid)
        if known is None or known[:3] != (pool, window, stamp):
            made = _facts(world, self.needs, pool, window, charges)
            known = self._known[pool.uid] = _Known(pool, window, stamp, sums, made)
        return known.facts


_MOVES_BY_ITSELF: Final = (WindowType.SLIDING, WindowType.TOKEN_BUCKET)


class _Known(NamedTuple):
    """Facts, and all that they were made from. `sums` are kept so that no others get their ids."""

    pool: Pool
    window: Window
    stamp: tuple[object, ...]
    sums: tuple[Sums, ...]
    facts: PoolFacts


def _keyed_charges(world: World) -> dict[PoolUid, list[Charge]]:
    """The sub-pools that anybody has used, by pool."""
    found: dict[PoolUid, list[Charge]] = {}
    for charge in world.cells_of:
        if charge.key:
            found.setdefault(charge.pool, []).append(charge)
    return found


def _facts(
    world: World, needs: Needs, pool: Pool, window: Window, charges: Sequence[Charge]
) -> PoolFacts:
    lines = [
        line for charge in charges if (line := figures_of(world, pool, charge, window)) is not None
    ]
    cells = [cell for charge in charges for cell in _counting(world, pool, charge, window)]
    short = sorted(_short(world, needs, pool, window, lines), key=lambda one: one.need)
    beyond = [line.committed - line.limit for line in lines if line.committed > line.limit]
    limit = limit_of(world, pool, new_cell(Charge(pool.uid, ""), window))
    holders = {uid for cell in cells for uid in cell.entries}
    return PoolFacts(
        pool=pool,
        limit=limit,
        spent=_sum(line.settled for line in lines),
        held=_sum(line.held for line in lines),
        leased=_sum(line.leased for line in lines),
        headroom=min((line.headroom for line in lines), default=limit),
        holders=len(holders),
        sub_pools=None if pool.per is Per.SHARED else len(lines),
        starts=None if window.ends is None else min((one.starts for one in lines), default=None),
        ends=window.ends,
        over=Nanos(max(beyond, default=0)),
        overs=len(beyond),
        exhausted=len(short),
        need=short[0].need if short else ZERO,
        back=back_at(world, pool, short[0].cell, short[0].amount) if short else None,
        frozen=sum(world.holders[uid].frozen for uid in holders),
        lost=_sum(cell.sums.lost for cell in cells),
    )


class _Short(NamedTuple):
    """A (sub-)pool that is exhausted, and what a call needs of it (0: not known)."""

    cell: Cell
    need: Nanos

    @property
    def amount(self) -> Nanos:
        """What must be there for the next call."""
        return Nanos(max(1, self.need))


def _short(
    world: World, needs: Needs, pool: Pool, window: Window, lines: Sequence[PoolFigures]
) -> Iterator[_Short]:
    """The (sub-)pools in which even what is lent and idle would not do, and no money is near."""
    for line in lines:
        charge = Charge(pool.uid, line.key)
        known = world.cells.get(LeaseId(charge, window.id))
        lost = ZERO if known is None else known.sums.lost
        short = _Short(known or new_cell(charge, window), needs.of(charge))
        if line.limit - line.settled - lost >= short.amount:
            continue
        why = Reason.POOL_EXHAUSTED
        if pool.mode is Mode.ENFORCE:
            why = softened(world, pool, short.cell, short.amount, why)
        if why is Reason.POOL_EXHAUSTED:
            yield short


def _with_others(
    pools: Mapping[PoolUid, Pool], facts: PoolFacts, exhausted: Mapping[PoolUid, PoolFacts]
) -> PoolFacts:
    """The facts with what follows from other pools: those above, and the rest beside a reserve."""
    if not exhausted:
        return facts
    uid = facts.pool.uid
    above = next((one for one in path_of(pools, uid)[1:] if _refuses(one, exhausted)), None)
    title = "" if above is None else above.title
    rest = exhausted.get(normal_uid(uid))
    if rest is not None and not facts.exhausted:
        return replace(facts, above=title, only_reserve=True, need=rest.need, back=rest.back)
    return replace(facts, above=title) if title else facts


def _refuses(pool: Pool, exhausted: Mapping[PoolUid, PoolFacts]) -> bool:
    """Whether a pool turns away calls of normal priority."""
    out = pool.uid in exhausted or normal_uid(pool.uid) in exhausted
    return out and pool.mode is Mode.ENFORCE


def _counting(world: World, pool: Pool, charge: Charge, window: Window) -> Iterable[Cell]:
    """The cells that make up a (sub-)pool's figures: not what was lent ahead of the next window."""
    if pool.window.type is WindowType.SLIDING:
        return world.counted(charge)
    cell = world.cells.get(LeaseId(charge, window.id))
    return () if cell is None else (cell,)


def _sum(amounts: Iterable[int]) -> Nanos:
    return Nanos(sum(amounts))
