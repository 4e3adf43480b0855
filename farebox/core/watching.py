"""Watching: is what was measured of a task before launch still true of its calls?

Each question has an answer of Kubernetes' kind, a condition with a status, a reason and a sentence.
The one rule: nothing is raised by chance: a rate must be over its limit, rest on enough calls, and
be so far over what it is compared with that chance alone hardly does that. What was raised is only
cleared when the rate is well below the limit. This module must not know who counted, or when.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from farebox.core.gates import GateKind
from farebox.core.instant import UtcMs
from farebox.core.rates import (
    PPM,
    Limit,
    at,
    chance_ppm,
    distance_ppm,
    is_high,
    over,
    percent,
    rate_ppm,
)
from farebox.core.tallies import BINS, Tally
from farebox.core.tasks import Baseline, ClassifierKind, RoutingPolicy, TaskProfile

CALLS_MIN: Final = 50
"""With fewer calls a rate is not compared."""

DRIFT_CALLS_MIN: Final = 200
"""With fewer calls a distribution is not compared."""

_PER_THOUSANDTH: Final = PPM // 1_000


class ConditionType(enum.StrEnum):
    """What can be wrong."""

    ESCALATING = "Escalating"
    GATES_FAILING = "GatesFailing"
    SCHEMA_FAILING = "SchemaFailing"
    PROMPTS_DRIFTED = "PromptsDrifted"
    BASELINE_STALE = "BaselineStale"
    BASELINE_MISSING = "BaselineMissing"
    PRICES_OLD = "PricesOld"


class Status(enum.StrEnum):
    """Whether something is wrong."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Finding(NamedTuple):
    """One question answered. `reason` is one word for programs, `message` a sentence for people."""

    type: ConditionType
    status: Status
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A finding that has lasted since an instant, true of one generation of the resources."""

    type: ConditionType
    status: Status
    reason: str
    message: str
    since: UtcMs
    observed_generation: int


class Watched(NamedTuple):
    """A task and its calls in the observation window.

    `catalogue` and `tiers` are those in force; `raised` what stood before.
    """

    task: str
    tally: Tally
    profile: TaskProfile | None
    routing: RoutingPolicy
    catalogue: str
    tiers: tuple[str, ...]
    raised: frozenset[ConditionType] = frozenset()

    @property
    def baseline(self) -> Baseline | None:
        """What was measured of the task."""
        return None if self.profile is None else self.profile.baseline


def findings(watched: Watched) -> tuple[Finding, ...]:
    """Every question about a task, answered."""
    return (
        _escalating(watched),
        _gates_failing(watched),
        _schema_failing(watched),
        _drifted(watched),
        _stale(watched),
        _missing(watched),
    )


def prices_old(dated: str, age_days: int, *, days_max: int) -> Finding:
    """Whether the price table is older than it should be; `dated` is when it was exported."""
    old = age_days > days_max
    return Finding(
        ConditionType.PRICES_OLD,
        Status.TRUE if old else Status.FALSE,
        "OlderThanAllowed" if old else "Recent",
        f"the built-in price table is of {dated}, {age_days} days ago"
        + (f", more than {days_max}: install a newer version, or write prices out" if old else ""),
    )


def renewed(
    before: Mapping[ConditionType, Condition],
    found: tuple[Finding, ...],
    *,
    now: UtcMs,
    generation: int,
) -> dict[ConditionType, Condition]:
    """The conditions now; `since` stays where the status does."""

    def since(finding: Finding) -> UtcMs:
        old = before.get(finding.type)
        return old.since if old is not None and old.status is finding.status else now

    return {
        one.type: Condition(
            type=one.type,
            status=one.status,
            reason=one.reason,
            message=one.message,
            since=since(one),
            observed_generation=generation,
        )
        for one in found
    }


def _enough(calls: int, least: int, *, raised: bool) -> bool:
    """Whether there are calls enough; what was raised stays until there are half as many."""
    return calls >= (least // 2 if raised else least)


def _few(type_: ConditionType, calls: int, least: int, what: str) -> Finding:
    return Finding(
        type_, Status.UNKNOWN, "TooFewCalls", f"{calls} {what}: {least} are needed to tell"
    )


def _rated(
    watched: Watched,
    type_: ConditionType,
    part: int,
    of: int,
    limit: Limit,
    words: tuple[str, str],
) -> Finding:
    """A rate against its limit; `words` are what is counted, and what of it."""
    raised = type_ in watched.raised
    noun, verb = words
    if not _enough(of, CALLS_MIN, raised=raised):
        return _few(type_, of, CALLS_MIN, noun)
    high = is_high(part, of, limit, raised=raised)
    says = (
        f"{percent(rate_ppm(part, of))} of {of} {noun} {verb}; "
        f"usual is {percent(limit.usual)}, the limit {percent(limit.raised)}"
    )
    return Finding(
        type_,
        Status.TRUE if high else Status.FALSE,
        "OverLimit" if high else "WithinLimit",
        says,
    )


def _escalating(watched: Watched) -> Finding:
    """Escalations against the baseline; a cascade begins below the tier that was measured."""
    baseline, tally = watched.baseline, watched.tally
    if baseline is None:
        return _incomparable(ConditionType.ESCALATING, "NoBaseline")
    usual = baseline.escalation_rate * _PER_THOUSANDTH
    if watched.routing.classifier is ClassifierKind.CASCADE:
        usual = max(usual, _first_answers(baseline, tally).usual)
    limit = over(usual, watched.routing.escalation_alert_percent)
    words = ("calls with gates", "escalated")
    return _rated(watched, ConditionType.ESCALATING, tally.escalated, tally.gated, limit, words)


def _gates_failing(watched: Watched) -> Finding:
    """First answers against the pass rates of the tiers that gave them, in their present mix."""
    baseline = watched.baseline
    if baseline is None:
        return _incomparable(ConditionType.GATES_FAILING, "NoBaseline")
    first = _first_answers(baseline, watched.tally)
    limit = over(first.usual, watched.routing.escalation_alert_percent)
    words = ("first answers", "failed a gate")
    return _rated(watched, ConditionType.GATES_FAILING, first.failed, first.judged, limit, words)


class _FirstAnswers(NamedTuple):
    """Of tiers that were measured; `usual` is the share (millionths) that fails by the baseline."""

    judged: int
    failed: int
    usual: int


def _first_answers(baseline: Baseline, tally: Tally) -> _FirstAnswers:
    rates = dict(baseline.pass_rates)
    judged = failed = expected = 0
    for by, service in tally.services.items():
        if by.tier in rates:
            judged += service.judged
            failed += service.failed
            expected += service.judged * (1_000 - rates[by.tier]) * _PER_THOUSANDTH
    return _FirstAnswers(judged, failed, expected // judged if judged else 0)


def _schema_failing(watched: Watched) -> Finding:
    checks = watched.tally.checks(GateKind.JSON_SCHEMA)
    limit = at(watched.routing.schema_failure_alert_percent)
    words = ("answers checked against a schema", "failed it")
    return _rated(
        watched, ConditionType.SCHEMA_FAILING, checks.failed, checks.checked, limit, words
    )


def _drifted(watched: Watched) -> Finding:
    type_, tally, routing = ConditionType.PROMPTS_DRIFTED, watched.tally, watched.routing
    raised, calls = type_ in watched.raised, tally.calls
    if not _enough(calls, DRIFT_CALLS_MIN, raised=raised):
        return _few(type_, calls, DRIFT_CALLS_MIN, "calls")
    limit = at(routing.drift_alert_percent)
    if is_high(tally.unsure, calls, limit, raised=raised):
        share = percent(rate_ppm(tally.unsure, calls))
        says = f"{share} of {calls} prompts are unlike what the small model knows: train it on them"
        return Finding(type_, Status.TRUE, "UnfamiliarPrompts", says)
    baseline = watched.baseline
    if baseline is None or len(baseline.difficulties) != BINS:
        return _incomparable(type_, "NoBaseline")
    distance = distance_ppm(tally.difficulties, baseline.difficulties)
    noise = chance_ppm(tally.difficulties, baseline.difficulties, baseline.samples)
    far = distance > (limit.clear if raised else max(limit.raised, 2 * noise))
    says = (
        f"{percent(distance)} of {calls} calls are of another difficulty than when the baseline "
        f"was measured; the limit is {percent(limit.raised)}, chance alone gives {percent(noise)}"
    )
    return Finding(
        type_,
        Status.TRUE if far else Status.FALSE,
        "OtherDifficulties" if far else "AsMeasured",
        says,
    )


def _stale(watched: Watched) -> Finding:
    type_, baseline = ConditionType.BASELINE_STALE, watched.baseline
    if baseline is None:
        return _incomparable(type_, "NoBaseline")
    then, now = baseline.catalogue, watched.catalogue
    if then == now:
        says = f"measured {baseline.measured} on the tiers in force ({now})"
        return Finding(type_, Status.FALSE, "SameCatalogue", says)
    reason, what = _what_changed(baseline, watched)
    says = f"{what} since {baseline.measured} ({then}, now {now}): profile the task again"
    return Finding(type_, Status.TRUE, reason, says)


def _what_changed(baseline: Baseline, watched: Watched) -> tuple[str, str]:
    """The first half of a catalogue's version names tiers and models, the second the prices."""
    gone = [tier for tier, _ in baseline.pass_rates if tier not in watched.tiers]
    if gone:
        return "TiersChanged", f"the tier {', '.join(gone)} is gone"
    half = len(watched.catalogue) // 2
    models = baseline.catalogue[:half] != watched.catalogue[:half]
    prices = baseline.catalogue[half:] != watched.catalogue[half:]
    if models and prices:
        return "CatalogueChanged", "tiers or models, and prices, have changed"
    return (
        ("ModelsChanged", "tiers or models have changed")
        if models
        else ("PricesChanged", "prices have changed")
    )


def _missing(watched: Watched) -> Finding:
    type_ = ConditionType.BASELINE_MISSING
    if watched.profile is None:
        says = "calls of this task have no TaskProfile: `farebox audit` proposes one"
        return Finding(type_, Status.TRUE, "NoTaskProfile", says)
    if watched.profile.baseline is None:
        says = "the task was never profiled: `farebox profile` measures a baseline"
        return Finding(type_, Status.TRUE, "NoBaseline", says)
    measured = watched.profile.baseline.measured
    return Finding(type_, Status.FALSE, "Measured", f"measured {measured}")


def _incomparable(type_: ConditionType, reason: str) -> Finding:
    return Finding(type_, Status.UNKNOWN, reason, "there is no baseline to compare with")
