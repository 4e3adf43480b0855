"""Virtual time."""

from bench.leases_timeline import Timeline


def test_things_happen_in_the_order_of_their_times_and_then_of_their_planning() -> None:
    timeline, seen = Timeline(), list[str]()
    for delay, name in ((5, "late"), (1, "first"), (1, "second")):
        timeline.after(delay, lambda name=name: seen.append(f"{name}@{timeline.now}"))  # type: ignore[misc]  # mypy can't infer a lambda with a default
    timeline.run(10)
    assert seen == ["first@1", "second@1", "late@5"]


def test_what_is_planned_for_later_than_the_end_does_not_happen() -> None:
    timeline, seen = Timeline(), list[int]()
    timeline.after(11, lambda: seen.append(1))
    timeline.run(10)
    assert (seen, timeline.now) == ([], 10)


def test_it_stops_when_it_is_over() -> None:
    timeline, seen = Timeline(), list[int]()

    def stop() -> None:
        timeline.over = True

    timeline.after(1, stop)
    timeline.after(2, lambda: seen.append(1))
    timeline.run(10)
    assert seen == []
