"""`farebox top`: rows, and where it finds the controller."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from farebox.cli.admin import AdminError
from farebox.cli.records import HolderLine
from farebox.cli.task_lines import read_tasks
from farebox.cli.top import ROWS_MAX, _address_in, _task_sheets, holder_rows, pool_rows
from farebox.core.money import parse_dollars
from tests.support.runs import told
from tests.support.tallies import made
from tests.support.watched import view_after


def test_shared_pools_come_first_and_the_most_used_of_each_sort() -> None:
    lines = [
        told("user", "ana", settled="0.1"),
        told("user", "ben", settled="0.9"),
        told("acme", settled="0.2"),
        told("support", settled="0.3"),
    ]
    assert [row[0] for row in pool_rows(lines)] == [
        "default/support",
        "default/acme",
        "default/user [ben]",
        "default/user [ana]",
    ]


@pytest.mark.parametrize(
    ("settled", "leased", "bar"),
    [
        ("0", "0", "·········· 0 %"),
        ("0.5", "0.2", "█████▒▒··· 50 %"),
        ("1", "0", "██████████ 100 %"),
        ("1.2", "0.5", "██████████ 120 %"),
    ],
)
def test_spend_is_a_bar_with_what_is_lent_beyond_it(settled: str, leased: str, bar: str) -> None:
    [row] = pool_rows([told("acme", settled=settled, leased=leased)])
    assert bar in row


def test_a_pool_of_nothing_has_no_bar() -> None:
    line = replace(told("acme", settled="0"), limit=parse_dollars("0"))
    assert "" in pool_rows([line])[0]


def test_thousands_of_sub_pools_are_cut() -> None:
    lines = [told("user", str(number), settled="0") for number in range(ROWS_MAX + 5)]
    assert len(pool_rows(lines)) == ROWS_MAX


def test_connected_sidecars_come_first() -> None:
    def holder(name: str, *, connected: bool, frozen: bool = False) -> HolderLine:
        return HolderLine(
            holder="0123456789", workload=name, connected=connected, frozen=frozen, leases=2
        )

    rows = holder_rows(
        [
            holder("a", connected=False, frozen=True),
            holder("b", connected=False),
            holder("c", connected=True),
        ]
    )
    assert rows == [
        ("c", "01234567", "connected", 2),
        ("a", "01234567", "silent, its leases are frozen", 2),
        ("b", "01234567", "away", 2),
    ]


def test_the_address_is_found_in_the_state_folder(tmp_path: Path) -> None:
    (tmp_path / "controller.ready").write_text(json.dumps({"admin": 7448, "grpc": 1}))
    assert _address_in(tmp_path) == "http://127.0.0.1:7448"
    with pytest.raises(AdminError, match="farebox up"):
        _address_in(tmp_path / "elsewhere")


def test_tasks_and_what_is_wrong_are_shown_where_there_is_any() -> None:
    tasks = read_tasks(view_after(made(200, escalated=60)))
    assert [sheet.title for sheet in _task_sheets(tasks)] == [
        "Tasks",
        "Cost by task, tier and model",
        "To look at",
    ]
    assert list(_task_sheets(read_tasks(view_after(made(0))))) == []
