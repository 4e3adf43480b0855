"""Tallies and watched tasks for tests: a task with a baseline, and calls that went so or so."""

from typing import Any

from farebox.core.gates import GateKind
from farebox.core.instant import DurationMs
from farebox.core.tallies import BINS, Checks, ServedBy, Service, Tally
from farebox.core.tasks import Baseline, TaskProfile
from farebox.wire.messages import Tallies

SMALL = ServedBy("small", "gpt-4o-mini")
SHARES = (0, 100, 300, 200, 100, 100, 100, 50, 50, 0)
"""Of the baseline's prompts, in thousandths."""

BASELINE = Baseline(
    measured="2026-11-01",
    samples=300,
    catalogue="aaaaaabbbbbb",
    pass_rates=(("small", 900), ("mid", 980)),
    escalation_rate=100,
    difficulties=SHARES,
)


def profile(name: str = "intent", **changes: Any) -> TaskProfile:
    """A task that was measured."""
    fields: dict[str, Any] = {"baseline": BASELINE, "default_tier": "small", **changes}
    return TaskProfile(name=name, **fields)


def made(calls: int = 0, *, escalated: int = 0, schema_failed: int = 0, **changes: Any) -> Tally:
    """So many calls, all gated by a schema and served by the small model, as hard as measured."""
    spread = [calls * share // 1_000 for share in SHARES]
    spread[2] += calls - sum(spread)
    fields: dict[str, Any] = {
        "calls": calls,
        "gated": calls,
        "escalated": escalated,
        "difficulties": tuple(spread),
        "services": {SMALL: Service(calls, calls, escalated, 10 * calls)},
        "gates": {GateKind.JSON_SCHEMA: Checks(calls, schema_failed, 0)},
        **changes,
    }
    return Tally(**fields)


def in_bin(number: int, calls: int) -> tuple[int, ...]:
    """All calls in one bin of difficulty."""
    return tuple(calls if at == number else 0 for at in range(BINS))


def told(tally: Tally, *, task: str = "intent", incarnation: int = 1, age: int = 0) -> Tallies:
    """What a sidecar says of one task."""
    return Tallies(incarnation=incarnation, age=DurationMs(age), tasks={task: tally})
