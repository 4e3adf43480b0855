"""A bad resource never replaces a good one: what was in force stays until something good comes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.core.budgets import Mode, PoolUid
from farebox.manifests.adoption import Loaded
from tests.manifests.builders import (
    load,
    named_model,
    policy,
    pool,
    pool_of,
    task,
    tier,
    together,
)

BROKEN = "a: [\n"


def limits(loaded: Loaded) -> dict[str, int]:
    """The limits in force, in cents."""
    return {pool.name: pool.limit // 10**7 for pool in loaded.resources.pools.values()}


def fields(loaded: Loaded) -> list[str]:
    return [problem.field for problem in loaded.problems]


def child(name: str, parent: str) -> str:
    return pool(name, f"parent: {{name: {parent}}}")


def test_a_changed_resource_takes_effect() -> None:
    before = load({"a.yaml": pool("team", limit="1")})
    after = load({"a.yaml": pool("team", limit="2")}, before)
    assert (limits(after), after.problems) == ({"team": 200}, ())


def test_a_bad_resource_stays_as_it_was_while_its_neighbours_change() -> None:
    before = load({"a.yaml": together(pool("team", limit="1"), pool("other", limit="1"))})
    bad = load({"a.yaml": together(pool("team", limit="two"), pool("other", limit="2"))}, before)
    assert limits(bad) == {"team": 100, "other": 200}
    assert (fields(bad), bad.left_out) == (["spec.limit"], frozenset())
    still_bad = load({"a.yaml": together(pool("team", limit="2,5"))}, bad)
    assert limits(still_bad) == {"team": 100}
    good = load({"a.yaml": together(pool("team", limit="2.5"))}, still_bad)
    assert (limits(good), good.problems) == ({"team": 250}, ())


def test_a_bad_resource_that_was_never_good_is_left_out_and_named() -> None:
    loaded = load({"a.yaml": pool("team", limit="two")})
    assert limits(loaded) == {}
    assert {str(id_) for id_ in loaded.left_out} == {"BudgetPool/default/team"}


def test_where_a_limit_was_never_good_nobody_may_begin_to_spend() -> None:
    elsewhere = pool("other").replace("name: other", "name: other, namespace: batch")
    closed = load({"a.yaml": together(pool("team", limit="two"), elsewhere)}).resources
    assert closed.is_closed("default")
    assert not closed.is_closed("batch")
    mended = load({"a.yaml": together(pool("team", limit="2"), elsewhere)}).resources
    assert not mended.is_closed("default")


def test_a_file_of_which_nothing_was_ever_read_may_have_meant_any_namespace() -> None:
    assert load({"a.yaml": BROKEN, "b.yaml": pool("team")}).resources.is_closed("any")
    before = load({"a.yaml": pool("team")})
    assert not load({"a.yaml": BROKEN}, before).resources.is_closed("default"), "the cap stands"


def test_other_kinds_close_nothing() -> None:
    assert not load({"a.yaml": task("rag", "defaultTier: none")}).resources.is_closed("default")


def test_a_file_that_no_longer_parses_keeps_all_its_resources() -> None:
    before = load({"a.yaml": together(pool("one"), pool("two")), "b.yaml": pool("three")})
    after = load({"a.yaml": BROKEN, "b.yaml": pool("three", limit="3")}, before)
    assert limits(after) == {"one": 100, "two": 100, "three": 300}
    assert len(after.problems) == 1


def test_a_document_that_is_no_resource_keeps_what_its_file_had() -> None:
    before = load({"a.yaml": together(pool("one"), pool("two"))})
    misspelt = pool("two").replace("kind: BudgetPool", "kind: Budgetpool")
    after = load({"a.yaml": together(pool("one", limit="5"), misspelt)}, before)
    assert limits(after) == {"one": 500, "two": 100}
    assert fields(after) == ["kind"]


def test_a_resource_that_is_gone_is_removed() -> None:
    before = load({"a.yaml": together(pool("one"), pool("two")), "b.yaml": pool("three")})
    after = load({"a.yaml": pool("one")}, before)
    assert (limits(after), after.problems) == ({"one": 100}, ())


def test_a_resource_that_is_gone_is_removed_though_another_file_is_broken() -> None:
    before = load({"a.yaml": together(pool("one"), pool("two")), "b.yaml": pool("three")})
    after = load({"a.yaml": pool("one"), "b.yaml": BROKEN}, before)
    assert limits(after) == {"one": 100, "three": 100}


def test_a_file_renamed_and_damaged_at_once_loses_nothing() -> None:
    before = load({"a.yaml": pool("one")})
    after = load({"z.yaml": BROKEN}, before)
    assert limits(after) == {"one": 100}
    assert limits(load({"z.yaml": pool("one", limit="2")}, after)) == {"one": 200}


def test_a_resource_may_move_to_another_file() -> None:
    before = load({"a.yaml": together(pool("one"), pool("two"))})
    after = load({"a.yaml": pool("one"), "b.yaml": pool("two", limit="2")}, before)
    assert (limits(after), after.problems) == ({"one": 100, "two": 200}, ())


def test_of_two_the_first_counts() -> None:
    loaded = load({"a.yaml": pool("team", limit="1"), "b.yaml": pool("team", limit="2")})
    assert limits(loaded) == {"team": 100}
    assert [str(problem) for problem in loaded.problems] == [
        (
            "b.yaml:3: BudgetPool/default/team: metadata.name: is written at a.yaml:1 too, which "
            "counts: keep one of them"
        )
    ]


def test_a_second_one_does_not_take_over_from_the_one_in_force() -> None:
    before = load({"b.yaml": pool("team", limit="1")})
    after = load({"a.yaml": pool("team", limit="9"), "b.yaml": pool("team", limit="2")}, before)
    assert limits(after) == {"team": 200}
    assert [problem.file for problem in after.problems] == ["a.yaml"]


def test_a_circle_takes_back_the_change_that_closed_it() -> None:
    before = load({"a.yaml": pool("acme"), "b.yaml": child("team", "acme")})
    after = load({"a.yaml": child("acme", "team"), "b.yaml": child("team", "acme")}, before)
    pools = after.resources.pools
    assert {pool.name: pool.parent for pool in pools.values()} == {
        "acme": None,
        "team": "default/acme",
    }
    assert [problem.file for problem in after.problems] == ["a.yaml"]


def test_a_pool_put_above_a_full_path_is_taken_back() -> None:
    chain = [pool("p0"), *(child(f"p{n}", f"p{n - 1}") for n in range(1, 8))]
    before = load({"a.yaml": together(*chain)})
    assert before.problems == ()
    longer = [pool("top"), child("p0", "top"), *chain[1:]]
    after = load({"a.yaml": together(*longer)}, before)
    assert after.resources.pools[PoolUid("default/p0")].parent is None
    assert {problem.resource for problem in after.problems} == {
        "BudgetPool/default/p0",
        "BudgetPool/default/top",
    }


def test_a_pool_that_lost_its_parent_stays_in_force() -> None:
    before = load({"a.yaml": together(pool("acme"), child("team", "acme"))})
    after = load({"a.yaml": child("team", "acme")}, before)
    assert limits(after) == {"team": 100}
    assert fields(after) == ["spec.parent.name"]
    assert limits(load({"a.yaml": child("team", "acme")}, after)) == {"team": 100}


OPEN = pool_of("org", "acme", "allowedChildren: {namespaces: [shop]}")
SHUT = pool_of("org", "acme", "mode: Shadow")
TEAM = pool_of("shop", "team", "parent: {name: acme, namespace: org}")
BELOW = pool_of("shop", "below", "parent: {name: team}")
ALONE = pool_of("shop", "alone")


def names(loaded: Loaded) -> set[str]:
    return set(loaded.resources.pools)


def test_a_pool_whose_parent_allows_it_no_more_is_barred_with_all_below_it() -> None:
    before = load({"a.yaml": OPEN, "b.yaml": together(TEAM, BELOW, ALONE)})
    assert (before.problems, before.resources.closed) == ((), frozenset())

    after = load({"a.yaml": SHUT, "b.yaml": together(TEAM, BELOW, ALONE)}, before)
    assert names(after) == {"org/acme", "shop/alone"}
    assert after.resources.pools[PoolUid("org/acme")].mode is Mode.SHADOW, "it has its new version"
    assert after.resources.closed == {"shop"}, "nobody begins to spend without the limit"
    assert sorted(fields(after)) == ["spec.parent.name", "spec.parent.namespace"]
    assert {id_.name for id_ in after.left_out} == {"team", "below"}

    still = load({"a.yaml": SHUT, "b.yaml": together(TEAM, BELOW, ALONE)}, after)
    anew = load({"a.yaml": SHUT, "b.yaml": together(TEAM, BELOW, ALONE)})
    assert still.resources == replace(anew.resources, pools=still.resources.pools)
    assert (names(still), still.problems) == (names(anew), after.problems)


MENDED = {
    "allowed-again": (OPEN, together(TEAM, BELOW), {"org/acme", "shop/team", "shop/below"}),
    "without-parent": (
        SHUT,
        together(pool_of("shop", "team"), BELOW),
        {"org/acme", "shop/team", "shop/below"},
    ),
    "deleted-with-all-below-it": (SHUT, ALONE, {"org/acme", "shop/alone"}),
}


@pytest.mark.parametrize("case", MENDED)
def test_what_was_barred_is_mended(case: str) -> None:
    above, below, in_force = MENDED[case]
    before = load({"a.yaml": OPEN, "b.yaml": together(TEAM, BELOW)})
    barred = load({"a.yaml": SHUT, "b.yaml": together(TEAM, BELOW)}, before)
    assert names(barred) == {"org/acme"}

    after = load({"a.yaml": above, "b.yaml": below}, barred)
    assert (names(after), after.problems) == (in_force, ())
    assert (after.resources.closed, after.barred) == (frozenset(), {})


@pytest.mark.parametrize("bad", [TEAM.replace('"1.00"', "much"), BROKEN])
def test_a_bad_version_does_not_bring_a_barred_pool_back(bad: str) -> None:
    before = load({"a.yaml": OPEN, "b.yaml": TEAM})
    for _ in range(2):
        before = load({"a.yaml": SHUT, "b.yaml": bad}, before)
        assert (names(before), before.resources.closed) == ({"org/acme"}, frozenset({"shop"}))
    after = load({"a.yaml": OPEN, "b.yaml": bad}, before)
    assert names(after) == {"org/acme", "shop/team"}, "its last good version"


def test_a_pool_does_not_leave_its_parent_for_one_that_does_not_allow_it() -> None:
    rich = pool_of("rich", "rich")
    before = load({"a.yaml": together(OPEN, rich), "b.yaml": TEAM})
    moved = TEAM.replace("name: acme, namespace: org", "name: rich, namespace: rich")
    after = load({"a.yaml": together(OPEN, rich), "b.yaml": moved}, before)
    assert after.resources.pools[PoolUid("shop/team")].parent == "org/acme"
    assert (fields(after), after.resources.closed) == (["spec.parent.namespace"], frozenset())


def test_a_parent_that_is_refused_shuts_nobody_out() -> None:
    before = load({"a.yaml": OPEN, "b.yaml": TEAM})
    lost = pool_of("org", "acme", "parent: {name: nobody}")
    after = load({"a.yaml": lost, "b.yaml": TEAM}, before)
    assert names(after) == {"org/acme", "shop/team"}
    assert [problem.resource for problem in after.problems] == ["BudgetPool/org/acme"]


def test_a_rank_that_a_kept_tier_has_is_not_taken() -> None:
    before = load({"a.yaml": together(tier("small", 1), tier("large", 2, named_model("x")))})
    bad_large = tier("large", 2, named_model("x")).replace("128000", "many")
    after = load({"a.yaml": together(tier("small", 2), bad_large)}, before)
    assert [(one.name, one.rank) for one in after.resources.catalogue.tiers] == [
        ("small", 1),
        ("large", 2),
    ]
    assert sorted(fields(after)) == ["spec.models[0].contextWindow", "spec.rank"]


def test_two_tiers_may_swap_their_ranks() -> None:
    before = load({"a.yaml": together(tier("a", 1), tier("b", 2, named_model("x")))})
    after = load({"a.yaml": together(tier("a", 2), tier("b", 1, named_model("x")))}, before)
    assert [one.name for one in after.resources.catalogue.tiers] == ["b", "a"]
    assert after.problems == ()


def test_a_task_stays_with_its_tier_when_the_new_one_is_unknown() -> None:
    small = tier("small", 1)
    before = load({"a.yaml": small, "b.yaml": task("one", "defaultTier: small")})
    after = load({"a.yaml": small, "b.yaml": task("one", "defaultTier: huge")}, before)
    assert after.resources.tasks["default"][0].default_tier == "small"
    assert fields(after) == ["spec.defaultTier"]


def test_a_second_policy_does_not_take_over() -> None:
    before = load({"b.yaml": policy("mine")})
    after = load({"a.yaml": policy("other"), "b.yaml": policy("mine")}, before)
    assert after.resources.routing["default"].name == "mine"
    assert [problem.file for problem in after.problems] == ["a.yaml"]


def test_a_policy_may_be_replaced_by_another() -> None:
    before = load({"a.yaml": policy("mine")})
    after = load({"a.yaml": policy("other")}, before)
    assert after.resources.routing["default"].name == "other"
    assert after.problems == ()


def test_a_pool_counts_its_versions() -> None:
    steps = ["1", "1", "2", "two", "2", "3"]
    loaded: Loaded | None = None
    generations = []
    for limit in steps:
        loaded = load({"a.yaml": pool("team", limit=limit)}, loaded)
        generations.append(loaded.resources.pools[PoolUid("default/team")].generation)
    assert generations == [1, 1, 2, 2, 2, 3]


def test_what_is_as_before_is_the_same_object() -> None:
    one, other = PoolUid("default/team"), PoolUid("default/other")
    files = {"a.yaml": pool("team"), "b.yaml": pool("other"), "c.yaml": tier("small", 1)}
    before = load(files)
    after = load({**files, "b.yaml": pool("other", limit="3")}, before)
    assert after.resources.pools[one] is before.resources.pools[one]
    assert after.resources.pools[other] != before.resources.pools[other]
    assert after.resources.catalogue is before.resources.catalogue


def test_problems_are_in_the_order_of_files_and_lines() -> None:
    files = {
        "b.yaml": pool("b", "zzz: 1", limit="x"),
        "a.yaml": together(child("a", "nobody"), pool("c", limit="x")),
    }
    places = [(one.file, one.line) for one in load(files).problems]
    assert places == [("a.yaml", 6), ("a.yaml", 12), ("b.yaml", 5), ("b.yaml", 6)]


def test_an_empty_folder_has_nothing_in_force() -> None:
    loaded = load({})
    assert loaded.resources.pools == {}
    assert loaded.resources.catalogue.tiers == ()
    assert loaded.problems == ()


WHOLE = together(
    pool("acme"),
    pool("team", "per: User\nselector: {matchLabels: {app: x}}\nparent: {name: acme}"),
    tier("small", 1),
    task("intent", "match: {paths: [/v1]}\ndefaultTier: small"),
    policy("one"),
)


@settings(max_examples=150, deadline=None)
@given(
    start=st.integers(0, len(WHOLE)),
    length=st.integers(0, 12),
    written=st.text(st.sampled_from("\n\t :-[]{}#&*!|>%@`\"'aZ0.~\x00\u2028\ufeff<"), max_size=6),
)
def test_damage_of_any_kind_is_a_problem_or_a_change_and_never_a_crash(
    start: int, length: int, written: str
) -> None:
    before = load({"a.yaml": WHOLE})
    assert before.problems == ()
    after = load({"a.yaml": WHOLE[:start] + written + WHOLE[start + length :]}, before)
    for problem in after.problems:
        assert str(problem).isprintable()
        assert problem.line > 0
    if any(not problem.resource for problem in after.problems):
        assert before.resources.pools.keys() <= after.resources.pools.keys()
