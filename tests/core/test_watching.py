"""The watch: what is raised, why, and when it is cleared."""

from dataclasses import replace
from typing import Any

import pytest

from farebox.core.instant import UtcMs
from farebox.core.tallies import EMPTY, Tally
from farebox.core.tasks import ClassifierKind, RoutingPolicy
from farebox.core.watching import (
    ConditionType,
    Finding,
    Status,
    Watched,
    findings,
    prices_old,
    renewed,
)
from tests.support.tallies import BASELINE, in_bin, made, profile

ESCALATING, GATES = ConditionType.ESCALATING, ConditionType.GATES_FAILING
SCHEMA, DRIFTED = ConditionType.SCHEMA_FAILING, ConditionType.PROMPTS_DRIFTED
STALE, MISSING = ConditionType.BASELINE_STALE, ConditionType.BASELINE_MISSING
TRUE, FALSE, UNKNOWN = Status.TRUE, Status.FALSE, Status.UNKNOWN


def find(type_: ConditionType, tally: Tally, *, raised: bool = False, **changes: Any) -> Finding:
    """One finding of a task that was measured, when its calls went like this."""
    watched = Watched(
        task="intent",
        tally=tally,
        profile=profile(),
        routing=RoutingPolicy(),
        catalogue=BASELINE.catalogue,
        tiers=("small", "mid"),
        raised=frozenset({type_}) if raised else frozenset(),
    )._replace(**changes)
    (found,) = (one for one in findings(watched) if one.type is type_)
    return found


@pytest.mark.parametrize(
    ("type_", "tally", "raised", "status", "reason"),
    [
        (ESCALATING, made(49, escalated=49), False, UNKNOWN, "TooFewCalls"),
        (ESCALATING, made(200, escalated=22), False, FALSE, "WithinLimit"),
        (ESCALATING, made(50, escalated=8), False, FALSE, "WithinLimit"),
        (ESCALATING, made(200, escalated=60), False, TRUE, "OverLimit"),
        (ESCALATING, made(200, escalated=22), True, TRUE, "OverLimit"),
        (ESCALATING, made(200, escalated=21), True, FALSE, "WithinLimit"),
        (ESCALATING, made(30, escalated=9), True, TRUE, "OverLimit"),
        (ESCALATING, made(24, escalated=24), True, UNKNOWN, "TooFewCalls"),
        (GATES, made(200, escalated=20), False, FALSE, "WithinLimit"),
        (GATES, made(200, escalated=60), False, TRUE, "OverLimit"),
        (SCHEMA, made(1_000, schema_failed=50), False, FALSE, "WithinLimit"),
        (SCHEMA, made(1_000, schema_failed=55), False, FALSE, "WithinLimit"),
        (SCHEMA, made(1_000, schema_failed=90), False, TRUE, "OverLimit"),
        (SCHEMA, made(1_000, schema_failed=40), True, TRUE, "OverLimit"),
        (SCHEMA, made(1_000, schema_failed=37), True, FALSE, "WithinLimit"),
        (SCHEMA, EMPTY, False, UNKNOWN, "TooFewCalls"),
        (DRIFTED, made(199), False, UNKNOWN, "TooFewCalls"),
        (DRIFTED, made(1_000), False, FALSE, "AsMeasured"),
        (DRIFTED, made(500, difficulties=in_bin(8, 500)), False, TRUE, "OtherDifficulties"),
        (DRIFTED, made(500, unsure=80), False, FALSE, "AsMeasured"),
        (DRIFTED, made(500, unsure=200), False, TRUE, "UnfamiliarPrompts"),
        (DRIFTED, made(500, unsure=80), True, TRUE, "UnfamiliarPrompts"),
        (STALE, EMPTY, False, FALSE, "SameCatalogue"),
        (MISSING, EMPTY, False, FALSE, "Measured"),
    ],
)
def test_each_question_about_a_task(
    type_: ConditionType, tally: Tally, raised: bool, status: Status, reason: str
) -> None:
    found = find(type_, tally, raised=raised)
    assert (found.status, found.reason) == (status, reason)
    assert found.message


def test_a_message_says_what_was_seen_and_what_is_allowed() -> None:
    assert find(ESCALATING, made(200, escalated=60)).message == (
        "30.0 % of 200 calls with gates escalated; usual is 10.0 %, the limit 11.5 %"
    )


def test_the_limits_are_the_policys() -> None:
    lenient = RoutingPolicy(
        escalation_alert_percent=300, schema_failure_alert_percent=20, drift_alert_percent=90
    )
    assert find(ESCALATING, made(200, escalated=60), routing=lenient).status is FALSE
    assert find(SCHEMA, made(1_000, schema_failed=90), routing=lenient).status is FALSE
    moved = made(500, difficulties=in_bin(8, 500))
    assert find(DRIFTED, moved, routing=replace(lenient, drift_alert_percent=96)).status is FALSE


@pytest.mark.parametrize(
    ("catalogue", "tiers", "reason"),
    [
        ("aaaaaaCCCCCC", ("small", "mid"), "PricesChanged"),
        ("CCCCCCbbbbbb", ("small", "mid"), "ModelsChanged"),
        ("CCCCCCDDDDDD", ("small", "mid"), "CatalogueChanged"),
        ("CCCCCCDDDDDD", ("small",), "TiersChanged"),
    ],
)
def test_a_stale_baseline_says_what_has_changed(
    catalogue: str, tiers: tuple[str, ...], reason: str
) -> None:
    found = find(STALE, EMPTY, catalogue=catalogue, tiers=tiers)
    assert (found.status, found.reason) == (TRUE, reason)


def test_what_was_never_measured_is_said_and_not_compared() -> None:
    unmeasured = profile(baseline=None)
    assert find(MISSING, EMPTY, profile=unmeasured).reason == "NoBaseline"
    assert find(MISSING, EMPTY, profile=None).reason == "NoTaskProfile"
    for type_ in (ESCALATING, GATES, DRIFTED, STALE):
        found = find(type_, made(500, escalated=500), profile=unmeasured)
        assert (found.status, found.reason) == (UNKNOWN, "NoBaseline")


def test_a_tier_that_was_not_measured_is_not_compared() -> None:
    only_mid = replace(BASELINE, pass_rates=(("mid", 980),))
    found = find(GATES, made(500, escalated=500), profile=profile(baseline=only_mid))
    assert found.reason == "TooFewCalls"


def test_a_cascade_escalates_as_often_as_its_cheapest_tier_fails() -> None:
    cheap = replace(BASELINE, escalation_rate=10)
    cascade = RoutingPolicy(classifier=ClassifierKind.CASCADE)
    as_measured, worse = made(500, escalated=50), made(500, escalated=100)
    assert find(ESCALATING, as_measured, profile=profile(baseline=cheap)).status is TRUE
    found = find(ESCALATING, as_measured, profile=profile(baseline=cheap), routing=cascade)
    assert found.status is FALSE
    found = find(ESCALATING, worse, profile=profile(baseline=cheap), routing=cascade)
    assert found.status is TRUE


def test_prices_grow_old() -> None:
    assert prices_old("2026-11-22", 90, days_max=90).status is FALSE
    old = prices_old("2026-11-22", 91, days_max=90)
    assert old.status is TRUE
    assert "91 days" in old.message


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    well, bad = find(ESCALATING, made(200)), find(ESCALATING, made(200, escalated=60))
    first = renewed({}, (well,), now=UtcMs(1), generation=1)
    still = renewed(first, (find(ESCALATING, made(300)),), now=UtcMs(2), generation=2)
    raised = renewed(still, (bad,), now=UtcMs(3), generation=3)
    assert (still[ESCALATING].since, still[ESCALATING].observed_generation) == (1, 2)
    assert "300 calls" in still[ESCALATING].message
    assert (raised[ESCALATING].since, raised[ESCALATING].status) == (3, TRUE)
