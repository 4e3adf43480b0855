"""A call draws on the pools of its pod and on all their ancestors, on each of them once."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.budgets import (
    DEPTH_MAX,
    HOUR_MS,
    NO_KEY,
    Charge,
    Keys,
    Override,
    Per,
    Pool,
    PoolUid,
    Priority,
    Reserve,
    bucket_rate,
    by_namespace,
    charges_of,
    effective_limit,
    key_of,
    normal_uid,
    path_of,
    pools_of_pod,
    request_cap,
    with_reserves,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, CalendarUnit, WindowSpec, WindowType


def pool(name: str, namespace: str = "team", **changes: object) -> Pool:
    made = Pool(
        uid=PoolUid(f"{namespace}/{name}"),
        namespace=namespace,
        name=name,
        generation=1,
        limit=Nanos(100),
        window=LIFETIME,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the caller names fields of Pool


def by_uid(*pools: Pool) -> dict[PoolUid, Pool]:
    return {one.uid: one for one in pools}


ACME = pool("acme", "org")
TEAM = pool("all", selector={}, parent=ACME.uid)
CHAT = pool("chat", selector={"app": "chat"}, parent=TEAM.uid)
DAILY = pool("daily", selector={"app": "chat"}, parent=ACME.uid)
ELSEWHERE = pool("theirs", "other", selector={})
POOLS = by_uid(ACME, TEAM, CHAT, DAILY, ELSEWHERE)


@pytest.mark.parametrize(
    ("case", "namespace", "labels", "names"),
    [
        ("a pod that two pools select", "team", {"app": "chat"}, ["chat", "all", "daily", "acme"]),
        ("labels beyond the selector do no harm", "team", {"app": "x", "b": "c"}, ["all", "acme"]),
        ("a pod without labels is in the pool of all", "team", {}, ["all", "acme"]),
        ("a pod elsewhere draws on its own pools", "other", {"app": "chat"}, ["theirs"]),
        ("a pool without a selector selects nothing", "org", {"app": "chat"}, []),
        ("an unknown namespace has no pools", "nowhere", {}, []),
    ],
)
def test_the_pools_of_a_pod(
    case: str, namespace: str, labels: dict[str, str], names: list[str]
) -> None:
    found = pools_of_pod(POOLS, namespace=namespace, labels=labels)
    assert [one.name for one in found] == names, case
    own = by_namespace(POOLS.values()).get(namespace, ())
    assert pools_of_pod(POOLS, namespace=namespace, labels=labels, own=own) == found, case


def test_an_ancestor_that_selects_the_pod_itself_is_charged_once() -> None:
    found = pools_of_pod(POOLS, namespace="team", labels={"app": "chat"})
    assert len({one.uid for one in found}) == len(found)


@pytest.mark.parametrize(
    ("allowed", "namespace", "allows"),
    [
        ([], "org", True),
        ([], "team", False),
        (["team"], "team", True),
        (["team"], "org", True),
        (["team"], "other", False),
        (["*"], "other", True),
    ],
)
def test_a_pool_has_children_of_its_own_namespace_and_those_that_it_allows(
    allowed: list[str], namespace: str, *, allows: bool
) -> None:
    open_ = pool("acme", "org", allowed_children=frozenset(allowed), reserve=Reserve(percent=20))
    assert open_.allows_children_of(namespace) is allows
    normal = with_reserves(by_uid(open_))[normal_uid(open_.uid)]
    assert normal.allowed_children == frozenset()


def test_a_missing_parent_ends_the_path() -> None:
    orphan = pool("orphan", selector={}, parent=PoolUid("gone/away"))
    assert path_of(by_uid(orphan), orphan.uid) == (orphan,)
    assert pools_of_pod(by_uid(orphan), namespace="team", labels={}) == (orphan,)


def test_parents_in_a_circle_end_at_the_greatest_depth() -> None:
    one = pool("one", selector={}, parent=PoolUid("team/other"))
    other = pool("other", parent=one.uid)
    assert len(path_of(by_uid(one, other), one.uid)) == DEPTH_MAX
    found = pools_of_pod(by_uid(one, other), namespace="team", labels={})
    assert {member.name for member in found} == {"one", "other"}


@st.composite
def forests(draw: st.DrawFn) -> dict[PoolUid, Pool]:
    """Pools of which each may hang below an earlier one, no deeper than is allowed."""
    made: list[Pool] = []
    for number in range(draw(st.integers(1, 10))):
        shallow = [p.uid for p in made if len(path_of(by_uid(*made), p.uid)) < DEPTH_MAX]
        parent = draw(st.none() | st.sampled_from(shallow)) if shallow else None
        selector = draw(st.none() | st.just({}) | st.just({"app": "chat"}))
        made.append(pool(f"p{number}", parent=parent, selector=selector))
    return by_uid(*draw(st.permutations(made)))


@given(forests())
def test_leaves_come_before_roots_and_no_ancestor_is_left_out(pools: dict[PoolUid, Pool]) -> None:
    found = pools_of_pod(pools, namespace="team", labels={"app": "chat"})
    uids = [one.uid for one in found]
    assert len(set(uids)) == len(uids)
    for at, one in enumerate(found):
        assert one.parent is None or one.parent in uids[at + 1 :]
    chosen = {one.uid for one in pools.values() if one.selector is not None}
    needed = {member.uid for uid in chosen for member in path_of(pools, uid)}
    assert set(uids) == needed


KEYS = Keys(session="s-1", user="ana", workflow="nightly")


@pytest.mark.parametrize(
    ("per", "key"),
    [
        (Per.SHARED, ""),
        (Per.REQUEST, ""),
        (Per.SESSION, "s-1"),
        (Per.USER, "ana"),
        (Per.WORKFLOW, "nightly"),
    ],
)
def test_the_key_of_a_sub_pool_is_what_the_call_says_of_itself(per: Per, key: str) -> None:
    assert key_of(per, KEYS) == key


@pytest.mark.parametrize("per", [Per.SESSION, Per.USER, Per.WORKFLOW])
def test_calls_that_say_nothing_share_one_sub_pool(per: Per) -> None:
    assert key_of(per, Keys()) == NO_KEY


def test_a_call_is_charged_to_each_pool_with_its_own_key_and_not_to_request_pools() -> None:
    pools = [pool("u", per=Per.USER), pool("cap", per=Per.REQUEST), pool("all")]
    assert charges_of(pools, KEYS) == (
        Charge(PoolUid("team/u"), "ana"),
        Charge(PoolUid("team/all"), ""),
    )


def test_the_smallest_request_pool_caps_every_call() -> None:
    wide = pool("wide", per=Per.REQUEST, limit=Nanos(90))
    narrow = pool("narrow", per=Per.REQUEST, limit=Nanos(10))
    assert request_cap([wide, pool("tiny", limit=Nanos(1)), narrow]) == narrow
    assert request_cap([pool("tiny", limit=Nanos(1))]) is None


def test_people_see_a_pool_by_namespace_and_name() -> None:
    assert ACME.title == "org/acme"


# Reserves.

RESERVED = pool("org", selector={}, reserve=Reserve(percent=20), limit=Nanos(1_000))


def test_a_pool_with_a_reserve_has_a_pool_of_the_rest_below_it() -> None:
    pools = with_reserves(by_uid(RESERVED, ACME))
    assert set(pools) == {RESERVED.uid, ACME.uid, normal_uid(RESERVED.uid)}
    normal = pools[PoolUid("team/org#normal")]
    assert (normal.limit, normal.parent, normal.normal_of) == (800, RESERVED.uid, RESERVED.uid)
    assert (normal.title, normal.selector, normal.reserve) == ("team/org (normal)", None, None)
    assert replace(normal, limit=RESERVED.limit, uid=RESERVED.uid, name=RESERVED.name) == replace(
        RESERVED, selector=None, reserve=None, parent=RESERVED.uid, normal_of=RESERVED.uid
    )


@given(st.integers(0, 10**18), st.integers(1, 99))
def test_the_rest_beside_a_reserve_is_rounded_down(limit: int, percent: int) -> None:
    reserved = replace(RESERVED, limit=Nanos(limit), reserve=Reserve(percent=percent))
    normal = with_reserves(by_uid(reserved))[normal_uid(reserved.uid)]
    assert normal.limit * 100 <= limit * (100 - percent) < (normal.limit + 1) * 100


def test_whatever_else_limits_a_pool_is_scaled_with_its_reserve() -> None:
    window = WindowSpec(type=WindowType.TOKEN_BUCKET, refill_per_hour=Nanos(50), burst=Nanos(10))
    override = Override(limit=Nanos(2_000), until=UtcMs(9))
    reserved = replace(RESERVED, window=window, override=override)
    normal = with_reserves(by_uid(reserved))[normal_uid(reserved.uid)]
    assert normal.window == replace(window, refill_per_hour=Nanos(40), burst=Nanos(8))
    assert normal.override == replace(override, limit=Nanos(1_600))


def test_a_cap_of_single_calls_has_no_reserve() -> None:
    cap = replace(RESERVED, per=Per.REQUEST)
    assert with_reserves(by_uid(cap)) == by_uid(cap)


def test_a_pod_has_the_rest_right_before_the_pool_it_belongs_to() -> None:
    leaf = pool("leaf", selector={}, parent=RESERVED.uid)
    far = pool("far", selector={}, parent=leaf.uid, reserve=Reserve(percent=50))
    pools = with_reserves(by_uid(RESERVED, leaf, far))
    found = pools_of_pod(pools, namespace="team", labels={})
    assert [one.name for one in found] == ["far (normal)", "far", "leaf", "org (normal)", "org"]


def test_normal_calls_are_charged_to_the_rest_too_and_high_ones_are_not() -> None:
    users = pool("users", selector={}, per=Per.USER, reserve=Reserve(percent=10))
    pools = pools_of_pod(with_reserves(by_uid(users, RESERVED)), namespace="team", labels={})
    high = (Charge(RESERVED.uid, ""), Charge(users.uid, "ana"))
    assert charges_of(pools, KEYS, Priority.HIGH) == high
    assert (
        charges_of(pools, KEYS)
        == charges_of(pools, KEYS, Priority.NORMAL)
        == (
            Charge(normal_uid(RESERVED.uid), ""),
            high[0],
            Charge(normal_uid(users.uid), "ana"),
            high[1],
        )
    )


# Limits that change.


@pytest.mark.parametrize(
    ("case", "now", "limit"),
    [
        ("while it lasts", 999, 500),
        ("at its end the pool's own limit holds again", 1_000, 100),
        ("and after it", 1_001, 100),
    ],
)
def test_an_override(case: str, now: int, limit: int) -> None:
    raised = pool("raised", override=Override(limit=Nanos(500), until=UtcMs(1_000)))
    assert effective_limit(raised, UtcMs(now)) == limit, case
    assert effective_limit(pool("plain"), UtcMs(now)) == 100


@pytest.mark.parametrize(
    ("case", "window", "size", "refill", "per"),
    [
        ("the limit, once in a period", {"period": DurationMs(60_000)}, 500, 500, 60_000),
        ("a smaller burst", {"period": DurationMs(60_000), "burst": Nanos(7)}, 7, 500, 60_000),
        ("a refill of its own", {"refill_per_hour": Nanos(9)}, 500, 9, HOUR_MS),
        ("both", {"refill_per_hour": Nanos(9), "burst": Nanos(7)}, 7, 9, HOUR_MS),
        ("nothing said, nothing flows in", {}, 500, 0, HOUR_MS),
        ("months have no one length", {"period": CalendarUnit.MONTH}, 500, 0, HOUR_MS),
    ],
)
def test_the_rate_of_a_token_bucket_follows_the_limit_in_force(
    case: str, window: dict[str, Any], size: int, refill: int, per: int
) -> None:
    spec = WindowSpec(type=WindowType.TOKEN_BUCKET, **window)
    override = Override(limit=Nanos(500), until=UtcMs(1))
    rate = bucket_rate(pool("bucket", window=spec, override=override), UtcMs(0))
    assert (rate.size, rate.refill, rate.per) == (size, refill, per), case
