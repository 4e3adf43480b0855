"""What a pod that is known may have: of its own pools, and no holder that is another pod's."""

from dataclasses import replace

import pytest

from controller.events import WorkloadChanged
from controller.policies import policy_of
from farebox.core.budgets import Charge, PoolUid, Reserve
from farebox.core.leases import LeaseId
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.manifests.adoption import Loaded
from farebox.wire.messages import Denial, Grant, LeaseClosed, PolicyPush, Welcome, Workload
from tests.manifests.builders import load, pool_of
from tests.support.scenes import FOREVER, MINUTE, Scene, Sidecar, has, pool, wants

ROOT = pool("root", limit=1_000, selector=None, namespace="finance", uid=PoolUid("finance/root"))
BLUE = pool("blue", selector={"team": "blue"}, parent=ROOT.uid, limit=1_000)
RED = pool("red", selector={"team": "red"}, limit=1_000)
RICH = pool("rich", limit=1_000, namespace="rich", uid=PoolUid("rich/rich"))


def scene() -> Scene:
    return Scene(ROOT, BLUE, RED, RICH)


def of(name: str) -> Charge:
    return Charge(PoolUid(name), "")


def connect(scene: Scene, *leases: LeaseId, uid: str = "1", team: str = "blue") -> Sidecar:
    """The sidecar of a pod in the namespace acme."""
    told = tuple(has(lease, granted=100, spent=100) for lease in leases)
    return scene.connect("a", *told, labels={"team": team}, uid=uid)


@pytest.mark.parametrize(
    ("name", "lent"),
    [("acme/blue", True), ("finance/root", True), ("acme/red", False), ("rich/rich", False)],
)
def test_a_pod_is_lent_money_of_its_own_pools_and_their_parents(name: str, lent: bool) -> None:
    at = scene()
    sidecar = connect(at)
    sidecar.report(want=wants(10, of=of(name)))

    if lent:
        assert sidecar.got_one(Grant).granted == 10
    else:
        assert sidecar.got_one(Denial).reason is Reason.BUDGET_UNVERIFIABLE
        assert sidecar.got(Grant) == []
        assert at.engine.world.waiting == {}


def test_where_nobody_knows_who_speaks_any_pool_may_be_named() -> None:
    sidecar = connect(scene(), uid="")
    sidecar.report(want=wants(10, of=of("rich/rich")))
    assert sidecar.got_one(Grant).granted == 10


ACME = of("acme/blue")
FINANCE = of("finance/root")


def in_force(above: str, previous: Loaded | None = None) -> Loaded:
    """The pools of two namespaces, one above the other, as a folder has them."""
    return load(
        {
            "a.yaml": pool_of("finance", "root", above),
            "b.yaml": pool_of(
                "acme",
                "blue",
                "selector: {matchLabels: {}}\nparent: {name: root, namespace: finance}",
            ),
        },
        previous,
    )


def test_a_child_has_money_of_another_namespaces_pool_only_while_that_allows_it() -> None:
    shut, opened = in_force(""), in_force("allowedChildren: {namespaces: [acme]}")
    both = (wants(10, of=ACME), wants(10, of=FINANCE))
    at = Scene()
    at.apply(shut.resources)
    sidecar = connect(at)
    sidecar.report(want=both)
    assert_refused(sidecar)

    at.apply(opened.resources)
    sidecar.report(want=both)
    assert {one.lease.charge for one in sidecar.got(Grant)} == {ACME, FINANCE}
    assert len(sidecar.got(PolicyPush)) == 1
    held = at.engine.world.holders["a"].leases

    at.apply(in_force("", opened).resources)
    assert held, "what was lent stays lent"
    sidecar.report(*(has(one, granted=10, spent=10) for one in held), want=both)
    assert_refused(sidecar)
    assert at.engine.world.waiting == {}
    assert [one.uid for one in policy_kept(at).pools] == [ACME.pool, FINANCE.pool], (
        "it keeps the limits that it has, and gets no money of them"
    )


def assert_refused(sidecar: Sidecar) -> None:
    assert [one.reason for one in sidecar.got(Denial)] == [Reason.BUDGET_UNVERIFIABLE] * 2
    assert (sidecar.got(Grant), sidecar.got(PolicyPush)) == ([], [])


def policy_kept(at: Scene) -> Policy:
    policy = at.engine.world.holders["a"].policy
    assert policy is not None
    return policy


@pytest.mark.parametrize(
    ("name", "believed"),
    [
        ("acme/blue", True),
        ("acme/red", True),
        ("acme/deleted", True),
        ("finance/root", True),
        ("rich/rich", False),
        ("finance/deleted", False),
    ],
)
def test_money_that_the_ledger_does_not_know_is_believed_within_reach(
    name: str, believed: bool
) -> None:
    """Its labels may have changed since; its namespace can not."""
    at = scene()
    lease = LeaseId(of(name), 0)
    sidecar = connect(at, lease)

    assert sidecar.got_one(Welcome).accepted
    assert (lease in at.engine.world.holders["a"].leases) is believed
    assert (sidecar.got(LeaseClosed) == []) is believed
    assert any("not believed" in warning for warning in at.warnings) is not believed
    if not believed:
        sidecar.report(has(lease, granted=100, spent=50))
        assert lease not in at.engine.world.cells


@pytest.mark.parametrize("name", ["finance/root#normal", "acme/blue#normal"])
def test_what_keeps_a_reserve_free_is_within_reach_with_its_pool(name: str) -> None:
    kept = Reserve(percent=20)
    at = Scene(replace(ROOT, reserve=kept), replace(BLUE, reserve=kept))
    lease = LeaseId(of(name), 0)
    connect(at, lease)
    assert lease in at.engine.world.holders["a"].leases


def test_whoever_names_all_pools_of_others_is_told_so_once() -> None:
    at = scene()
    foreign = [LeaseId(Charge(RICH.uid, ""), window) for window in range(1_000)]
    sidecar = connect(at, *foreign)
    assert len(sidecar.got(LeaseClosed)) == 1_000
    (warning,) = at.warnings
    assert "reports 1000 leases that nobody can have lent it" in warning


def test_other_labels_lead_to_other_pools_and_are_kept() -> None:
    at = scene()
    sidecar = connect(at)
    sidecar.report(want=wants(10, of=of("acme/blue")))
    assert {one.name for one in sidecar.got_one(PolicyPush).policy.pools} == {"blue", "root"}

    changed = Workload(namespace="acme", name="pod-a", labels={"team": "red"}, uid="1")
    at.step(WorkloadChanged(sidecar.stream, changed))

    assert {one.name for one in sidecar.got_one(PolicyPush).policy.pools} == {"red"}
    assert at.tables.holders["a"].workload == changed
    assert at.engine.world.holders["a"].leases, "what was lent stays lent"
    sidecar.got(Grant)
    sidecar.report(want=(wants(10, of=of("acme/blue")), wants(20, of=of("acme/red"))))
    assert sidecar.got_one(Grant).granted == 20


@pytest.mark.parametrize(("team", "lent"), [("blue", 1), ("red", 0)])
def test_a_pod_that_has_left_a_pool_gets_nothing_of_its_next_window(team: str, lent: int) -> None:
    at = Scene(pool("blue", selector={"team": "blue"}, limit=1_000, window=MINUTE))
    sidecar = connect(at)
    sidecar.report(want=wants(100, of=of("acme/blue")))
    lease = sidecar.got_one(Grant).lease
    changed = Workload(namespace="acme", name="pod-a", labels={"team": team}, uid="1")
    at.step(WorkloadChanged(sidecar.stream, changed))
    at.pass_time(60_000 - 2 * at.terms.heartbeat)

    sidecar.report(has(lease, granted=100))
    assert len(sidecar.got(Grant)) == lent


def test_a_pod_that_has_left_a_pool_waits_for_nothing_of_it_any_more() -> None:
    at = scene()
    holds_all = at.connect("b", labels={"team": "blue"}, uid="2")
    holds_all.report(want=wants(1_000, of=of("acme/blue")))
    lease = holds_all.got_one(Grant).lease
    waits = connect(at)
    waits.report(want=wants(10, of=of("acme/blue")))
    assert at.engine.world.waiting

    changed = Workload(namespace="acme", name="pod-a", labels={"team": "red"}, uid="1")
    at.step(WorkloadChanged(waits.stream, changed))
    holds_all.report(has(lease, granted=1_000, returned=500))
    assert at.engine.world.waiting == {}
    assert waits.got(Grant) == []


def test_a_change_that_changes_nothing_is_not_written() -> None:
    at = scene()
    sidecar = connect(at)
    written = len(at.writes)
    same = Workload(namespace="acme", name="pod-a", labels={"team": "blue"}, uid="1")
    at.step(WorkloadChanged(sidecar.stream, same))
    at.step(WorkloadChanged(99, same))
    assert len(at.writes) == written
    assert len(sidecar.got(PolicyPush)) == 1


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("mine", "yours"), [("1", "2"), ("1", ""), ("", "2")])
def test_a_holder_is_one_pods_for_ever(mine: str, yours: str, restarted: bool) -> None:
    at = scene()
    rightful = at.connect("a", labels={"team": "blue"}, uid=mine)
    rightful.report(want=wants(300, of=of("acme/blue")))
    if restarted:
        at.restart()
    written = len(at.writes)

    thief = at.connect("a", boot_seq=9, labels={"team": "blue"}, uid=yours)

    assert not thief.got_one(Welcome).accepted
    assert thief.ended
    holder = at.engine.world.holders["a"]
    assert (holder.frozen, holder.boot_seq, len(holder.leases)) == (False, 1, 1)
    assert len(at.writes) == written
    assert "which belongs to another pod (acme/pod-a)" in at.warnings[-1]
    assert not rightful.ended


def test_its_own_pod_comes_again() -> None:
    at = scene()
    connect(at)
    at.restart()
    assert connect(at).got_one(Welcome).accepted


def test_a_pod_with_no_policy_yet_has_the_pools_that_follow_from_what_it_is() -> None:
    at = scene()
    sidecar = connect(at)
    at.engine.world.holders["a"].policy = None
    sidecar.report(want=(wants(10, of=of("acme/blue")), wants(20, of=of("acme/red"))))
    assert sidecar.got_one(Grant).lease.charge == of("acme/blue")
    assert FOREVER not in at.engine.world.cells
    workload = at.engine.world.holders["a"].workload
    assert policy_of(at.resources, workload, generation=1).pools
