"""What a want leads to: money, a recall, or a reason."""

from typing import Any

import pytest

from controller.grants import RECONSIDERED_MAX
from farebox.core.allocation import SHARE_DIVISOR
from farebox.core.budgets import Charge, Per, PoolUid
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.core.reasons import Reason
from farebox.core.windows import WindowSpec, WindowType
from farebox.wire.messages import Denial, Grant, ShrinkTo
from tests.support.scenes import (
    FOREVER,
    MINUTE,
    ORG,
    Scene,
    has,
    per_user,
    pool,
    this_minute,
    wants,
)

TEAM = Charge(PoolUid("acme/team"), "")


def test_a_grant_is_in_the_ledger_when_it_is_sent() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    step = sidecar.report(want=wants(10))

    assert [type(write).__name__ for write in step.writes] == ["PutAccount"]
    grant = sidecar.got_one(Grant)
    assert (grant.lease, grant.granted, grant.ttl) == (FOREVER, 10, 15_000)
    assert grant.window_ends_in is None


def test_grants_add_up_in_one_account() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(10))
    sidecar.report(has(granted=10, reserved=10), want=wants(7))

    assert [grant.granted for grant in sidecar.got(Grant)] == [10, 17]
    assert scene.cell().committed == 17


def test_a_grant_counts_its_window_from_the_receipt_of_the_echoed_message() -> None:
    scene = Scene(pool(window=MINUTE))
    first, second = scene.connect("a"), scene.connect("b")
    scene.pass_time(10_000)
    heard_at = scene.boot
    first.report(want=wants(100))
    first.got(Grant)
    second.report(want=wants(40))
    scene.pass_time(300)

    lease = this_minute(scene)
    first.report(has(lease, granted=100, returned=60))

    grant = second.got_one(Grant)
    assert grant.echo_boot_ms == heard_at
    margin = scene.terms.window_margin
    assert grant.window_ends_in == 50_000 - margin, "49.7 s are left, but more when it was heard"


def test_a_window_about_to_end_lends_nothing_and_the_next_one_serves_who_waited() -> None:
    """What is held at the last moment would be billed in the next window, beside its limit."""
    scene = Scene(pool(limit=100, window=MINUTE))
    old, sidecar = this_minute(scene), scene.connect("a")
    scene.pass_time(60_000 - scene.terms.window_margin)
    sidecar.report(want=wants(40))

    denial = sidecar.got_one(Denial)
    assert (denial.lease, denial.reason) == (old, Reason.HOLD_PENDING)
    assert denial.retry_after == scene.terms.window_margin
    assert not sidecar.got(Grant)

    scene.pass_time(scene.terms.window_margin)
    grant = sidecar.got_one(Grant)
    assert (grant.lease, grant.granted) == (this_minute(scene), 40)


def test_the_margin_of_a_short_window_is_a_tenth_of_it() -> None:
    short = WindowSpec(type=WindowType.FIXED, period=DurationMs(1_000))
    scene = Scene(pool(window=short))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(40))

    assert sidecar.got_one(Grant).window_ends_in == 900


def test_a_want_that_is_on_its_way_is_not_granted_twice() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(10))
    sidecar.report(want=wants(10))

    assert [grant.granted for grant in sidecar.got(Grant)] == [10, 10]
    assert scene.cell().committed == 10


def test_what_is_on_its_way_counts_towards_a_larger_want() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(10))
    sidecar.report(want=wants(25))

    assert scene.cell().committed == 25


def test_who_wants_without_needing_gets_a_share_and_no_refusal() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(0, want=80))

    share = 100 // SHARE_DIVISOR
    assert sidecar.got_one(Grant).granted == share

    scene.connect("b").report(want=wants(100 - share))
    sidecar.report(has(granted=share), want=wants(0, want=80))
    assert sidecar.got(Denial) == []


def test_part_of_a_need_is_granted_when_it_is_of_use() -> None:
    scene = Scene(pool(limit=100))
    busy = scene.connect("a")
    busy.report(want=wants(80))
    busy.report(has(granted=80, reserved=80))
    late = scene.connect("b")
    late.report(want=wants(50, least=15))

    assert late.got_one(Grant).granted == 20


class TestRefusals:
    """Why there is no money, with the figures of the pool."""

    def test_a_call_beyond_the_limit_is_too_large(self) -> None:
        scene = Scene(pool(limit=100))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(101))

        denial = sidecar.got_one(Denial)
        assert (denial.reason, denial.limit, denial.lease) == (
            Reason.REQUEST_TOO_LARGE,
            100,
            FOREVER,
        )
        assert scene.engine.world.cells == {}, "asking makes no lease"

    def test_a_spent_pool_is_exhausted_until_its_window_ends(self) -> None:
        scene = Scene(pool(limit=100, window=MINUTE))
        spender = scene.connect("a")
        spender.report(want=wants(100))
        spender.report(has(this_minute(scene), granted=100, spent=100))
        scene.pass_time(20_000)
        late = scene.connect("b")
        late.report(want=wants(10))

        denial = late.got_one(Denial)
        assert denial.reason is Reason.POOL_EXHAUSTED
        assert (denial.limit, denial.settled, denial.held, denial.remaining) == (100, 100, 0, 0)
        assert denial.retry_after == 40_000
        assert denial.resets_at == scene.now + 40_000

    def test_money_that_calls_hold_may_come_free(self) -> None:
        scene = Scene(pool(limit=100))
        busy = scene.connect("a")
        busy.report(want=wants(100))
        busy.report(has(granted=100, spent=20, reserved=80))
        late = scene.connect("b")
        late.report(want=wants(10))

        denial = late.got_one(Denial)
        assert (denial.reason, denial.settled, denial.held) == (Reason.HOLD_PENDING, 20, 80)
        assert denial.retry_after == 1_000
        assert denial.resets_at is None

    @pytest.mark.parametrize(
        "charge",
        [
            Charge(PoolUid("acme/gone"), ""),
            Charge(ORG.pool, "ana"),
            Charge(PoolUid("acme/people"), ""),
            Charge(PoolUid("acme/cap"), ""),
        ],
        ids=["no pool", "a key for a shared pool", "no key for a pool by user", "a request cap"],
    )
    def test_a_charge_that_names_no_sub_pool_opens_none(self, charge: Charge) -> None:
        scene = Scene(pool(), per_user(), pool("cap", 5, per=Per.REQUEST))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(10, of=charge))

        denial = sidecar.got_one(Denial)
        assert denial.reason is Reason.BUDGET_UNVERIFIABLE
        assert denial.lease.charge == charge
        assert scene.engine.world.cells == {}
        assert scene.engine.world.waiting == {}


def test_each_key_has_the_whole_limit_for_itself() -> None:
    scene = Scene(per_user(limit=100))
    sidecar = scene.connect("a")
    people = PoolUid("acme/people")
    sidecar.report(want=tuple(wants(90, of=Charge(people, user)) for user in ("ana", "ben")))

    assert {(one.lease.charge.key, one.granted) for one in sidecar.got(Grant)} == {
        ("ana", 90),
        ("ben", 90),
    }


class TestWaiting:
    """A pool of 100, all lent to "a" and held by its calls; "b" waits for 40."""

    def scene(self, **changes: Any) -> Scene:
        scene = Scene(pool(limit=100, **changes))
        busy = scene.connect("a")
        busy.report(want=wants(100))
        lease = busy.got_one(Grant).lease
        busy.report(has(lease, granted=100, reserved=100))
        waiting = scene.connect("b")
        waiting.report(want=wants(40))
        waiting.got(Denial)
        self.busy, self.waiting, self.lease = busy, waiting, lease
        return scene

    def test_money_that_is_returned_goes_to_who_waits(self) -> None:
        self.scene()
        self.busy.report(has(granted=100, returned=60, reserved=40))

        assert self.waiting.got_one(Grant).granted == 40

    def test_money_that_is_no_longer_held_is_asked_back_for_who_waits(self) -> None:
        self.scene()
        self.busy.report(has(granted=100, spent=10, reserved=20))

        assert self.busy.got_one(ShrinkTo).limit == 50, "1.25 times the need of 40"
        self.busy.report(has(granted=100, returned=50, spent=10, reserved=20))
        assert self.waiting.got_one(Grant).granted == 40

    def test_a_raised_limit_goes_to_who_waits(self) -> None:
        scene = self.scene()
        scene.change(pool(limit=140))

        assert self.waiting.got_one(Grant).granted == 40

    def test_the_next_window_brings_money_to_who_waits(self) -> None:
        scene = self.scene(window=MINUTE)
        scene.pass_time(60_000)

        grant = self.waiting.got_one(Grant)
        assert grant.lease == this_minute(scene) != self.lease

    def test_who_asked_first_is_served_first(self) -> None:
        scene = self.scene()
        third = scene.connect("c")
        third.report(want=wants(40))
        self.waiting.report(want=wants(40))
        self.busy.report(has(granted=100, returned=60, reserved=40))

        assert len(self.waiting.got(Grant)) == 1
        assert third.got(Grant) == []

    def test_a_report_replaces_what_was_wanted(self) -> None:
        scene = self.scene()
        self.waiting.report()
        self.busy.report(has(granted=100, returned=60, reserved=40))

        assert self.waiting.got(Grant) == []
        assert scene.engine.world.waiting == {}

    def test_who_has_left_waits_no_longer(self) -> None:
        scene = self.scene()
        self.waiting.leave()
        self.busy.report(has(granted=100, returned=60, reserved=40))

        assert scene.cell().entries.keys() == {"a"}

    def test_a_pool_that_is_deleted_is_told_of(self) -> None:
        scene = self.scene()
        scene.change()

        assert self.waiting.got_one(Denial).reason is Reason.BUDGET_UNVERIFIABLE
        assert scene.cell().committed == 100, "what is lent stays lent until it is settled"

    def test_not_everybody_is_looked_at_each_time(self) -> None:
        scene = self.scene()
        crowd = [scene.connect(f"c{i}") for i in range(RECONSIDERED_MAX)]
        for one in crowd:
            one.report(want=wants(1))
        self.waiting.report()
        scene.connect("last").report(want=wants(1))
        self.busy.report(has(granted=100, returned=100))

        served = [one for one in crowd if one.got(Grant)]
        assert len(served) == RECONSIDERED_MAX
        assert "last" not in scene.cell().entries


def test_a_holder_whose_lease_was_closed_gets_no_second_one_in_the_same_window() -> None:
    """Only a pool whose window is made longer while it runs can come to this."""
    scene = Scene(pool(window=MINUTE))
    lease = this_minute(scene)
    sidecar = scene.connect("a")
    sidecar.report(want=wants(30))
    scene.pass_time(60_000)
    sidecar.report(has(lease, granted=30, returned=30, finished=True))
    sidecar.got(Grant)

    scene.change(pool(window=_longer_than(MINUTE, starting=lease)))
    sidecar.report(want=wants(10))

    assert sidecar.got(Grant) == []
    assert sidecar.got_one(Denial).reason is Reason.BUDGET_UNVERIFIABLE


def _longer_than(spec: WindowSpec, *, starting: LeaseId) -> WindowSpec:
    """A window that starts with the lease's and lasts longer."""
    assert isinstance(spec.period, int)
    return WindowSpec(type=WindowType.FIXED, period=DurationMs(starting.window))


@pytest.mark.parametrize("limit", [0, 1, 99, 100, 250])
def test_no_crowd_gets_more_than_the_limit(limit: int) -> None:
    scene = Scene(pool(limit=limit))
    for number in range(20):
        scene.connect(f"h{number}").report(want=wants(7, want=50, least=1))

    lent = scene.engine.world.cells.get(FOREVER)
    assert (lent.committed if lent else 0) <= limit


class TestACallOfTwoPools:
    """A team of 100 under an organisation of 1,000; "b" has nothing of either."""

    def scene(self) -> Scene:
        scene = Scene(pool(limit=1_000), pool("team", 100))
        busy = scene.connect("a")
        busy.report(want=wants(70, of=TEAM))
        busy.report(has(LeaseId(TEAM, 0), granted=70, reserved=70))
        return scene

    def test_gets_no_more_of_one_than_it_can_use_beside_the_other(self) -> None:
        scene = self.scene()
        sidecar = scene.connect("b")
        sidecar.report(want=(wants(20, want=200, least=5), wants(40, want=200, of=TEAM, least=5)))

        lent = {grant.lease.charge: grant.granted for grant in sidecar.got(Grant)}
        assert lent == {TEAM: 30, ORG: 30}

    def test_gets_its_growth_where_all_have_what_is_needed(self) -> None:
        scene = self.scene()
        sidecar = scene.connect("b")
        sidecar.report(want=(wants(20, want=200), wants(10, want=20, of=TEAM)))

        lent = {grant.lease.charge: grant.granted for grant in sidecar.got(Grant)}
        assert lent[ORG] == 200

    def test_still_gets_what_its_oldest_call_needs_of_the_others(self) -> None:
        scene = self.scene()
        sidecar = scene.connect("b")
        sidecar.report(want=(wants(50, want=200), wants(50, want=200, of=TEAM)))

        assert sidecar.got_one(Grant).granted == 50
        assert sidecar.got_one(Denial).lease.charge == TEAM


def test_pools_of_different_users_do_not_hold_each_other_back() -> None:
    scene = Scene(per_user(limit=100))
    sidecar = scene.connect("a")
    people = PoolUid("acme/people")
    ana, ben = Charge(people, "ana"), Charge(people, "ben")
    sidecar.report(want=(wants(101, of=ana), wants(10, want=50, of=ben)))

    assert sidecar.got_one(Grant).granted == 50
