"""The bounds of the benchmark of a large cluster: each is broken by just what it forbids."""

from dataclasses import replace
from typing import Any

import pytest

from bench import kube_report
from bench.kube_objects import Size
from bench.kube_report import Figures, Span, Start, Turn

START = Start(listed_ms=4_000, leads_ms=4_500, cpu_ms=3_000, resident_kib=120 * 1024)
SPAN = Span(took_ms=20_000, cpu_ms=1_000, status_writes=1_000, requests=1_100)
FOUND = Figures(
    size=Size(pools=1_000, pods=10_000),
    sidecars=200,
    pod_bytes=13_000,
    few_start=START,
    bare_start=START,
    start=replace(START, resident_kib=140 * 1024),
    first_statuses=SPAN,
    connected_ms=6_000,
    unheard=SPAN,
    quiet=SPAN,
    busy=SPAN,
    few=[100, 120, 110],
    many=[200, 220, 240],
    rolling=[300, 310, 320],
    rolled=1_000,
    roll=SPAN,
    heard_ms=900,
    turns=[Turn(name="every limit changed", statuses=999, span=SPAN)],
    stale=[],
    spent=5,
    shown=5,
    resident_kib=200 * 1024,
)


def test_what_is_within_its_bounds_breaks_none() -> None:
    assert kube_report.broken(FOUND) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"many": [100, 2_001]}, "with all pods a limit was in force after 2001 ms"),
        ({"rolling": [2_500]}, "while pods are replaced a limit was in force after 2500 ms"),
        ({"resident_kib": 301 * 1024}, "the controller takes 301 MiB"),
        ({"stale": ["team-01/team"]}, "1 statuses are stale, team-01/team among them"),
        ({"shown": 4}, "sidecars spent 5 n$, the organisation shows 4 n$"),
        (
            {"turns": [Turn(name="a turn", statuses=50, span=replace(SPAN, took_ms=22_000))]},
            "a turn: settled after 22 s; it must be 21",
        ),
    ],
)
def test_a_bound_that_is_broken_is_named(changes: dict[str, Any], says: str) -> None:
    (sentence,) = kube_report.broken(replace(FOUND, **changes))
    assert sentence.startswith(says)


def test_the_figures_are_told() -> None:
    told = kube_report.text(FOUND)
    assert "10,000 pods of 13,000 bytes, 1,000 pools in 51 namespaces, 200 sidecars" in told
    assert "memory for a pod: 2,097 bytes; at the end 200 MiB" in told
    assert "patch in force, 10,000 pods: median 220 ms, at most 240 ms, 2.0 times as long" in told
    assert "every limit changed, 999 statuses: 20.0 s, CPU 5.0 %" in told
