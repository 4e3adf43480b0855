"""What to change, from what really happened: tiers, baselines, the small model's threshold.

A tier up where its answers surely pass too seldom; a tier down where the one below surely passes
often enough; a baseline where it is missing or no longer true. The one rule: every proposal rests
on enough answers, by the thresholds of the RoutingPolicy, and comes with its reason; what can't be
told is not proposed. This module must not know files.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from farebox.after.measured import Rate, TaskSeen
from farebox.core.money import ZERO, Nanos, divide_up
from farebox.core.prices import cost
from farebox.core.rates import PPM, at, chance_ppm, distance_ppm, is_high, over
from farebox.core.tallies import BINS
from farebox.core.tasks import Baseline, Consequence, RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue, Tier
from farebox.core.watching import CALLS_MIN, DRIFT_CALLS_MIN
from farebox.launch.measures import mean
from farebox.launch.profiles import Profile
from farebox.launch.proposals import percent

MONTH_MS: Final = 30 * 24 * 3_600_000
SPAN_MS_MIN: Final = 3_600_000
"""Receipts of a shorter time say nothing about a month."""

_THOUSAND: Final = 1_000


class Change(enum.StrEnum):
    """What is proposed."""

    TIER_UP = "tier up"
    TIER_DOWN = "tier down"
    BASELINE = "new baseline"
    QUALITY = "other threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One change. `tier` and `baseline` are the task's new ones, None to leave them as they are.

    `effect` is what it adds to a month's bill (negative: saves), None where that can't be told.
    """

    change: Change
    name: str
    reason: str
    tier: str | None = None
    baseline: Baseline | None = None
    quality: str | None = None
    effect: Nanos | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What proposals rest on. `today` is a date (ISO), `span_ms` the time of the receipts."""

    catalogue: Catalogue
    routing: RoutingPolicy
    today: str
    span_ms: int
    profile: Profile | None = None

    @property
    def usable_profile(self) -> Profile | None:
        """The profiling run, if it was made on these tiers and prices."""
        known = self.profile
        return known if known is not None and known.catalogue == self.catalogue.version else None


def proposals(
    tasks: Sequence[TaskProfile], seen: Mapping[str, TaskSeen], ground: Ground
) -> Iterator[Proposal]:
    """What to change of each task that had calls with gates."""
    for task in tasks:
        known = seen.get(task.name)
        if known is not None and task.gates and known.gated >= CALLS_MIN:
            yield from _of_task(task, known, ground)


def quality_proposal(rate: Rate, known: Sequence[str], routing: RoutingPolicy) -> Proposal | None:
    """Another threshold of the small model, by how calls fared that it sent to the cheap side.

    `known` are the qualities that the weights have thresholds for.
    """
    if rate.of < CALLS_MIN:
        return None
    ordered = sorted(known, key=_thousandths)
    now = _thousandths(routing.quality)
    stricter = next((one for one in ordered if _thousandths(one) > now), None)
    looser = next((one for one in reversed(ordered) if _thousandths(one) < now), None)
    said = f"{_told(rate)} of the answers pass to calls that the small model sent to the cheap side"
    if rate.high < now and stricter is not None:
        reason = f"{said}, surely under the {percent(now)} asked for"
        return Proposal(change=Change.QUALITY, name=routing.name, reason=reason, quality=stricter)
    if rate.low >= routing.pass_rate_trusted and looser is not None:
        reason = f"{said}, surely at least {percent(routing.pass_rate_trusted)}"
        return Proposal(change=Change.QUALITY, name=routing.name, reason=reason, quality=looser)
    return None


def _of_task(task: TaskProfile, seen: TaskSeen, ground: Ground) -> Iterator[Proposal]:
    moved = _tier_up(task, seen, ground) or _tier_down(task, seen, ground)
    if moved is not None:
        yield moved
        return
    why = _why_other_baseline(task.baseline, seen, ground)
    if why:
        baseline = _baseline(seen, ground, task.default_tier)
        yield Proposal(
            change=Change.BASELINE, name=task.name, reason=why, baseline=baseline, effect=ZERO
        )


def _tier_up(task: TaskProfile, seen: TaskSeen, ground: Ground) -> Proposal | None:
    now = ground.catalogue.tier_named(task.default_tier)
    rate = seen.tier(task.default_tier).first
    floor = ground.routing.pass_rate_monitored
    if now is None or rate.of < CALLS_MIN or rate.high >= floor:
        return None
    ceiling = ground.catalogue.tier_named(task.ceiling_tier)
    higher = [
        tier
        for tier in ground.catalogue.tiers
        if tier.models and tier.rank > now.rank and (ceiling is None or tier.rank <= ceiling.rank)
    ]
    if not higher:
        return None
    reason = f"{_told(rate)} of {now.name}'s first answers pass, surely under {percent(floor)}"
    return _moved(Change.TIER_UP, task, seen, ground, higher[0], reason)


def _tier_down(task: TaskProfile, seen: TaskSeen, ground: Ground) -> Proposal | None:
    now = ground.catalogue.tier_named(task.default_tier)
    floor = ground.catalogue.tier_named(task.floor_tier)
    if now is None or task.consequence is Consequence.HIGH:
        return None
    lower = [
        tier
        for tier in ground.catalogue.tiers
        if tier.models and tier.rank < now.rank and (floor is None or tier.rank >= floor.rank)
    ]
    trusted = ground.routing.pass_rate_trusted
    for tier in lower:
        rate, whence = _rate_of(task.name, tier.name, seen, ground)
        if rate.of >= CALLS_MIN and rate.low >= trusted:
            reason = f"{_told(rate)} of {tier.name}'s answers pass ({whence}), surely at least "
            reason += percent(trusted)
            return _moved(Change.TIER_DOWN, task, seen, ground, tier, reason)
    return None


def _moved(
    change: Change, task: TaskProfile, seen: TaskSeen, ground: Ground, tier: Tier, reason: str
) -> Proposal:
    return Proposal(
        change=change,
        name=task.name,
        reason=reason,
        tier=tier.name,
        baseline=_baseline(seen, ground, tier.name),
        effect=_effect(task.name, seen, ground, tier),
    )


def _rate_of(task: str, tier: str, seen: TaskSeen, ground: Ground) -> tuple[Rate, str]:
    """How often a tier passes: by receipts, else by the profiling run."""
    rate = seen.tier(tier).first
    profile = ground.usable_profile
    measured = None if profile is None else profile.task(task)
    if rate.of >= CALLS_MIN or measured is None:
        return rate, "receipts"
    for cell in measured.cells:
        if cell.tier == tier:
            return Rate(of=cell.answered, passed=cell.passed), "profile"
    return rate, "receipts"


def _baseline(seen: TaskSeen, ground: Ground, tier: str) -> Baseline | None:
    """What is true now of a task whose default tier is this; None where that is not measured."""
    rates = {
        one.name: _rate_of(seen.task, one.name, seen, ground)[0] for one in ground.catalogue.tiers
    }
    known = {name: rate for name, rate in rates.items() if rate.of >= CALLS_MIN}
    if tier not in known:
        return None
    return Baseline(
        measured=ground.today,
        samples=known[tier].of,
        catalogue=ground.catalogue.version,
        pass_rates=tuple((name, rate.value) for name, rate in known.items()),
        escalation_rate=_THOUSAND - known[tier].value,
        difficulties=seen.shares,
    )


def _why_other_baseline(baseline: Baseline | None, seen: TaskSeen, ground: Ground) -> str:
    """Why the baseline is no longer true; "" while it is."""
    if baseline is None:
        return f"{seen.gated} calls were checked, and there is no baseline to compare with"
    if baseline.catalogue != ground.catalogue.version:
        return f"tiers or prices have changed since {baseline.measured}"
    limit = over(baseline.escalation_rate * _THOUSAND, ground.routing.escalation_alert_percent)
    if is_high(seen.escalated, seen.gated, limit, raised=False):
        return (
            f"{percent(seen.escalation_rate)} of {seen.gated} calls escalate, "
            f"{percent(baseline.escalation_rate)} when it was measured"
        )
    if seen.calls >= DRIFT_CALLS_MIN and len(baseline.difficulties) == BINS:
        counts = tuple(seen.difficulties)
        distance = distance_ppm(counts, baseline.difficulties)
        noise = chance_ppm(counts, baseline.difficulties, baseline.samples)
        if distance > max(at(ground.routing.drift_alert_percent).raised, 2 * noise):
            return f"{percent(distance * _THOUSAND // PPM)} of the calls are of another difficulty"
    return ""


def _effect(task: str, seen: TaskSeen, ground: Ground, tier: Tier) -> Nanos | None:
    """What a month costs more with another default tier, escalations included."""
    if ground.span_ms < SPAN_MS_MIN or not seen.calls:
        return None
    answer = _cost_on(seen, tier)
    if answer is None:
        return None
    rate, _ = _rate_of(task, tier.name, seen, ground)
    higher = [one for one in ground.catalogue.tiers if one.rank > tier.rank and one.models]
    further = _cost_on(seen, higher[0]) if higher and rate.of >= CALLS_MIN else ZERO
    failing = _THOUSAND - rate.value if rate.of >= CALLS_MIN else 0
    would = answer + divide_up((further or ZERO) * failing, _THOUSAND)
    calls = seen.calls * MONTH_MS // ground.span_ms
    return Nanos((would * seen.calls - seen.cost) * calls // seen.calls)


def _cost_on(seen: TaskSeen, tier: Tier) -> Nanos | None:
    """What an answer costs on a tier: as billed there, else the tokens at its cheapest price."""
    known = seen.tier(tier.name)
    if known.answers >= CALLS_MIN:
        return known.mean_cost
    if not seen.usages:
        return None
    costs = [[cost(model.price, usage) for usage in seen.usages] for model in tier.models]
    return Nanos(min(mean(of) for of in costs))


def _told(rate: Rate) -> str:
    return f"{percent(rate.value)} of {rate.of} ({percent(rate.low)} to {percent(rate.high)})"


def _thousandths(quality: str) -> int:
    whole, _, decimals = quality.partition(".")
    return int(whole) * _THOUSAND + int(f"{decimals:0<3}"[:3])
