"""Lines of `farebox top` about tasks, from what the controller's view says."""

from typing import Any

import pytest

from farebox.cli.records import RecordError
from farebox.cli.task_lines import (
    ROWS_MAX,
    Tasks,
    alert_rows,
    read_tasks,
    service_rows,
    task_rows,
    window_title,
)
from farebox.core.tallies import Tally
from tests.support.tallies import made
from tests.support.watched import view_after


def read(tally: Tally, *, task: str = "intent") -> Tasks:
    return read_tasks(view_after(tally, task=task))


def test_a_task_is_shown_with_its_rates_beside_the_baseline() -> None:
    tasks = read(made(200, escalated=20, schema_failed=10, unsure=4))
    assert task_rows(tasks) == [("acme/intent", 200, 200, "10.0 %", "10.0 %", "5.0 %", "2.0 %")]
    assert service_rows(tasks) == [
        ("acme/intent", "small", "gpt-4o-mini", 200, "$0.000002", "100.0 %")
    ]
    assert alert_rows(tasks.alerts) == []
    assert window_title(tasks) == "the last 1h"


def test_what_is_wrong_is_shown_in_its_own_words() -> None:
    tasks = read(made(200, escalated=60))
    rows = alert_rows(tasks.alerts)
    assert [row[:2] for row in rows] == [
        ("acme/intent", "Escalating"),
        ("acme/intent", "GatesFailing"),
    ]
    assert "30.0 % of 200 calls" in str(rows[0][3])


def test_calls_of_no_task_have_a_name_all_the_same() -> None:
    tasks = read(made(3), task="")
    (row,) = task_rows(tasks)
    assert row[:3] == ("acme/(unknown)", 3, 3)
    assert ("acme/(unknown)", "BaselineMissing") in [row[:2] for row in alert_rows(tasks.alerts)]


def test_a_task_without_calls_takes_no_line() -> None:
    assert task_rows(read(made(0))) == []


def test_thousands_of_tasks_are_cut() -> None:
    view = dict(view_after(made(1)))
    view["tasks"] = view["tasks"] * (ROWS_MAX + 5)
    tasks = read_tasks(view)
    assert len(task_rows(tasks)) == len(service_rows(tasks)) == ROWS_MAX


@pytest.mark.parametrize("document", [None, {}, {"tasks": [{}], "conditions": [], "window_ms": 1}])
def test_what_another_version_says_is_refused(document: Any) -> None:
    with pytest.raises(RecordError, match="same version"):
        read_tasks(document)
