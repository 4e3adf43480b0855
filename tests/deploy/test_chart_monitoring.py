"""Alerts and the dashboard ask for metrics that there are, by labels that these have."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest

from farebox.core.reasons import Reason
from tests.deploy.chart import CHART, plain
from tests.deploy.metrics import OF_TARGETS, shown

DASHBOARD: Final = plain("files/dashboards/farebox.json")
ALERTS: Final = [
    rule
    for path in sorted((CHART / "files/alerts").iterdir())
    for rule in plain(f"files/alerts/{path.name}")
]
SERIES: Final = shown()
OF_ETCD: Final = {
    "etcd_server_has_leader",
    "etcd_server_leader_changes_seen_total",
    "etcd_server_quota_backend_bytes",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_disk_wal_fsync_duration_seconds_bucket",
}
"""Series of etcd, as its documentation names them."""

NAME: Final = re.compile(r"\b(?:farebox|etcd)_[a-z_]+\b|\bup\b")
SELECTOR: Final = re.compile(r"([a-z_]+)\{([^}]*)\}")
GROUPED: Final = re.compile(r"\bby \(([^)]*)\)")
MATCHER: Final = re.compile(r"([a-z_]+)(?:=~|!~|!=|=)\"([^\"]*)\"")


def expressions() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


EVERY: Final = pytest.mark.parametrize(("where", "expression"), list(expressions()))


def labels_of(name: str) -> frozenset[str]:
    return OF_TARGETS | SERIES.get(name, frozenset({"le"}))


@EVERY
def test_the_metrics_exist(where: str, expression: str) -> None:
    without_labels = re.sub(r"\{[^}]*\}", "", expression)
    names = set(NAME.findall(without_labels))
    assert names
    assert names <= {*SERIES, *OF_ETCD, "up"}


@EVERY
def test_they_have_the_labels(where: str, expression: str) -> None:
    for name, matchers in SELECTOR.findall(expression):
        assert {label for label, _ in MATCHER.findall(matchers)} <= labels_of(name), name
    names = NAME.findall(re.sub(r"\{[^}]*\}", "", expression))
    for group in GROUPED.findall(expression):
        wanted = {label.strip() for label in group.split(",")}
        assert any(wanted <= labels_of(name) for name in names), group


@EVERY
def test_brackets_are_closed(where: str, expression: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_a_reason_that_is_asked_for_is_one() -> None:
    asked = {
        value
        for _, expression in expressions()
        for label, value in MATCHER.findall(expression)
        if label == "reason"
    }
    assert asked
    assert asked <= set(Reason)


def test_what_a_legend_shows_was_grouped_by() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = {
                part.strip() for one in GROUPED.findall(target["expr"]) for part in one.split(",")
            }
            assert legend <= grouped, panel["title"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_how_bad(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Farebox[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}
    for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
        assert any(label in labels_of(name) for name in NAME.findall(rule["expr"]))


def test_no_alert_is_there_twice() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))


def test_panels_are_told_apart_and_none_covers_another() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(panel.get("description") for panel in panels if panel["type"] != "row")


def test_the_dashboard_shows_most_of_what_there_is() -> None:
    asked = {name for _, expression in expressions() for name in NAME.findall(expression)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in SERIES}
    seen = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    by_task = {name for name in families if name.startswith("farebox_task_")}
    assert families - by_task <= seen
