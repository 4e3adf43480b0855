"""Sums of what sidecars count: they never fall, and nothing is counted twice."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import observations
from controller.observations import HOUR_MS, Observations, TaskId
from farebox.core.instant import UtcMs
from farebox.core.tallies import OTHER
from tests.support.tallies import made, told

NOW = UtcMs(1_790_000_000_000)
INTENT = TaskId("acme", "intent")
MINUTE = HOUR_MS // 60


def test_tallies_of_several_sidecars_are_added_up() -> None:
    seen = Observations()
    seen.hear("acme", told(made(10), incarnation=1), NOW)
    seen.hear("acme", told(made(5), incarnation=2), NOW)
    seen.hear("other", told(made(3), incarnation=3), NOW)
    assert [(one, row.total.calls) for one, row in seen] == [
        (INTENT, 15),
        (TaskId("other", "intent"), 3),
    ]


def test_the_same_said_twice_counts_once_and_what_is_late_not_at_all() -> None:
    seen = Observations()
    for calls in (10, 10, 4, 12):
        seen.hear("acme", told(made(calls)), NOW)
    assert seen.rows[INTENT].total.calls == 12
    assert seen.rows[INTENT].total.cost == 120


def test_a_restarted_sidecar_begins_at_nothing_and_the_sum_does_not_fall() -> None:
    seen = Observations()
    seen.hear("acme", told(made(10), incarnation=1), NOW)
    seen.hear("acme", told(made(2), incarnation=2), NOW)
    assert seen.rows[INTENT].total.calls == 12


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=30), st.randoms())
def test_whatever_order_messages_come_in_the_sum_is_of_what_was_counted(
    said: list[tuple[int, int]], chance: random.Random
) -> None:
    counted: dict[int, int] = {}
    messages = []
    for incarnation, more in said:
        counted[incarnation] = counted.get(incarnation, 0) + more
        messages.append(told(made(counted[incarnation]), incarnation=incarnation))
    shuffled = [*messages, *messages]
    chance.shuffle(shuffled)
    seen, before = Observations(), 0
    for message in shuffled:
        seen.hear("acme", message, NOW)
        after = seen.rows[INTENT].total.calls if seen.rows else 0
        assert after >= before
        before = after
    assert before == sum(counted.values())


def test_what_happened_long_ago_is_no_longer_of_late() -> None:
    seen = Observations()
    seen.hear("acme", told(made(10)), NOW)
    seen.hear("acme", told(made(12)), UtcMs(NOW + 30 * MINUTE))
    seen.pass_to(UtcMs(NOW + 59 * MINUTE))
    assert seen.rows[INTENT].recent.calls == 12
    seen.pass_to(UtcMs(NOW + 60 * MINUTE))
    assert seen.rows[INTENT].recent.calls == 2
    seen.pass_to(UtcMs(NOW + 91 * MINUTE))
    assert (seen.rows[INTENT].recent.calls, seen.rows[INTENT].total.calls) == (0, 12)
    assert not seen.rows[INTENT].buckets


def test_a_new_controller_takes_what_old_sidecars_counted_for_history() -> None:
    seen = Observations()
    seen.hear("acme", told(made(1_000), age=HOUR_MS + 1), NOW)
    seen.hear("acme", told(made(1_003), age=HOUR_MS + 2), NOW)
    row = seen.rows[INTENT]
    assert (row.total.calls, row.recent.calls) == (1_003, 3)


def test_a_task_beyond_the_bound_counts_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "TASKS_MAX", 2)
    monkeypatch.setattr(observations, "ROWS_MAX", 4)
    seen = Observations()
    for task in ("a", "b", "c", "d", "a"):
        seen.hear("acme", told(made(1), task=task, incarnation=ord(task)), NOW)
    seen.hear("quiet", told(made(1), task="a", incarnation=7), NOW)
    seen.hear("late", told(made(1), task="a", incarnation=8), NOW)
    assert {one: row.total.calls for one, row in seen} == {
        TaskId("acme", "a"): 1,
        TaskId("acme", "b"): 1,
        TaskId("acme", OTHER): 2,
        TaskId("quiet", "a"): 1,
        TaskId(OTHER, OTHER): 1,
    }


def test_a_forgotten_sidecar_that_comes_back_is_not_counted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observations, "INCARNATIONS_MAX", 2)
    seen = Observations()
    for incarnation in (1, 2, 3):
        seen.hear("acme", told(made(10), incarnation=incarnation, age=5), NOW)
    seen.hear("acme", told(made(11), incarnation=1, age=1_005), UtcMs(NOW + 1_000))
    seen.hear("acme", told(made(14), incarnation=1, age=2_005), UtcMs(NOW + 2_000))
    assert seen.rows[INTENT].total.calls == 33


def test_a_process_that_makes_up_tasks_is_remembered_with_so_many_of_them() -> None:
    seen = Observations()
    for number in range(10_000):
        seen.hear("acme", told(made(1), task=f"task-{number}"), NOW)
    seen.hear("acme", told(made(5), task="task-0"), NOW)
    assert sum(row.total.calls for _, row in seen) == observations.TOLD_MAX + 4
    assert max(map(len, seen._told.values())) == observations.TOLD_MAX
