"""A policy is one value: equal by content, never changed in part."""

from dataclasses import FrozenInstanceError

import pytest

from farebox.core.policy import Policy
from tests.support.policies import make_policy


def test_an_empty_policy_has_no_pools_no_models_and_no_tasks() -> None:
    empty = Policy()
    assert (empty.pools, empty.tasks, list(empty.catalogue)) == ((), (), [])


def test_policies_with_the_same_content_are_the_same() -> None:
    assert make_policy() == make_policy()


def test_no_part_of_a_policy_is_changed_in_place() -> None:
    policy = make_policy()
    with pytest.raises(FrozenInstanceError):
        policy.pools = ()  # type: ignore[misc]  # the point of the test
