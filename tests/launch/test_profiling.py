"""From trials to a profile: proposals within bounds, baselines, and every gap said."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from farebox.core.money import Nanos
from farebox.core.tasks import Consequence, RoutingPolicy, TaskProfile
from farebox.launch.battery import UNFIT, Battery, Plan, Trial, rungs_of
from farebox.launch.profiles import Profile
from farebox.launch.profiling import UNTASKED, Setting, profile_of, task_of
from farebox.launch.proposals import Trust
from farebox.launch.till import Till
from tests.support.launching import CATALOGUE, LABELS, TASK, make_sample, make_trial, make_trials

SAMPLES = [make_sample(f"s-{n:03d}", expected="yes") for n in range(40)]
WEAK = {"small": 30, "mid": 40, "frontier": 40}


def profile(
    trials: list[Trial], *tasks: TaskProfile, complete: bool = True, **changes: Any
) -> Profile:
    setting = Setting(
        measured="2026-01-31",
        namespace="default",
        catalogue=CATALOGUE,
        tasks=tasks or (TASK,),
        routing=RoutingPolicy(),
        simulated=False,
    )
    plan = Plan(
        samples=changes.pop("samples", [(sample, "label") for sample in SAMPLES]),
        rungs=rungs_of(CATALOGUE.tiers, input_tokens=1, output_tokens=1),
        gates={task.name: task.gates for task in setting.tasks},
        output_default=50,
    )
    told = SimpleNamespace(trials=trials, complete=complete, cap_reached="", **changes)
    return profile_of(plan, cast("Battery", told), Till(Nanos(5), spent=Nanos(3)), setting)


def test_a_task_has_its_tier_its_baseline_and_its_difficulties() -> None:
    found = profile(make_trials(40, WEAK))
    (task,) = found.tasks
    assert (task.proposal.tier, task.proposal.trust) == ("mid", Trust.TRUSTED)
    assert (task.tier_before, task.expected, task.escalation_rate) == ("small", 40, 0)
    # Tagged calls of the task are as difficult as its proposed tier is able.
    assert sum(task.difficulties) == 1000
    assert (found.catalogue, found.spent, found.cap) == (CATALOGUE.version, 3, 5)
    assert found.gaps == ()


def test_what_production_would_send_up_is_the_baseline() -> None:
    trials = [
        make_trial(f"s-{n:03d}", tier, passed=n > 0, accepted=n > 3)
        for n in range(40)
        for tier in ("small", "mid", "frontier")
    ]
    (task,) = profile(trials).tasks
    assert (task.proposal.tier, task.proposal.rate, task.escalation_rate) == ("small", 975, 100)


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, "mid"),
        ({"floor_tier": "frontier"}, "frontier"),
        ({"ceiling_tier": "small"}, "small"),
        ({"floor_tier": "elsewhere"}, "mid"),
        ({"consequence": Consequence.HIGH}, "frontier"),
    ],
)
def test_the_teams_own_bounds_hold(changes: dict[str, Any], tier: str) -> None:
    trials = make_trials(40, {"small": 10, "mid": 35, "frontier": 40})
    (task,) = profile(trials, replace(TASK, **changes)).tasks
    assert task.proposal.tier == tier


def test_a_bound_that_was_not_tried_leaves_the_tier_open() -> None:
    trials = make_trials(40, {"small": 40, "mid": 40})
    (task,) = profile(trials, replace(TASK, floor_tier="frontier")).tasks
    assert (task.proposal.tier, task.proposal.trust) == ("", Trust.UNMEASURED)
    assert "no tier that was tried" in task.proposal.says


def test_gaps_are_said() -> None:
    bare = TaskProfile(name="label", default_tier="small")
    unfit = make_trial("s-000", ending=UNFIT, passed=False, why="gpt-4o-mini lacks Tools")
    found = profile(
        [unfit],
        bare,
        TaskProfile(name="other", default_tier="mid"),
        samples=[(make_sample("s-000"), "label"), (make_sample("s-1", task=""), UNTASKED)],
    )
    said = "\n".join(found.gaps)
    assert "label: no gates" in said
    assert "other: no samples" in said
    assert f"{UNTASKED}: no TaskProfile" in said
    assert "1 calls did not fit the model (for example s-000 on small-model" in said
    assert found.tasks[0].proposal.trust is Trust.UNMEASURED


def test_few_samples_and_unknown_answers_are_gaps() -> None:
    found = profile(
        make_trials(2, {"small": 2}), samples=[(make_sample(f"s-00{n}"), "label") for n in (0, 1)]
    )
    assert [gap.partition(":")[2].split(";")[0] for gap in found.gaps] == [
        " 2 of 2 samples name no right answer",
        " 2 samples, 30 or more are wanted",
    ]


def test_the_task_is_what_the_sample_says_or_what_is_recognised() -> None:
    setting = Setting(
        measured="2026-01-31",
        namespace="default",
        catalogue=CATALOGUE,
        tasks=(TASK,),
        routing=RoutingPolicy(),
        simulated=False,
    )
    told = make_sample(task="mine")
    tagged = make_sample(task="", tag="label")
    nothing = make_sample(task="", prompt="hm")
    found = [task_of(one, setting.policy) for one in (told, tagged, nothing)]
    assert found == ["mine", "label", UNTASKED]
    assert LABELS.name == "known"
