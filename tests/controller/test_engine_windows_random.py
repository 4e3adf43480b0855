"""Windows of every kind, a reserve and lost holders: whatever happens, the bills are within bounds.

Pods make calls that draw on a pool with a reserve (a window of a minute), on a sliding window, on a
token bucket and on a lifetime pool at once. They crash, fall silent for minutes, lose their journal
or come back after their money was written off; the controller dies in the middle of a commit. What
is judged are the calls themselves, by brute force: I1, I8 and I9 of the lease protocol.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import pytest

from controller.engine import Engine
from controller.events import Event, Received, ResourcesChanged, Step, StreamClosed, Tick
from controller.limits import room
from controller.store.memory import Tables, apply, take_over
from controller.terms import Terms
from farebox.core.budgets import Charge, PoolUid, Reserve, normal_uid
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import BUCKETS, WindowSpec, WindowType
from farebox.wire.messages import Want
from tests.support.model_pods import Bills, Call, Pod
from tests.support.scenes import MINUTE, ORG, START, pool, resources

SLIDING: Final = Charge(PoolUid("acme/sliding"), "")
BUCKET: Final = Charge(PoolUid("acme/bucket"), "")
EVER: Final = Charge(PoolUid("acme/ever"), "")
NORMAL: Final = Charge(normal_uid(ORG.pool), "")

LIMIT: Final = 1_000
RESERVE_PERCENT: Final = 20
PERIOD: Final = DurationMs(120_000)
SIZE: Final = 300
REFILL_PER_HOUR: Final = 18_000
EVER_LIMIT: Final = 100_000

DEATH_CHANCE: Final = 0.02

TERMS: Final = Terms(
    heartbeat=DurationMs(2_000),
    ttl=DurationMs(6_000),
    forget_after=DurationMs(900_000),
    write_off_after=DurationMs(20_000),
)


class Market:
    """A controller, its ledger, and three pods."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.tables, self.bills = Tables(), Bills()
        self.utc = int(START)
        self.limit = LIMIT
        self.pods = [Pod(name, self.bills) for name in "abc"]
        self.streams, self.batch = 0, list[Step]()
        self.judged = 0
        self.death_chance: float = DEATH_CHANCE
        self.happened: Counter[str] = Counter()
        self.start_controller()

    # The controller.

    def resources(self) -> ResourcesChanged:
        reserve = Reserve(percent=RESERVE_PERCENT)
        sliding = WindowSpec(type=WindowType.SLIDING, period=PERIOD)
        bucket = WindowSpec(
            type=WindowType.TOKEN_BUCKET,
            refill_per_hour=Nanos(REFILL_PER_HOUR),
            burst=Nanos(SIZE),
        )
        return ResourcesChanged(
            resources(
                pool("org", self.limit, window=MINUTE, reserve=reserve),
                pool("sliding", LIMIT, window=sliding),
                pool("bucket", SIZE, window=bucket),
                pool("ever", EVER_LIMIT),
            )
        )

    def start_controller(self) -> None:
        snapshot = take_over(self.tables)
        given = self.resources().resources
        self.engine = Engine(snapshot, terms=TERMS, resources=given, now=UtcMs(self.utc))

    def step(self, event: Event) -> None:
        self.batch.append(self.engine.step(event, UtcMs(self.utc)))

    def commit(self) -> None:
        if self.batch and self.random.random() < self.death_chance:
            self.die_in_a_commit()
            return
        steps, self.batch = self.batch, []
        for step in steps:
            for write in step.writes:
                apply(self.tables, write)
            self.happened.update(type(write).__name__ for write in step.writes)
        for step in steps:
            for send in step.sends:
                for pod in self.on(send.stream):
                    pod.line_in.append(send.message)
            for stream in step.ended:
                for pod in self.on(stream):
                    pod.line_in.append(None)

    def die_in_a_commit(self) -> None:
        """Only the beginning of what was to be written is; nothing of it was sent."""
        writes = [write for step in self.batch for write in step.writes]
        for write in writes[: self.random.randint(0, len(writes))]:
            apply(self.tables, write)
        self.batch.clear()
        for pod in self.pods:
            pod.lose_stream()
        self.start_controller()
        self.happened["controller died"] += 1

    def on(self, stream: int) -> Iterable[Pod]:
        return [pod for pod in self.pods if pod.stream == stream]

    def pass_time(self, passed: int) -> None:
        self.utc += passed
        self.step(Tick())
        self.commit()

    def change_limit(self) -> None:
        self.limit = self.random.choice([LIMIT, LIMIT // 2, LIMIT // 10])
        self.step(self.resources())
        self.commit()

    # The pods.

    def pod(self) -> Pod:
        return self.random.choice(self.pods)

    def charges(self) -> tuple[Charge, ...]:
        """The pools of a call: mostly a few, so that each of them is at its limit at times."""
        every: tuple[tuple[Charge, ...], ...] = ((NORMAL, ORG), (ORG,), (SLIDING,), (BUCKET,))
        chosen = self.random.choice([every[0], every[1], every[2], every[3], sum(every[1:], ())])
        return (*chosen, EVER)

    def call(self, pod: Pod) -> None:
        charges, most = self.charges(), self.random.randint(1, 60)
        if not pod.call(charges, most, self.utc):
            self.ask(pod, charges, most)
            self.exchange(pod)
            self.happened["call sent later"] += pod.call(charges, most, self.utc)

    def burst(self, charges: tuple[Charge, ...]) -> None:
        """Nobody calls for a while, but all go on reporting; then everybody calls at once."""
        for pod in self.pods:
            self.ask(pod, charges, self.random.randint(1, 300))
        for _ in range(self.random.randint(1, 12)):
            self.pass_time(4_000)
            for pod in self.pods:
                self.exchange(pod)
        for _ in range(30):
            pod = self.pod()
            pod.call(charges, self.random.randint(1, 60), self.utc)
            pod.settle(0, 100)
            pod.report((), self.utc)
            self.arrive(pod)
            self.call(pod)

    def ask(self, pod: Pod, charges: tuple[Charge, ...], need: int) -> None:
        wants = []
        for charge in charges:
            found = pod.purse_of(charge, self.utc)
            free = found[1].free if found is not None and found[1].is_open(self.utc) else 0
            if free < need:
                lacks = Nanos(need - free)
                wants.append(Want(charge=charge, want=Nanos(lacks * 3), need=lacks, least=lacks))
        pod.report(tuple(wants), self.utc)

    def exchange(self, pod: Pod) -> None:
        if pod.stream is None:
            self.connect(pod)
            self.arrive(pod)
            pod.report((), self.utc)
        self.arrive(pod)
        self.arrive(pod)

    def connect(self, pod: Pod) -> None:
        if pod.stream is not None:
            self.step(StreamClosed(pod.stream))
        self.streams += 1
        pod.connect(self.streams, self.utc)

    def notice_lost_streams(self) -> None:
        """The controller's side of streams whose other end is gone comes to its end too."""
        live = {pod.stream for pod in self.pods}
        for stream in sorted(self.engine.world.streams.keys() - live):
            self.step(StreamClosed(stream))

    def arrive(self, pod: Pod) -> None:
        """Let all that is on the lines of a pod arrive."""
        for message in tuple(pod.line_out):
            if pod.stream is not None:
                self.step(Received(pod.stream, message))
        pod.line_out.clear()
        self.commit()
        while pod.line_in:
            said = pod.line_in.pop(0)
            if said is None:
                pod.lose_stream()
            else:
                pod.hear(said, self.utc)

    def lose_the_journal(self, pod: Pod) -> None:
        pod.start_over()
        self.happened["journal lost"] += 1

    # The judgement.

    def judge(self) -> None:
        for call in self.bills.calls[self.judged :]:
            self.judge_call(call)
        self.judged = len(self.bills.calls)
        self.books_agree()

    def judge_call(self, call: Call) -> None:
        """No interval that ends with this call has cost more than it may. I9, I1, I8."""
        earlier = [one for one in self.bills.calls if call.at - 3_600_000 < one.at <= call.at]
        of_sliding = [one for one in earlier if one.draws_on(SLIDING)]
        spent = sum(one.most for one in of_sliding if one.at > call.at - PERIOD)
        assert spent <= LIMIT, "a sliding window"
        total = 0
        for one in reversed(earlier):
            total += one.most if one.draws_on(BUCKET) else 0
            flowed = REFILL_PER_HOUR * (call.at - one.at) // 3_600_000
            assert total <= SIZE + flowed + 1, "a token bucket"
        for lease in call.leases:
            length = 60_000 if lease.charge in (ORG, NORMAL) else PERIOD // BUCKETS
            assert lease.window <= call.at, "no window is used before it starts"
            assert lease.charge in (BUCKET, EVER) or call.at < lease.window + length
        for charge, most in ((ORG, LIMIT), (NORMAL, LIMIT * (100 - RESERVE_PERCENT) // 100)):
            window = call.at - call.at % 60_000
            of_window = [one for one in self.bills.of(charge) if one.at >= window]
            assert sum(one.most for one in of_window) <= most, charge

    def books_agree(self) -> None:
        world = self.engine.world
        for cell in world.cells.values():
            accounts = cell.accounts.values()
            assert cell.committed == cell.closed_spent + sum(one.committed for one in accounts)
            assert cell.settled == cell.closed_spent + sum(one.spent for one in accounts)
            given = (max(0, one.granted - one.returned - one.spent) for one in accounts)
            assert cell.outstanding == sum(given)
            over = cell.over_at(world.now) or cell.lease.charge in (ORG, NORMAL)
            owner = world.pool_of(cell.lease.charge)
            assert owner is not None
            assert over or room(world, owner, cell) >= 0, cell.lease

    def calm_down(self) -> None:
        """After all calls have ended and everybody was heard, nothing is missing."""
        self.death_chance = 0
        for _ in range(6):
            self.notice_lost_streams()
            for pod in self.pods:
                while pod.calls:
                    pod.settle(0, 50)
                self.exchange(pod)
                pod.give_back(1)
                pod.report((), self.utc)
                self.exchange(pod)
            self.pass_time(3_700_000)
            self.pass_time(0)
        world = self.engine.world
        assert {uid for uid, one in world.holders.items() if one.stream is not None} == {
            pod.uid for pod in self.pods
        }
        bucket = world.pool_of(BUCKET)
        assert bucket is not None
        left = [room(world, bucket, cell) for cell in world.counted(BUCKET)]
        assert left in ([], [SIZE]), "all that was lost of the bucket has flowed back"
        spent = sum(call.most for call in self.bills.of(EVER))
        lost = sum(
            entry.unspent
            for cell in world.counted(EVER)
            for entry in cell.entries.values()
            if world.holders[entry.holder].stream is None
        )
        committed = sum(cell.committed for cell in world.counted(EVER))
        assert committed >= spent
        assert lost or committed - spent <= self.written_off()

    def written_off(self) -> int:
        """Calls of holders that are gone may have cost less than they held."""
        return EVER_LIMIT if self.happened["journal lost"] or self.happened["PoisonHolder"] else 0


def moves(market: Market) -> dict[Callable[[], object], int]:
    """Each move with its weight."""
    r, m = market.random, market
    return {
        lambda: m.call(m.pod()): 100,
        lambda: m.pod().settle(r.randint(0, 9), r.randint(0, 100)): 50,
        lambda: m.exchange(m.pod()): 60,
        lambda: m.pod().report((), m.utc): 15,
        lambda: m.ask(m.pod(), m.charges(), r.randint(1, 300)): 6,
        lambda: m.arrive(m.pod()): 15,
        lambda: m.pod().give_back(r.randint(1, 3)): 5,
        lambda: m.pass_time(r.choice([10, 100, 300, 900, 2_000])): 40,
        lambda: m.pass_time(r.choice([7_000, 30_000, 70_000, 200_000])): 1,
        lambda: m.connect(m.pod()): 3,
        lambda: m.pod().crash(): 3,
        lambda: m.lose_the_journal(m.pod()): 1,
        m.change_limit: 1,
        lambda: m.burst(r.choice([(BUCKET, EVER), (NORMAL, ORG, EVER)])): 3,
        m.notice_lost_streams: 5,
        m.commit: 10,
    }


@pytest.mark.parametrize("seed", range(12))
def test_every_interval_is_within_its_bounds(seed: int) -> None:
    market = Market(seed)
    weights = moves(market)
    for move in market.random.choices([*weights], [*weights.values()], k=900):
        move()
        market.judge()
    market.calm_down()
