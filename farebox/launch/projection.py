"""Dollars a month, from what was measured: with routing, and with everything on the highest tier.

Each answered sample is walked as production would: the default tier answers, the gates judge
(without knowing what is expected), and each failure goes one tier up, as often as the task allows.
What gates themselves cost is in it. The one rule: every figure follows from calls that were made,
the traffic and its mix are the user's. This module must not know files or paper.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from farebox.core.money import Nanos, divide_up
from farebox.launch.battery import Trial
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import Profile, TaskMeasured

DAYS_PER_MONTH: Final = 30
VOLUMES: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Calls a month for which a classifier is weighed against rules."""


class ProjectionError(LaunchError):
    """Nothing can be projected; the text says why."""


class Classifier(msgspec.Struct, frozen=True, kw_only=True):
    """A content-based classifier that is bought or called, against rules, which cost nothing.

    The defaults are the middle of the usual claims: rules place 60 to 75 % of calls rightly,
    classifiers 75 to 93 % for $0.001 to $0.003 a call, and pay from about 10,000 calls a month on,
    which is what `monthly` stands for: 10,000 calls at $0.002. Rates in thousandths, money in n$.
    Farebox's own classifiers run in the sidecar and cost neither.
    """

    rules_right: int = 675
    right: int = 840
    per_call: int = 2_000_000
    monthly: int = 20_000_000_000


class TaskProjection(msgspec.Struct, frozen=True, kw_only=True):
    """One task in a month. Money in nano-dollars; `share` in thousandths of all calls.

    `escalated` is the share of calls (thousandths) that needed a second answer.
    """

    task: str
    share: int
    calls: int
    tier: str
    routed: int
    routed_per_call: int
    strongest: int
    strongest_per_call: int
    escalated: int
    gate_cost: int


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """What a classifier gains over rules. `gain_per_call` may be negative; `calls` is the monthly
    volume from which it pays, None when it never does; `by_volume` is (calls, gain a month).
    """

    gain_per_call: int
    calls: int | None
    by_volume: tuple[tuple[int, int], ...]


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A month. `profile` is the digest of the run it rests on."""

    profile: str
    catalogue: str
    simulated: bool
    calls_per_day: int
    strongest_tier: str
    tasks: tuple[TaskProjection, ...]
    left_out: tuple[str, ...]
    classifier: Classifier
    break_even: BreakEven

    @property
    def calls(self) -> int:
        return sum(task.calls for task in self.tasks)

    @property
    def routed(self) -> Nanos:
        return Nanos(sum(task.routed for task in self.tasks))

    @property
    def strongest(self) -> Nanos:
        return Nanos(sum(task.strongest for task in self.tasks))


def project(
    profile: Profile,
    *,
    calls_per_day: int,
    mix: Mapping[str, Fraction],
    classifier: Classifier,
) -> Projection:
    """Project a month. `mix` is each task's share of the calls; {} takes the samples' own.

    Raises ProjectionError when the mix names a task that was not profiled, or nothing was.
    """
    measured = [task for task in profile.tasks if task.proposal.tier]
    if not measured or not profile.tiers:
        raise ProjectionError("the profile measured no task: give its tasks gates and run it again")
    known = {task.task for task in measured}
    if unknown := sorted(set(mix) - known):
        raise ProjectionError(
            f"{', '.join(unknown)} in the mix is not profiled; choose of {', '.join(sorted(known))}"
        )
    shares = _shares(measured, mix)
    month = calls_per_day * DAYS_PER_MONTH
    tasks = tuple(
        _task(profile, task, shares[task.task], month) for task in measured if shares[task.task]
    )
    return Projection(
        profile=profile.digest,
        catalogue=profile.catalogue,
        simulated=profile.simulated,
        calls_per_day=calls_per_day,
        strongest_tier=profile.tiers[-1],
        tasks=tasks,
        left_out=tuple(sorted({task.task for task in profile.tasks} - {one.task for one in tasks})),
        classifier=classifier,
        break_even=break_even(tasks, classifier),
    )


def break_even(tasks: Sequence[TaskProjection], classifier: Classifier) -> BreakEven:
    """Weigh a classifier against rules: each call placed rightly saves what routing saves."""
    calls = sum(task.calls for task in tasks)
    saved = max(0, sum(task.strongest - task.routed for task in tasks))
    better = classifier.right - classifier.rules_right
    gain = (saved * better // 1000) // calls - classifier.per_call if calls else 0
    return BreakEven(
        gain_per_call=gain,
        calls=divide_up(classifier.monthly, gain) if gain > 0 else None,
        by_volume=tuple((volume, volume * gain - classifier.monthly) for volume in VOLUMES),
    )


def walk(
    trials: Mapping[str, Trial], tiers: Sequence[str], *, start: str, steps_max: int
) -> list[Trial]:
    """The answers that one call would get in production, from the default tier up."""
    ladder = [trials[tier] for tier in tiers[tiers.index(start) :] if tier in trials]
    taken: list[Trial] = []
    for trial in ladder[: steps_max + 1]:
        taken.append(trial)
        if trial.accepted:
            break
    return taken


def _shares(tasks: Sequence[TaskMeasured], mix: Mapping[str, Fraction]) -> dict[str, Fraction]:
    if mix:
        total = sum(mix.values(), Fraction(0))
        return {task.task: mix.get(task.task, Fraction(0)) / total for task in tasks}
    samples = sum(task.samples for task in tasks)
    return {task.task: Fraction(task.samples, samples) for task in tasks}


def _task(profile: Profile, task: TaskMeasured, share: Fraction, month: int) -> TaskProjection:
    answered = profile.answered(task.task)
    walks = [
        walk(trials, profile.tiers, start=task.proposal.tier, steps_max=task.steps_max)
        for trials in answered.values()
    ]
    walks = [taken for taken in walks if taken]
    strongest = [trials[profile.tiers[-1]] for trials in answered.values()
                 if profile.tiers[-1] in trials]  # fmt: skip
    if not walks or not strongest:
        raise ProjectionError(f"{task.task} has no answers on {profile.tiers[-1]}: profile it too")
    gates = sum(trial.gate_cost for taken in walks for trial in taken)
    routed = sum(trial.cost for taken in walks for trial in taken) + gates
    alone = sum(trial.cost for trial in strongest)
    calls = share * month
    return TaskProjection(
        task=task.task,
        share=round(share * 1000),
        calls=round(calls),
        tier=task.proposal.tier,
        routed=_scaled(routed, calls, len(walks)),
        routed_per_call=divide_up(routed, len(walks)),
        strongest=_scaled(alone, calls, len(strongest)),
        strongest_per_call=divide_up(alone, len(strongest)),
        escalated=sum(len(taken) > 1 for taken in walks) * 1000 // len(walks),
        gate_cost=_scaled(gates, calls, len(walks)),
    )


def _scaled(total: int, calls: Fraction, samples: int) -> int:
    """What so many calls cost when so many samples cost `total`, rounded up."""
    exact = total * calls / samples
    return divide_up(exact.numerator, exact.denominator)
