"""Patches: small where little changed, and right for any two values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.injection.patch import difference, is_same
from tests.support.admission import patched

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abcd")}, optional={"n": inner}),
            max_size=5,
        )
        | st.dictionaries(st.sampled_from(["name", "b", "a/b", "~1", "0", ""]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(before=VALUES, after=VALUES)
def test_the_patched_first_value_is_the_second(before: Any, after: Any) -> None:
    patch = json.loads(json.dumps(difference(before, after)))

    assert is_same(patched(before, patch), after)
    assert {step["op"] for step in patch} <= {"add", "remove", "replace"}


@given(value=VALUES)
def test_nothing_is_patched_where_nothing_differs(value: Any) -> None:
    assert difference(value, json.loads(json.dumps(value))) == []


@pytest.mark.parametrize(
    ("what", "before", "after", "patch"),
    [
        ("an entry put first moves no other", ["a", "b"], ["x", "a", "b"], ["add /0"]),
        ("an entry at the end", ["a"], ["a", "x"], ["add /1"]),
        ("one taken out of the middle", ["a", "x", "b"], ["a", "b"], ["remove /1"]),
        ("several taken out, the last first", ["a", "b"], [], ["remove /1", "remove /0"]),
        ("a field within an entry", [{"n": 1, "m": 2}], [{"n": 1, "m": 3}], ["replace /0/m"]),
        (
            "an entry put before one of a name that changes as well",
            [{"name": "a", "n": 1}, {"name": "b"}],
            [{"name": "x"}, {"name": "a", "n": 2}],
            ["remove /1", "add /0", "replace /1/n"],
        ),
        (
            "names in another order",
            [{"name": "a"}, {"name": "b"}],
            [{"name": "b"}, {"name": "a"}],
            ["replace /0/name", "replace /1/name"],
        ),
        ("a group that was absent", {}, {"a": {"b": 1}}, ["add /a"]),
        ("names with slashes and tildes", {}, {"a/b~c": 1}, ["add /a~1b~0c"]),
        ("true is not 1", {"a": True}, {"a": 1}, ["replace /a"]),
        ("null is not absent", {"a": None}, {}, ["remove /a"]),
    ],
)
def test_a_patch_says_no_more_than_it_must(
    what: str, before: Any, after: Any, patch: list[str]
) -> None:
    steps = [f"{step['op']} {step['path']}" for step in difference(before, after)]
    assert steps == patch
