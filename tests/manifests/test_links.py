"""What must hold between resources, on a first reading where nothing was in force."""

from collections.abc import Mapping

import pytest

from farebox.core.budgets import DEPTH_MAX
from tests.manifests.builders import (
    MODEL,
    load,
    load_text,
    named_model,
    policy,
    pool,
    pool_of,
    task,
    tier,
    together,
)


def child(name: str, parent: str, *, namespace: str = "") -> str:
    """A pool whose parent's name is in line 7, and its namespace in line 8."""
    more = f"  namespace: {namespace}\n" if namespace else ""
    return pool(name, f"parent:\n  name: {parent}\n{more}")


def outcome(files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What is in force, and the problems."""
    loaded = load(files)
    assert {str(id_) for id_ in loaded.left_out} == {one.resource for one in loaded.problems}
    return sorted(str(id_) for id_ in loaded.sources), [str(one) for one in loaded.problems]


def test_a_parent_that_is_missing() -> None:
    files = {"a.yaml": pool("acme"), "b.yaml": child("team", "acm")}
    assert outcome(files) == (
        ["BudgetPool/default/acme"],
        [
            (
                "b.yaml:7: BudgetPool/default/team: spec.parent.name: there is no pool "
                "default/acm in force: did you mean default/acme?"
            )
        ],
    )


def test_a_parent_in_another_namespace() -> None:
    files = {"a.yaml": pool("acme"), "b.yaml": child("team", "acme", namespace="org")}
    assert "there is no pool org/acme in force: write one of default/acme" in outcome(files)[1][0]


OPENED = {
    "to-nobody": ("", "shop", False),
    "to-its-own-without-saying-so": ("", "org", True),
    "to-another": ("allowedChildren: {namespaces: [shop]}", "batch", False),
    "to-its-own-still": ("allowedChildren: {namespaces: [batch]}", "org", True),
    "to-this-one": ("allowedChildren: {namespaces: [batch, shop]}", "shop", True),
    "to-one-that-is-called-alike": ("allowedChildren: {namespaces: [shop-2]}", "shop", False),
    "to-all": ('allowedChildren: {namespaces: ["*"]}', "shop", True),
}


@pytest.mark.parametrize("case", OPENED)
def test_a_parent_says_whose_pools_may_be_below_it(case: str) -> None:
    spec, namespace, allowed = OPENED[case]
    team = pool_of(namespace, "team", "parent:\n  name: acme\n  namespace: org\n")
    in_force, problems = outcome({"a.yaml": pool_of("org", "acme", spec), "b.yaml": team})
    if allowed:
        assert problems == []
        return
    assert in_force == ["BudgetPool/org/acme"]
    (problem,) = problems
    assert problem == (
        f"b.yaml:8: BudgetPool/{namespace}/team: spec.parent.namespace: pool org/acme does not "
        f"allow children of namespace {namespace}: write {namespace} into its "
        "spec.allowedChildren.namespaces, or name another parent here"
    )


def test_a_wrong_parent_is_told_of_no_pool_that_it_may_not_have() -> None:
    files = {
        "a.yaml": together(
            pool_of("org", "secret"),
            pool_of("org", "open", "allowedChildren: {namespaces: [shop]}"),
            pool_of("shop", "own"),
        ),
        "b.yaml": pool_of("shop", "team", "parent: {name: secrets, namespace: org}"),
    }
    (problem,) = outcome(files)[1]
    assert problem.endswith(
        "there is no pool org/secrets in force: write one of org/open, shop/own"
    )


def test_what_is_below_a_pool_that_may_not_attach_is_not_in_force_either() -> None:
    files = {
        "a.yaml": together(
            pool_of("org", "acme"),
            pool_of(
                "shop",
                "team",
                "parent: {name: acme, namespace: org}\nallowedChildren: {namespaces: [till]}",
            ),
            pool_of("till", "till", "parent: {name: team, namespace: shop}"),
        )
    }
    in_force, problems = outcome(files)
    assert in_force == ["BudgetPool/org/acme"]
    assert [problem.split(": ")[1:3] for problem in problems] == [
        ["BudgetPool/shop/team", "spec.parent.namespace"],
        ["BudgetPool/till/till", "spec.parent.name"],
    ]
    assert "pool shop/team can't be in force, since it or one above it has a parent" in problems[1]


def test_a_parent_that_has_a_problem_takes_its_children_along_on_a_first_reading() -> None:
    files = {"a.yaml": pool("acme", limit="much"), "b.yaml": child("team", "acme")}
    in_force, problems = outcome(files)
    assert in_force == []
    assert [problem.split(": ")[2] for problem in problems] == ["spec.limit", "spec.parent.name"]
    assert "there is no pool default/acme in force: there is none yet" in problems[1]


def test_a_circle_of_parents_is_named_whole() -> None:
    text = together(child("a", "b"), child("b", "c"), child("c", "a"), child("d", "a"), pool("e"))
    in_force, problems = outcome({"a.yaml": text})
    assert in_force == ["BudgetPool/default/e"]
    assert len(problems) == 4
    assert problems[0] == (
        "a.yaml:7: BudgetPool/default/a: spec.parent.name: is its own ancestor, default/a -> "
        "default/b -> default/c -> default/a: take the parent out of one of them"
    )
    assert "there is no pool default/a in force" in problems[3]


def test_a_pool_that_is_its_own_parent() -> None:
    (problem,) = load_text(child("a", "a")).problems
    assert "is its own ancestor, default/a -> default/a" in problem.message


def test_a_path_that_is_too_long() -> None:
    chain = [pool("p0"), *(child(f"p{n}", f"p{n - 1}") for n in range(1, DEPTH_MAX + 1))]
    in_force, problems = outcome({"a.yaml": together(*chain)})
    assert len(in_force) == DEPTH_MAX
    (problem,) = problems
    assert f"BudgetPool/default/p{DEPTH_MAX}: spec.parent.name: makes default/p8 the 9th" in problem
    assert "default/p8 -> default/p7 -> " in problem
    assert "at most 8 may be above one another" in problem


def test_two_tiers_of_one_rank() -> None:
    text = together(tier("a", 1), tier("b", 1, named_model("x")))
    assert outcome({"a.yaml": text})[1] == [
        (
            "a.yaml:18: ModelTier/b: spec.rank: rank 1 is taken by ModelTier/a (a.yaml:5): write "
            "another rank"
        )
    ]


@pytest.mark.parametrize("second", [tier("b", 2), tier("b", 2, named_model("gpt-4o-mini"))])
def test_two_models_of_one_name(second: str) -> None:
    (problem,) = load({"a.yaml": tier("a", 1), "b.yaml": second}).problems
    assert str(problem) == (
        "b.yaml:8: ModelTier/b: spec.models[0].name: the model name gpt-4o-mini is taken by "
        'ModelTier/a (a.yaml:8): write another name, and the provider\'s own name into "model"'
    )


def test_two_models_of_one_name_in_one_tier() -> None:
    model = MODEL.replace("\n", "\n  ").rstrip(" ")
    text = tier("a", 1, MODEL) + "  - " + model.replace("\n", "\n  ").rstrip() + "\n"
    (problem,) = load_text(text).problems
    assert (problem.line, problem.field) == (13, "spec.models[1].name")
    assert "taken by ModelTier/a (a.yaml:8)" in problem.message


def test_tiers_that_cross() -> None:
    tiers = together(
        tier("small", 1), tier("mid", 2, named_model("x")), tier("large", 3, named_model("y"))
    )
    tasks = together(
        task("one", "defaultTier: mid\nfloorTier: large"),
        task("two", "defaultTier: mid\nceilingTier: small"),
        task("three", "defaultTier: mid\nfloorTier: small\nceilingTier: large"),
    )
    in_force, problems = outcome({"a.yaml": tiers, "b.yaml": tasks})
    assert "TaskProfile/default/three" in in_force
    assert problems == [
        (
            "b.yaml:5: TaskProfile/default/one: spec.defaultTier: is mid of rank 2, below the "
            "floorTier large of rank 3: write a tier of at least that rank"
        ),
        (
            "b.yaml:13: TaskProfile/default/two: spec.ceilingTier: is small of rank 1, below the "
            "defaultTier mid of rank 2: write a tier of at least that rank"
        ),
    ]


SHARED_MARKS = {
    "alias": ("modelAliases: [x]", "modelAliases: [x]", "the model alias x"),
    "path": ("paths: [/v1/x]", "paths: [/v1/y, /v1/x]", "the path /v1/x"),
    "header": ("headerValues: [x]", "headerValues: [x]", "the task header value x"),
    "name": ("headerValues: [two]", "headerValues: [y]", "the task header value two"),
    "name-of-other": ("paths: []", "headerValues: [one]", "the task header value one"),
    "prompt": (
        "systemFingerprints: [0123456789abcdef]",
        "systemFingerprints: [0123456789abcdef]",
        "the fingerprint 0123456789abcdef",
    ),
}


@pytest.mark.parametrize("case", SHARED_MARKS)
def test_two_tasks_that_share_a_mark(case: str) -> None:
    first, second, says = SHARED_MARKS[case]
    files = {
        "a.yaml": tier("small", 1),
        "b.yaml": task("one", f"defaultTier: small\nmatch:\n  {first}"),
        "c.yaml": task("two", f"defaultTier: small\nmatch:\n  {second}"),
    }
    (problem,) = load(files).problems
    assert (problem.file, problem.resource) == ("c.yaml", "TaskProfile/default/two")
    assert f"{says} in namespace default is taken by TaskProfile/default/one" in problem.message


def test_tasks_of_two_namespaces_may_share_marks() -> None:
    other = task("one", "defaultTier: small").replace("{name", "{namespace: other, name")
    text = together(tier("small", 1), task("one", "defaultTier: small"), other)
    loaded = load_text(text)
    assert loaded.problems == ()
    assert {namespace: len(tasks) for namespace, tasks in loaded.resources.tasks.items()} == {
        "default": 1,
        "other": 1,
    }


def test_two_policies_of_one_namespace() -> None:
    in_force, problems = outcome({"a.yaml": together(policy("one"), policy("two"))})
    assert in_force == ["RoutingPolicy/default/one"]
    assert problems == [
        (
            "a.yaml:9: RoutingPolicy/default/two: metadata.name: the one RoutingPolicy of "
            "namespace default is taken by RoutingPolicy/default/one (a.yaml:3): keep one of them"
        )
    ]
