"""The policy in force, and the names that it lets callers use."""

from dataclasses import replace

from farebox.core.tasks import TaskMatch, TaskProfile
from sidecar.policy import PolicyHolder, names_served
from tests.support.policies import make_policy


def test_there_is_none_until_one_has_come_and_then_the_newest() -> None:
    holder = PolicyHolder()
    assert holder.current is None
    first, second = make_policy(), replace(make_policy(), generation=2)
    holder.replace(first)
    holder.replace(second)
    assert holder.current is second


def test_what_a_policy_names_is_filled_in_once() -> None:
    holder = PolicyHolder(lambda policy: replace(policy, generation=policy.generation + 6))
    holder.replace(make_policy())
    assert holder.current is not None
    assert holder.current.generation == 7


def test_callers_may_name_models_and_aliases_of_tasks() -> None:
    task = TaskProfile(name="rag", default_tier="mid", match=TaskMatch(aliases=("answers", "o1")))
    policy = replace(make_policy(), tasks=(task,))
    assert names_served(policy) == ("farebox/auto", "answers", "o1", "gpt-4o-mini", "gpt-4o")
