"""Reminders come in the order of their times, and not before."""

from controller.agenda import Agenda, HolderSilent
from farebox.core.instant import UtcMs


def names(agenda: Agenda, now: int) -> list[str]:
    due = agenda.due(UtcMs(now))
    return [reminder.holder for reminder in due if isinstance(reminder, HolderSilent)]


def test_what_is_due_comes_in_the_order_of_its_time() -> None:
    agenda = Agenda()
    for at, name in ((30, "c"), (10, "a"), (20, "b"), (40, "d")):
        agenda.add(UtcMs(at), HolderSilent(name))

    assert names(agenda, 9) == []
    assert names(agenda, 30) == ["a", "b", "c"]
    assert names(agenda, 30) == []
    assert len(agenda) == 1


def test_equal_times_keep_their_order() -> None:
    agenda = Agenda()
    for name in "xyz":
        agenda.add(UtcMs(10), HolderSilent(name))

    assert names(agenda, 10) == ["x", "y", "z"]


def test_a_reminder_that_is_put_off_to_now_waits_for_the_next_time() -> None:
    agenda = Agenda()
    agenda.add(UtcMs(10), HolderSilent("a"))
    seen = 0
    for _ in agenda.due(UtcMs(10)):
        agenda.add(UtcMs(10), HolderSilent("a"))
        seen += 1

    assert seen == 1
    assert len(agenda) == 1
