"""Metrics: what a scrape reads after calls of each kind, with bounded series."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from farebox.core.gates import Verdict
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.usage import Usage
from sidecar import telemetry
from sidecar.telemetry import COUNTERS, Telemetry, outcome_label
from tests.support.outcomes import ATTEMPT, make_outcome, make_receipt

MODEL = {"model": "gpt-4o-mini", "tier": "small", "task": "classification"}


def make(registry: CollectorRegistry) -> Telemetry:
    return Telemetry(registry, calls_open=lambda: 3, receipts_dropped=lambda: 2)


def test_a_served_call_is_counted() -> None:
    registry = CollectorRegistry()
    counted = make(registry)
    counted.finished(make_receipt())
    counted.finished(make_receipt())
    get = registry.get_sample_value
    assert get("farebox_calls_total", {**MODEL, "outcome": "served"}) == 2
    assert get("farebox_cost_nanodollars_total", MODEL) == 54_000
    assert get("farebox_tokens_total", {"model": "gpt-4o-mini", "kind": "output"}) == 40
    assert get("farebox_attempts_total", {"model": "gpt-4o-mini", "end": "usage_reported"}) == 2
    assert get("farebox_call_duration_seconds_count", {"outcome": "served"}) == 2
    assert get("farebox_call_duration_seconds_sum", {"outcome": "served"}) == 0.08
    assert get("farebox_call_duration_seconds_bucket", {"outcome": "served", "le": "0.025"}) == 0
    assert get("farebox_call_duration_seconds_bucket", {"outcome": "served", "le": "0.05"}) == 2
    assert get("farebox_calls_open") == 3
    assert get("farebox_receipts_dropped") == 2


def test_cost_beyond_what_was_held_is_shown() -> None:
    registry = CollectorRegistry()
    dear = msgspec.structs.replace(ATTEMPT, cost=Nanos(ATTEMPT.held + 5))
    make(registry).finished(make_receipt(attempts=(dear,)))
    assert (
        registry.get_sample_value("farebox_overdraft_nanodollars_total", {"model": "gpt-4o-mini"})
        == 5
    )


def test_pools_that_let_calls_pass_without_the_money_are_counted() -> None:
    registry = CollectorRegistry()
    counted = make(registry)
    passed = msgspec.structs.replace(ATTEMPT, shadow=("team/day",), unverified=("acme/all",))
    counted.finished(make_receipt(attempts=(passed,)))
    counted.finished(make_receipt())
    for pool, why in (("team/day", "shadow"), ("acme/all", "unverified")):
        labels = {"pool": pool, "why": why}
        assert registry.get_sample_value("farebox_let_pass_total", labels) == 1
    assert registry.get_sample_value("farebox_calls_total", {**MODEL, "outcome": "served"}) == 2


def test_counters_go_on_from_scrape_to_scrape() -> None:
    registry = CollectorRegistry()
    counted = make(registry)
    for total in (1, 2, 3):
        counted.finished(make_receipt())
        sample = registry.get_sample_value("farebox_calls_total", {**MODEL, "outcome": "served"})
        assert sample == total


def test_refusals_are_counted_by_reason_early_or_late() -> None:
    registry = CollectorRegistry()
    counted = make(registry)
    counted.refused_early("pool_exhausted")
    counted.finished(make_receipt(refused=Reason.POOL_EXHAUSTED, attempts=(), usage=None))
    sample = registry.get_sample_value("farebox_refusals_total", {"reason": "pool_exhausted"})
    assert sample == 2


def test_nothing_that_a_caller_says_of_itself_is_a_label() -> None:
    registry = CollectorRegistry()
    make(registry).finished(make_receipt(model_asked="eve/model"))
    text = generate_latest(registry).decode()
    for said in ("ana", '"tag"', "eve/model", "call-1"):
        assert said not in text


def test_series_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "SERIES_MAX", 2)
    registry = CollectorRegistry()
    counted = make(registry)
    for number in range(5):
        counted.refused_early(f"reason-{number}")
    assert registry.get_sample_value("farebox_refusals_total", {"reason": "other"}) == 3


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "served"),
        ({"refused": Reason.HOLD_PENDING}, "refused"),
        ({"caller_gone": True}, "caller_gone"),
        ({"model": "", "tier": ""}, "failed"),
    ],
)
def test_how_a_call_went_in_a_word(changes: dict[str, object], label: str) -> None:
    assert outcome_label(make_outcome(**changes)) == label


def test_every_counter_says_what_it_counts() -> None:
    assert all(text.endswith(".") and labels for text, labels in COUNTERS.values())


def test_gates_and_escalations_are_counted_by_task() -> None:
    registry = CollectorRegistry()
    verdicts = (
        Verdict("schema", passed=True),
        Verdict("label", passed=False),
        Verdict("own", passed=False, ran=False),
    )
    first = msgspec.structs.replace(ATTEMPT, verdicts=verdicts, usage=Usage(input=5))
    outcome = {"attempts": (first, ATTEMPT), "gate": "failed:own", "escalations": 1}
    make(registry).finished(make_receipt(**outcome))
    for gate, result in (("schema", "passed"), ("label", "failed"), ("own", "not_run")):
        labels = {"task": "classification", "gate": gate, "result": result}
        assert registry.get_sample_value("farebox_gate_checks_total", labels) == 1
    task = {"task": "classification"}
    assert registry.get_sample_value("farebox_escalations_total", task) == 1


def test_one_attempt_with_gates_is_counted_with_its_verdict() -> None:
    registry = CollectorRegistry()
    judged = msgspec.structs.replace(ATTEMPT, verdicts=(Verdict("label", passed=True),))
    make(registry).finished(make_receipt(attempts=(judged,), gate="passed"))
    labels = {"task": "classification", "gate": "label", "result": "passed"}
    assert registry.get_sample_value("farebox_gate_checks_total", labels) == 1


def test_tokens_of_every_attempt_are_counted_by_its_model() -> None:
    registry = CollectorRegistry()
    first = msgspec.structs.replace(ATTEMPT, model="cheap", usage=Usage(input=5))
    second = msgspec.structs.replace(ATTEMPT, model="dear", usage=Usage(input=7))
    make(registry).finished(make_receipt(attempts=(first, second), escalations=1))
    for model, count in (("cheap", 5), ("dear", 7)):
        labels = {"model": model, "kind": "input"}
        assert registry.get_sample_value("farebox_tokens_total", labels) == count
