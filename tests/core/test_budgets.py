"""A call draws on the pools of its pod and on all their ancestors, on each of them once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.budgets import (
    DEPTH_MAX,
    NO_KEY,
    Charge,
    Keys,
    Per,
    Pool,
    PoolUid,
    charges_of,
    key_of,
    path_of,
    pools_of_pod,
    request_cap,
)
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME


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


def test_an_ancestor_that_selects_the_pod_itself_is_charged_once() -> None:
    found = pools_of_pod(POOLS, namespace="team", labels={"app": "chat"})
    assert len({one.uid for one in found}) == len(found)


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
