"""What the windows promise, by brute force: no interval at all has more spent in it than may be.

The lender here does only what the rule of a window says; holders spend when they like, report late
or never, return or get lost. Every spend is kept with its instant, and every interval that begins
and ends with one is added up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from farebox.core.bucket import Bucket, BucketRate, full, put_back, refilled, taken
from farebox.core.budgets import (
    Charge,
    Keys,
    Per,
    Pool,
    PoolUid,
    Priority,
    Reserve,
    charges_of,
    normal_uid,
    with_reserves,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import (
    LIFETIME,
    SLIDING_PERIOD_MS_MIN,
    WindowSpec,
    WindowType,
    window_at,
)

LIMIT: Final = 100
PERIOD_MS: Final = SLIDING_PERIOD_MS_MIN + 37
SLIDING: Final = WindowSpec(type=WindowType.SLIDING, period=DurationMs(PERIOD_MS))
RATE: Final = BucketRate(size=Nanos(LIMIT), refill=Nanos(7), per=DurationMs(1_000))

HOLDERS: Final = ("ana", "ben")

holders = st.sampled_from(HOLDERS)
# All at once is what strains a bound most.
amounts = st.just(LIMIT) | st.integers(1, 60)
pauses = st.just(0) | st.integers(0, 30_000)
shares = st.just(100) | st.integers(1, 100)


@dataclass
class Lease:
    """A lease as everybody sees it: `spent` is true, `told` is what the lender knows of that."""

    granted: int = 0
    returned: int = 0
    spent: int = 0
    told: int = 0

    @property
    def free(self) -> int:
        return self.granted - self.returned - self.spent

    @property
    def committed(self) -> int:
        return self.granted - self.returned


@dataclass
class Spends:
    """Who spent what and when; adds up every interval."""

    made: list[tuple[int, int]] = field(default_factory=list)

    def add(self, now: int, amount: int) -> None:
        self.made.append((now, amount))

    def intervals(self) -> Iterator[tuple[int, int]]:
        """Length and sum of each interval that ends with the last spend; the rest was seen."""
        total = 0
        for now, amount in reversed(self.made):
            total += amount
            yield self.made[-1][0] - now, total


class SlidingBound(RuleBasedStateMachine):
    """Lends in buckets of a sliding window as long as all that still counts is within the limit."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 10 * PERIOD_MS
        self.leases: dict[tuple[int, str], Lease] = {}
        self.counts_until: dict[int, int] = {}
        self.spends = Spends()

    @rule(pause=st.integers(0, 2_000) | st.integers(0, 2 * PERIOD_MS))
    def wait(self, pause: int) -> None:
        self.now += pause

    @rule(data=st.data())
    def wait_for_an_edge(self, data: st.DataObject) -> None:
        """Until right before or at an instant at which a bucket ends or counts no more."""
        current = window_at(SLIDING, UtcMs(self.now)).ends
        assert current is not None
        edges = [edge for edge in (*self.counts_until.values(), current) if edge > self.now]
        edge = data.draw(st.sampled_from(sorted(edges)))
        self.now = max(self.now, edge - data.draw(st.sampled_from((0, 1, 10))))

    @rule(holder=holders, amount=amounts)
    def want(self, holder: str, amount: int) -> None:
        window = window_at(SLIDING, UtcMs(self.now))
        assert window.counts_until is not None
        self.counts_until[window.id] = window.counts_until
        counted = sum(
            lease.committed
            for (bucket, _), lease in self.leases.items()
            if self.counts_until[bucket] > self.now
        )
        granted = min(amount, LIMIT - counted)
        assert granted >= 0
        self.leases.setdefault((window.id, holder), Lease()).granted += granted

    @rule(holder=holders, share=shares)
    def spend(self, holder: str, share: int) -> None:
        lease = self.leases.get((window_at(SLIDING, UtcMs(self.now)).id, holder))
        if lease is not None and lease.free:
            amount = -(-lease.free * share // 100)
            lease.spent += amount
            self.spends.add(self.now, amount)

    @rule(holder=holders)
    def use_up(self, holder: str) -> None:
        self.want(holder, LIMIT)
        self.spend(holder, 100)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if self.leases:
            lease = data.draw(st.sampled_from(list(self.leases.values())))
            lease.returned += lease.free

    @invariant()
    def no_interval_of_a_period_has_more_than_the_limit(self) -> None:
        for length, spent in self.spends.intervals():
            if length <= PERIOD_MS:
                assert spent <= LIMIT


class BucketBound(RuleBasedStateMachine):
    """Lends out of a token bucket; what holders did not report counts as outstanding."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.bucket: Bucket = full(RATE, UtcMs(0))
        self.leases = {name: Lease() for name in HOLDERS}
        self.spends = Spends()

    def outstanding(self) -> Nanos:
        return Nanos(sum(lease.committed - lease.told for lease in self.leases.values()))

    def refill(self) -> None:
        self.bucket = refilled(
            self.bucket, RATE, outstanding=self.outstanding(), now=UtcMs(self.now)
        )

    @rule(pause=pauses, holder=holders, amount=amounts)
    def want(self, pause: int, holder: str, amount: int) -> None:
        self.now += pause
        self.refill()
        granted = Nanos(min(amount, max(0, self.bucket.level)))
        self.bucket = taken(self.bucket, granted)
        self.leases[holder].granted += granted

    @rule(pause=pauses, holder=holders, share=shares, reports=st.booleans())
    def spend(self, pause: int, holder: str, share: int, reports: bool) -> None:
        self.now += pause
        lease = self.leases[holder]
        if lease.free:
            amount = -(-lease.free * share // 100)
            lease.spent += amount
            self.spends.add(self.now, amount)
        if reports:
            self.refill()
            lease.told = lease.spent

    @rule(holder=holders)
    def use_up(self, holder: str) -> None:
        self.want(0, holder, LIMIT)
        self.spend(0, holder, 100, reports=False)

    @rule(pause=pauses, holder=holders, share=shares)
    def give_back(self, pause: int, holder: str, share: int) -> None:
        self.now += pause
        self.refill()
        lease = self.leases[holder]
        amount = lease.free * share // 100
        lease.returned += amount
        self.bucket = put_back(self.bucket, RATE, Nanos(amount), self.outstanding())

    @rule(pause=pauses, holder=holders)
    def lose(self, pause: int, holder: str) -> None:
        """A holder is gone for good, and another comes: all that it had counts as spent by now."""
        self.now += pause
        self.refill()
        self.leases[holder] = Lease()

    @invariant()
    def bucket_and_loans_are_never_larger_than_the_bucket(self) -> None:
        assert self.bucket.level >= 0
        assert self.bucket.level + self.outstanding() <= RATE.size

    @invariant()
    def no_interval_has_more_than_the_bucket_and_what_flows_in(self) -> None:
        for length, spent in self.spends.intervals():
            assert spent * RATE.per <= RATE.size * RATE.per + RATE.refill * length


SlidingBound.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
BucketBound.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestSlidingBound = SlidingBound.TestCase
TestBucketBound = BucketBound.TestCase


def _pool(name: str, limit: int, per: Per = Per.SHARED, percent: int | None = None) -> Pool:
    return Pool(
        uid=PoolUid(f"default/{name}"),
        namespace="default",
        name=name,
        generation=1,
        limit=Nanos(limit),
        window=LIFETIME,
        per=per,
        reserve=None if percent is None else Reserve(percent=percent),
    )


calls = st.lists(
    st.tuples(st.sampled_from(Priority), st.sampled_from(("ana", "ben")), st.integers(0, 40)),
    max_size=60,
)


@given(calls, st.integers(1, 99), st.integers(1, 99), st.integers(0, 200))
def test_normal_calls_never_touch_a_reserve_and_high_ones_can_always_use_it(
    made: list[tuple[Priority, str, int]], of_org: int, of_user: int, user_limit: int
) -> None:
    org, user = _pool("org", LIMIT, percent=of_org), _pool("user", user_limit, Per.USER, of_user)
    pools = with_reserves({org.uid: org, user.uid: user})
    spent: dict[Charge, int] = {}
    normal: dict[Charge, int] = {}
    for priority, name, cost in made:
        charges = charges_of(pools.values(), Keys(user=name), priority)
        fits = all(spent.get(one, 0) + cost <= pools[one.pool].limit for one in charges)
        # A high call is refused only for want of the whole limit.
        if priority is Priority.HIGH:
            assert {one.pool for one in charges} == {org.uid, user.uid}
        if not fits:
            continue
        for one in charges:
            spent[one] = spent.get(one, 0) + cost
            if priority is Priority.NORMAL and pools[one.pool].normal_of is None:
                normal[one] = normal.get(one, 0) + cost
    for charge, sum_ in normal.items():
        base = pools[charge.pool]
        assert base.reserve is not None
        assert sum_ * 100 <= base.limit * (100 - base.reserve.percent)
        assert sum_ == spent[Charge(normal_uid(charge.pool), charge.key)]
    assert all(sum_ <= pools[charge.pool].limit for charge, sum_ in spent.items())
