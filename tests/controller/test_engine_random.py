"""Whatever happens in whatever order, no more is lent or spent than the limit.

Sidecars spend, report, crash and lose their streams; messages arrive late, twice or never; the
controller commits in batches, dies between commits, and starts again with a clock that may have
gone back; the limit moves. After each move the books are compared with the truth.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from controller.engine import Engine
from controller.events import (
    Event,
    Received,
    ResourcesChanged,
    Step,
    StreamClosed,
    Tick,
    WorkloadChanged,
)
from controller.store.memory import Tables, apply, take_over
from controller.store.protocol import PutAccount
from controller.terms import Terms
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.messages import Hello, Report, Want, Workload
from tests.support.model_sidecars import ModelSidecar, Truth
from tests.support.scenes import MINUTE, ORG, START, pool, resources

TEAM = Charge(PoolUid("acme/team"), "")
TERMS = Terms(forget_after=DurationMs(1_800_000))


class Lending:
    """Three sidecars, a pool with windows of a minute and a lifetime pool.

    Where pods are `known`, the lifetime pool is that of those with a label, which come and go.
    """

    def __init__(self, *, known: bool = False) -> None:
        self.known = known
        self.labels: dict[str, dict[str, str]] = {name: {"team": "blue"} for name in "abc"}
        self.tables = Tables()
        self.truth = Truth()
        self.utc, self.boot = int(START), 1_000
        self.limits = {ORG: 100, TEAM: 100}
        self.allowed: dict[LeaseId, int] = {}
        self.sidecars = {name: ModelSidecar(name, self.truth) for name in "abc"}
        self.streams = 0
        self.batch: list[Step] = []
        self.reported: dict[tuple[LeaseId, str], tuple[int, int, int]] = {}
        self.warnings: list[str] = []
        self.lent: dict[tuple[LeaseId, str], int] = defaultdict(int)
        self.start_controller()

    # The controller.

    def resources(self) -> ResourcesChanged:
        org = pool("org", self.limits[ORG], window=MINUTE)
        selector = {"team": "blue"} if self.known else {}
        return ResourcesChanged(resources(org, pool("team", self.limits[TEAM], selector=selector)))

    def start_controller(self) -> None:
        snapshot = take_over(self.tables)
        given = self.resources().resources
        self.engine = Engine(snapshot, terms=TERMS, resources=given, now=UtcMs(self.utc))

    def step(self, event: Event) -> None:
        step = self.engine.step(event, UtcMs(self.utc))
        self.batch.append(step)
        if not isinstance(event, Received | StreamClosed | WorkloadChanged):
            return
        for write in step.writes:
            if isinstance(write, PutAccount) and write.lease.charge == TEAM:
                key = (write.lease, write.holder)
                if self.known and "team" not in self.labels[write.holder]:
                    assert write.granted <= self.lent[key], "lent to a pod that has left the pool"
                self.lent[key] = write.granted

    def commit(self) -> None:
        for step in self.batch:
            for write in step.writes:
                apply(self.tables, write)
            self.warnings.extend(step.warnings)
        for step in self.batch:
            for send in step.sends:
                for sidecar in self.on(send.stream):
                    sidecar.line_in.append(send.message)
            for stream in step.ended:
                for sidecar in self.on(stream):
                    sidecar.disconnect()
                    self.batch_later(StreamClosed(stream))
        self.batch.clear()

    def batch_later(self, event: Event) -> None:
        step = self.engine.step(event, UtcMs(self.utc))
        for write in step.writes:
            apply(self.tables, write)

    def on(self, stream: int) -> Iterable[ModelSidecar]:
        return [one for one in self.sidecars.values() if one.stream == stream]

    def kill_controller(self, back: int) -> None:
        self.batch.clear()
        for sidecar in self.sidecars.values():
            sidecar.disconnect()
        self.utc -= back
        self.start_controller()
        for lease, cell in self.engine.world.cells.items():
            # What was given back but not committed is lent again.
            assert cell.committed == self.kept(lease), lease
            self.allowed[lease] = max(self.limits[lease.charge], cell.committed)

    def change_limit(self, charge: Charge, limit: int) -> None:
        self.limits[charge] = limit
        self.step(self.resources())

    def set_the_clock(self, jump: int) -> None:
        """The wall clock is moved, by hand or by its servers; no time passes."""
        self.utc += jump

    def pass_time(self, passed: int) -> None:
        self.utc += passed
        self.boot += passed
        self.step(Tick())

    # The sidecars and their lines.

    def connect(self, name: str) -> None:
        sidecar = self.sidecars[name]
        if sidecar.stream is not None:
            self.step(StreamClosed(sidecar.stream))
        self.streams += 1
        sidecar.connect(self.streams, self.boot)

    def reconnect_before_the_end_of_the_old_stream_is_seen(self, name: str) -> None:
        self.streams += 1
        self.sidecars[name].connect(self.streams, self.boot)

    def spend(self, name: str, charge: Charge, amount: int, cost: int) -> None:
        self.sidecars[name].spend(charge, amount, cost, self.boot)

    def give_back(self, name: str, share: int) -> None:
        self.sidecars[name].give_back(share)

    def report(self, name: str, org: int, team: int, least: int) -> None:
        needs = ((ORG, org), (TEAM, team))
        wants = tuple(
            Want(
                charge=charge,
                want=Nanos(need * 2),
                need=Nanos(need),
                least=Nanos(min(need, least)),
            )
            for charge, need in needs
            if need
        )
        self.sidecars[name].report(wants, self.boot)

    def talk(self, name: str, org: int, team: int, least: int) -> None:
        """A whole round: without it, chance alone seldom gets far."""
        sidecar = self.sidecars[name]
        if sidecar.stream is None:
            self.connect(name)
            self.exchange(sidecar)
        self.report(name, org, team, least)
        self.exchange(sidecar)

    def exchange(self, sidecar: ModelSidecar) -> None:
        self.arrive_at_the_controller(sidecar.uid, 99)
        self.commit()
        self.arrive_at_the_sidecar(sidecar.uid, 99)

    def workload(self, name: str) -> Workload:
        return Workload(namespace="acme", name=name, labels=self.labels[name], uid=f"uid-{name}")

    def relabel(self, name: str, labels: dict[str, str]) -> None:
        """The pod has other labels; the controller hears of it when a stream of it stands."""
        self.labels[name] = labels
        stream = self.sidecars[name].stream
        if stream is not None:
            self.step(WorkloadChanged(stream, self.workload(name)))

    def crash(self, name: str) -> None:
        self.sidecars[name].crash()

    def say_goodbye(self, name: str) -> None:
        self.sidecars[name].goodbye(self.boot)

    def arrive_at_the_controller(self, name: str, count: int) -> None:
        sidecar = self.sidecars[name]
        for _ in range(min(count, len(sidecar.line_out))):
            message = sidecar.line_out.pop(0)
            assert sidecar.stream is not None
            if self.known and isinstance(message, Hello):
                message = replace(message, workload=self.workload(name))
            self.step(Received(sidecar.stream, message))
            sidecar.sent_before.append(message)

    def arrive_once_more(self, name: str, which: int) -> None:
        sidecar = self.sidecars[name]
        reports = [one for one in sidecar.sent_before if isinstance(one, Report)]
        if reports and sidecar.stream is not None:
            self.step(Received(sidecar.stream, reports[which % len(reports)]))

    def arrive_at_the_sidecar(self, name: str, count: int) -> None:
        sidecar = self.sidecars[name]
        for _ in range(min(count, len(sidecar.line_in))):
            sidecar.hear(sidecar.line_in.pop(0))

    # The books.

    def compare_the_books(self) -> None:
        """All that must hold after every move."""
        self.no_more_is_committed_than_the_limit_unless_it_fell()
        self.sums_kept_are_sums_made_anew()
        self.no_sidecar_knows_more_than_the_ledger()
        self.what_is_really_spent_is_committed()
        self.what_was_reported_stays_reported()
        self.nobody_is_mistaken_for_a_copy_or_adopted()

    def no_more_is_committed_than_the_limit_unless_it_fell(self) -> None:
        for lease, cell in self.engine.world.cells.items():
            before = self.allowed.get(lease, 0)
            limit = self.limits[lease.charge]
            assert cell.committed <= max(limit, before), lease
            self.allowed[lease] = max(limit, cell.committed)

    def sums_kept_are_sums_made_anew(self) -> None:
        for cell in self.engine.world.cells.values():
            accounts = cell.accounts.values()
            assert cell.committed == cell.closed_spent + sum(one.committed for one in accounts)

    def no_sidecar_knows_more_than_the_ledger(self) -> None:
        for sidecar in self.sidecars.values():
            for lease, wallet in sidecar.wallets.items():
                kept = self.tables.accounts.get((lease, sidecar.uid))
                if kept is not None:
                    assert wallet.granted <= kept.granted
                    assert wallet.returned >= kept.returned
                    assert wallet.spent >= kept.spent

    def what_is_really_spent_is_committed(self) -> None:
        for lease, spent in self.truth.at_most.items():
            forgotten = lease.window and lease.window + 60_000 <= self.tables.clock_floor
            assert spent <= self.kept(lease) or (forgotten and lease not in self.tables.closed)

    def kept(self, lease: LeaseId) -> int:
        """The most that a lease can cost by the ledger alone."""
        closed = self.tables.closed.get(lease)
        return (closed.spent if closed else 0) + sum(
            max(row.granted - row.returned, row.spent)
            for (of, _), row in self.tables.accounts.items()
            if of == lease
        )

    def what_was_reported_stays_reported(self) -> None:
        for key, row in self.tables.accounts.items():
            before = self.reported.get(key, (0, 0, 0))
            now = (row.granted, row.returned, row.spent)
            assert all(b <= n for b, n in zip(before, now, strict=True)), key
            self.reported[key] = now

    def nobody_is_mistaken_for_a_copy_or_adopted(self) -> None:
        assert all(sidecar.refusals == [] for sidecar in self.sidecars.values())
        assert self.warnings == []

    def calm_down(self) -> None:
        """Once all is quiet, what was not spent is free again, to the last nano-dollar."""
        for _ in range(4):
            for name, sidecar in self.sidecars.items():
                if not sidecar.welcomed:
                    self.connect(name)
                self.quiet(sidecar)
            self.pass_time(61_000)
            self.commit()
        for lease, cell in self.engine.world.cells.items():
            assert cell.committed == self.truth.at_most[lease], lease

    def quiet(self, sidecar: ModelSidecar) -> None:
        sidecar.spend(ORG, 0, 0, self.boot)
        sidecar.spend(TEAM, 0, 0, self.boot)
        for _ in range(3):
            for charge in (ORG, TEAM):
                sidecar.spend(charge, 0, 0, self.boot)
            self.settle_ended(sidecar)
            sidecar.give_back(1)
            sidecar.report((), self.boot)
            self.exchange(sidecar)

    def settle_ended(self, sidecar: ModelSidecar) -> None:
        for lease, wallet in sidecar.wallets.items():
            self.truth.at_most[lease] -= wallet.reserved
            wallet.reserved = 0


class LongRun:
    """The same moves in long runs from a seed, the usual ones often and the rare ones rarely."""

    def __init__(self, seed: int, *, known: bool = False) -> None:
        self.random = random.Random(seed)
        self.machine = Lending(known=known)

    def name(self) -> str:
        return self.random.choice("abc")

    def amount(self) -> int:
        return self.random.randint(0, 60)

    def charge(self) -> Charge:
        return self.random.choice([ORG, TEAM])

    def moves(self) -> dict[Callable[[], object], int]:
        """Each move with its weight."""
        m, r = self.machine, self.random
        return {
            lambda: m.talk(self.name(), self.amount(), self.amount(), r.randint(1, 10)): 40,
            lambda: m.spend(self.name(), self.charge(), self.amount(), self.amount()): 60,
            lambda: m.report(self.name(), self.amount(), self.amount(), r.randint(1, 10)): 30,
            lambda: m.arrive_at_the_controller(self.name(), r.randint(1, 5)): 30,
            lambda: m.arrive_at_the_sidecar(self.name(), r.randint(1, 5)): 30,
            lambda: m.arrive_once_more(self.name(), r.randint(0, 20)): 15,
            lambda: m.give_back(self.name(), r.randint(1, 3)): 5,
            lambda: m.pass_time(r.choice([10, 100, 600, 5_000, 16_000, 61_000])): 15,
            lambda: m.set_the_clock(r.choice([-50_000, -3_000, 3_000, 70_000])): 3,
            lambda: m.connect(self.name()): 4,
            lambda: m.reconnect_before_the_end_of_the_old_stream_is_seen(self.name()): 3,
            lambda: m.crash(self.name()): 4,
            lambda: m.say_goodbye(self.name()): 2,
            lambda: m.change_limit(self.charge(), r.randint(0, 120)): 2,
            lambda: m.kill_controller(r.choice([0, 0, 0, 45_000, 3_600_000])): 3,
            m.commit: 30,
            **self.moves_of_known_pods(),
        }

    def moves_of_known_pods(self) -> dict[Callable[[], object], int]:
        if not self.machine.known:
            return {}
        labels: tuple[dict[str, str], ...] = ({"team": "blue"}, {})
        return {lambda: self.machine.relabel(self.name(), self.random.choice(labels)): 8}

    def go(self, moves: int) -> None:
        """Make so many moves and compare the books after each."""
        weights = self.moves()
        for move in self.random.choices([*weights], [*weights.values()], k=moves):
            move()
            self.machine.compare_the_books()
        self.machine.calm_down()


@pytest.mark.parametrize("seed", range(20))
def test_long_runs_keep_the_books(seed: int) -> None:
    LongRun(seed).go(moves=1_500)


@pytest.mark.parametrize("seed", range(10))
def test_long_runs_of_pods_that_change_keep_the_books(seed: int) -> None:
    LongRun(seed, known=True).go(moves=1_500)
