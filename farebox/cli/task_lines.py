"""What the controller tells of tasks, as lines for people: calls, cost, what is wrong.

The one rule: only the fields that are shown are read, and a condition is shown in its own words.
This module must not know how a condition is decided.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from farebox.cli.records import RecordError
from farebox.cli.tables import dollars
from farebox.core.gates import GateKind
from farebox.core.instant import DurationMs, format_duration
from farebox.core.money import Nanos, parse_dollars
from farebox.core.rates import percent, rate_ppm
from farebox.core.watching import Status

UNKNOWN_TASK: Final = "(unknown)"
ROWS_MAX: Final = 40
"""More tasks than fit a screen are cut, the dearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLine:
    """What one model of a tier did for a task, in all."""

    tier: str
    model: str
    calls: int
    cost: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One task in its namespace; rates are of the observation window, None where nothing is known.

    `escalated`, `baseline`, `schema_failed` and `unsure` are millionths. `cost` and `services` are
    in all.
    """

    namespace: str
    task: str
    calls: int
    recent: int
    cost: Nanos
    escalated: int | None
    baseline: int | None
    schema_failed: int | None
    unsure: int | None
    services: tuple[ServiceLine, ...]

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.task or UNKNOWN_TASK}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A condition that holds. `where` is a task, or what concerns all of them."""

    where: str
    condition: str
    since: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """All tasks, those that cost most first, and all that is wrong."""

    window: DurationMs
    lines: tuple[TaskLine, ...]
    alerts: tuple[Alert, ...]


def read_tasks(document: Any) -> Tasks:
    """The answer of the controller's /v1/tasks. Raises RecordError."""
    try:
        lines = [_line(row) for row in document["tasks"]]
        return Tasks(
            window=DurationMs(document["window_ms"]),
            lines=tuple(sorted(lines, key=lambda line: (-line.cost, line.title))),
            alerts=tuple(_alerts(document)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(
            "/v1/tasks has not the shape that this version reads "
            f"({type(error).__name__}: {error}); use a command line and processes of the same "
            "version."
        ) from error


def task_rows(tasks: Tasks) -> list[tuple[object, ...]]:
    """One row for each task that had calls; at most ROWS_MAX."""
    return [
        (
            line.title,
            line.calls,
            line.recent,
            _share(line.escalated),
            _share(line.baseline),
            _share(line.schema_failed),
            _share(line.unsure),
        )
        for line in tasks.lines[:ROWS_MAX]
        if line.calls
    ]


def service_rows(tasks: Tasks) -> list[tuple[object, ...]]:
    """What each model did for each task: calls, cost, share of its cost; at most ROWS_MAX."""
    rows: list[tuple[object, ...]] = [
        (
            line.title,
            service.tier or "(no tier)",
            service.model,
            service.calls,
            dollars(service.cost),
            percent(rate_ppm(service.cost, line.cost)),
        )
        for line in tasks.lines
        for service in sorted(line.services, key=lambda one: -one.cost)
    ]
    return rows[:ROWS_MAX]


def alert_rows(alerts: Sequence[Alert]) -> list[tuple[object, ...]]:
    """One row for each condition that holds."""
    return [(one.where, one.condition, one.since, one.message) for one in alerts[:ROWS_MAX]]


def window_title(tasks: Tasks) -> str:
    """The observation window in words."""
    return f"the last {format_duration(tasks.window)}"


def _line(row: Mapping[str, Any]) -> TaskLine:
    total, recent = row["total"], row["recent"]
    baseline = row["baseline"]
    schema = next((one for one in recent["gates"] if one["kind"] == GateKind.JSON_SCHEMA), None)
    return TaskLine(
        namespace=row["namespace"],
        task=row["task"],
        calls=total["calls"],
        recent=recent["calls"],
        cost=parse_dollars(total["cost_usd"]),
        escalated=_rate(recent["escalated"], recent["gated"]),
        baseline=None if baseline is None else baseline["escalation_rate"] * 1_000,
        schema_failed=None if schema is None else _rate(schema["failed"], schema["checked"]),
        unsure=_rate(recent["unsure"], recent["calls"]),
        services=tuple(
            ServiceLine(
                tier=one["tier"],
                model=one["model"],
                calls=one["calls"],
                cost=parse_dollars(one["cost_usd"]),
            )
            for one in total["services"]
        ),
    )


def _alerts(document: Mapping[str, Any]) -> Iterator[Alert]:
    for condition in document["conditions"]:
        yield from _alert("everywhere", condition)
    for row in document["tasks"]:
        where = f"{row['namespace']}/{row['task'] or UNKNOWN_TASK}"
        for condition in row["conditions"]:
            yield from _alert(where, condition)


def _alert(where: str, condition: Mapping[str, Any]) -> Iterator[Alert]:
    if condition["status"] == Status.TRUE:
        yield Alert(
            where=where,
            condition=condition["type"],
            since=condition["lastTransitionTime"],
            message=condition["message"],
        )


def _rate(part: int, of: int) -> int | None:
    return rate_ppm(part, of) if of else None


def _share(ppm: int | None) -> str:
    return "-" if ppm is None else percent(ppm)
