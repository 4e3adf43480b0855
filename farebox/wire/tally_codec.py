"""The tallies of a report to and from protobuf.

The one rule: as in `codec`, what is read is well-formed throughout or raises CodecError. This
module must not know what is counted, nor what a count means.
"""

from typing import Final

from farebox.core.gates import GateKind
from farebox.core.instant import DurationMs
from farebox.core.tallies import BINS, Checks, ServedBy, Service, Tally
from farebox.wire.checks import NAME_CHARS_MAX, CodecError, choice, few, number, text
from farebox.wire.messages import Tallies
from farebox.wire.v1 import lease_pb2 as pb

TASKS_MAX: Final = 256
"""Tasks in one message, and models of one task."""

SERVICES_MAX: Final = 256


def tallies_out(tallies: Tallies | None) -> pb.Tallies | None:
    """Write tallies; None when there are none to tell."""
    if tallies is None:
        return None
    return pb.Tallies(
        incarnation=tallies.incarnation,
        age_ms=tallies.age,
        tasks=[_tally_out(task, tally) for task, tally in tallies.tasks.items()],
    )


def tallies_of(message: pb.Tallies, at: str) -> Tallies:
    """Read tallies. Raises CodecError."""
    at = f"{at}.tallies"
    few(message.tasks, f"{at}.tasks", most=TASKS_MAX)
    return Tallies(
        incarnation=number(message.incarnation, f"{at}.incarnation"),
        age=DurationMs(number(message.age_ms, f"{at}.age_ms")),
        tasks={
            _named(one.task, f"{at}.tasks[{i}].task"): _tally(one, f"{at}.tasks[{i}]")
            for i, one in enumerate(message.tasks)
        },
    )


def _tally_out(task: str, tally: Tally) -> pb.TaskTally:
    return pb.TaskTally(
        task=task,
        calls=tally.calls,
        refused=tally.refused,
        gated=tally.gated,
        escalated=tally.escalated,
        unmended=tally.unmended,
        unsure=tally.unsure,
        difficulties=tally.difficulties,
        services=[
            pb.ServiceTally(tier=by.tier, model=by.model, **service._asdict())
            for by, service in tally.services.items()
        ],
        gates=[pb.GateTally(kind=kind, **one._asdict()) for kind, one in tally.gates.items()],
    )


def _tally(message: pb.TaskTally, at: str) -> Tally:
    if len(message.difficulties) != BINS:
        raise CodecError(f"{at}.difficulties has {len(message.difficulties)} bins, not {BINS}")
    few(message.services, f"{at}.services", most=SERVICES_MAX)
    few(message.gates, f"{at}.gates", most=len(GateKind))
    return Tally(
        calls=number(message.calls, f"{at}.calls"),
        refused=number(message.refused, f"{at}.refused"),
        gated=number(message.gated, f"{at}.gated"),
        escalated=number(message.escalated, f"{at}.escalated"),
        unmended=number(message.unmended, f"{at}.unmended"),
        unsure=number(message.unsure, f"{at}.unsure"),
        difficulties=tuple(number(one, f"{at}.difficulties") for one in message.difficulties),
        services={
            _served_by(one, f"{at}.services[{i}]"): _service(one, f"{at}.services[{i}]")
            for i, one in enumerate(message.services)
        },
        gates={
            choice(GateKind, one.kind, f"{at}.gates[{i}].kind"): _checks(one, f"{at}.gates[{i}]")
            for i, one in enumerate(message.gates)
        },
    )


def _served_by(message: pb.ServiceTally, at: str) -> ServedBy:
    return ServedBy(_named(message.tier, f"{at}.tier"), _named(message.model, f"{at}.model"))


def _service(message: pb.ServiceTally, at: str) -> Service:
    return Service(
        calls=number(message.calls, f"{at}.calls"),
        judged=number(message.judged, f"{at}.judged"),
        failed=number(message.failed, f"{at}.failed"),
        cost=number(message.cost, f"{at}.cost"),
    )


def _checks(message: pb.GateTally, at: str) -> Checks:
    return Checks(
        checked=number(message.checked, f"{at}.checked"),
        failed=number(message.failed, f"{at}.failed"),
        unrun=number(message.unrun, f"{at}.unrun"),
    )


def _named(value: str, at: str) -> str:
    """A name that may be empty."""
    return text(value, at, chars_max=NAME_CHARS_MAX)
