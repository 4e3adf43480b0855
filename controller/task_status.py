"""What the controller shows of tasks, as JSON values for the admin server.

The one rule: a condition has the fields that Kubernetes gives one, so that it can be written into a
resource's status as it is. This module only reads, and must not know HTTP.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.watching import Row, Watching
from farebox.core.instant import format_utc
from farebox.core.money import Nanos, format_dollars
from farebox.core.tallies import Tally
from farebox.core.tasks import Baseline
from farebox.core.watching import Condition
from farebox.manifests.resources import Kind, ResourceId


def tasks_view(watching: Watching) -> Mapping[str, Any]:
    """GET /v1/tasks: every task with its calls, what they cost, and what is wrong with it.

    `total` is since this controller leads, with what its sidecars had counted before; `recent` is
    the observation window. Rates of the baseline are thousandths.
    """
    return {
        "window_ms": watching.observations.window,
        "conditions": conditions_view(watching.everywhere.values()),
        "tasks": [_row(row) for row in watching.rows.values()],
    }


def conditions_view(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """Conditions in Kubernetes' form."""
    return [
        {
            "type": one.type,
            "status": one.status,
            "reason": one.reason,
            "message": one.message,
            "lastTransitionTime": format_utc(one.since),
            "observedGeneration": one.observed_generation,
        }
        for one in conditions
    ]


def _row(row: Row) -> dict[str, Any]:
    namespace, task = row.id
    profile = row.profile
    named = ResourceId(Kind.TASK_PROFILE, namespace, task)
    return {
        "namespace": namespace,
        "task": task,
        "resource": None if profile is None else str(named),
        "default_tier": "" if profile is None else profile.default_tier,
        "baseline": _baseline(profile.baseline if profile is not None else None),
        "total": _tally(row.observed.total),
        "recent": _tally(row.observed.recent),
        "conditions": conditions_view(row.conditions.values()),
    }


def _baseline(baseline: Baseline | None) -> dict[str, Any] | None:
    if baseline is None:
        return None
    return {
        "measured": baseline.measured,
        "samples": baseline.samples,
        "catalogue": baseline.catalogue,
        "pass_rates": dict(baseline.pass_rates),
        "escalation_rate": baseline.escalation_rate,
        "difficulties": baseline.difficulties,
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "calls": tally.calls,
        "refused": tally.refused,
        "gated": tally.gated,
        "escalated": tally.escalated,
        "unmended": tally.unmended,
        "unsure": tally.unsure,
        "difficulties": tally.difficulties,
        "cost_usd": format_dollars(Nanos(tally.cost)),
        "services": [
            {
                "tier": by.tier,
                "model": by.model,
                "calls": service.calls,
                "judged": service.judged,
                "failed": service.failed,
                "cost_usd": format_dollars(Nanos(service.cost)),
            }
            for by, service in sorted(tally.services.items())
        ],
        "gates": [
            {"kind": kind, **checks._asdict()} for kind, checks in sorted(tally.gates.items())
        ],
    }
