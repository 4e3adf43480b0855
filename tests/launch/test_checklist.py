"""The checklist: all ten lines met, and each of them missing for each of its reasons."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from farebox.core.tasks import RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue
from farebox.launch.checklist import Evidence, Rehearsed, check_all
from farebox.launch.projection import Classifier, project
from tests.support.launching import CATALOGUE, LABELS, TASK, make_profile, make_trials
from tests.support.policies import TIERS

PROFILE = make_profile(make_trials(40, {"small": 38, "mid": 40, "frontier": 40}))
PROJECTION = project(PROFILE, calls_per_day=10, mix={}, classifier=Classifier())
CALL = Rehearsed(
    task="label", served=True, response_model="m-1", cost=10, gates=frozenset({"known"})
)
ALL_MET = Evidence(
    tasks=(TASK,),
    catalogue=CATALOGUE,
    routing=RoutingPolicy(name="team"),
    profile=PROFILE,
    projection=PROJECTION,
    receipts=(CALL, CALL),
)
BARE = TaskProfile(name="bare", default_tier="mid")
LOOSE = Catalogue(tiers=(replace(TIERS[0], context_guard=Fraction(9, 10)), *TIERS[1:]))


def test_all_ten_lines_are_met() -> None:
    lines = check_all(ALL_MET)
    assert len(lines) == 10
    assert [line.missing for line in lines] == [""] * 10
    assert all(line.found for line in lines)


@pytest.mark.parametrize(
    ("line", "changes", "advice"),
    [
        (1, {"tasks": ()}, "no TaskProfile: run `farebox audit`"),
        (1, {"receipts": (CALL, CALL._replace(task="new"))}, "no TaskProfile for new"),
        (2, {"tasks": (TASK, BARE)}, "no gates for bare"),
        (2, {"tasks": ()}, "no gates for any task"),
        (3, {"profile": None}, "run `farebox profile`"),
        (3, {"profile": make_profile(make_trials(40, {"small": 40}), complete=False)},
         "not complete"),
        (3, {"catalogue": LOOSE, "profile": make_profile(catalogue="0" * 12)}, "prices changed"),
        (3, {"tasks": (TASK, BARE)}, "bare: was not profiled"),
        (3, {"profile": make_profile(make_trials(9, {"small": 9}))}, "9 answered samples"),
        (3, {"tasks": (replace(TASK, baseline=None),)}, "label: has no baseline"),
        (3, {"tasks": (replace(TASK, gates=(replace(LABELS, labels=("a",)),)),)},
         "other gates than were profiled"),
        (3, {"profile": make_profile(make_trials(40, {"small": 3, "mid": 40}))},
         "goes to small, measured good enough is mid"),
        (4, {"projection": None}, "run `farebox project"),
        (4, {"profile": make_profile(make_trials(40, {"small": 40}))}, "rests on another profile"),
        (5, {"receipts": None}, "no receipts"),
        (5, {"receipts": (CALL, CALL._replace(response_model=""))}, "1 of 2 receipts"),
        (6, {"receipts": ()}, "no receipts"),
        (6, {"receipts": (CALL, CALL._replace(task=""))}, "only 50 % of the money"),
        (7, {"routing": None}, "no RoutingPolicy"),
        (8, {"catalogue": Catalogue()}, "no ModelTier"),
        (8, {"catalogue": LOOSE}, "guards 9/10"),
        (9, {"receipts": None}, "no receipts"),
        (9, {"tasks": (BARE,)}, "no task has gates"),
        (9, {"receipts": (CALL._replace(task="other"),)}, "no receipt of label"),
        (9, {"receipts": (CALL._replace(gates=frozenset()),)}, "no gate ran"),
        (10, {"routing": None}, "no RoutingPolicy"),
        (10, {"routing": RoutingPolicy(escalation_alert_percent=40)}, "write 15 or less"),
        (10, {"tasks": (replace(TASK, baseline=None),)}, "no baseline for label"),
    ],
)  # fmt: skip
def test_each_line_can_be_missing(line: int, changes: dict[str, Any], advice: str) -> None:
    found = check_all(replace(ALL_MET, **changes))[line - 1]
    assert advice in found.missing


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"profile": None}, {3, 4}),
        ({"projection": None}, {4}),
        ({"receipts": None}, {5, 6, 9}),
        ({"routing": None}, {7, 10}),
        ({"tasks": (replace(TASK, gates=()),)}, {2, 3, 9}),
    ],
)
def test_what_is_missing_breaks_its_own_lines_only(
    changes: dict[str, Any], lines: set[int]
) -> None:
    found = check_all(replace(ALL_MET, **changes))
    assert {number for number, line in enumerate(found, start=1) if line.missing} == lines
