"""Tallies on the wire: whole, bounded, and refused with the field's name."""

from collections.abc import Callable

import pytest

from farebox.core.gates import GateKind
from farebox.core.tallies import Checks
from farebox.wire.checks import CodecError
from farebox.wire.messages import Tallies
from farebox.wire.tally_codec import SERVICES_MAX, TASKS_MAX, tallies_of, tallies_out
from farebox.wire.v1 import lease_pb2 as pb
from tests.support.tallies import made, told


def sent(tallies: Tallies) -> pb.Tallies:
    message = tallies_out(tallies)
    assert message is not None
    return pb.Tallies.FromString(message.SerializeToString())


@pytest.mark.parametrize("task", ["intent", ""])
def test_what_was_counted_arrives(task: str) -> None:
    tallies = told(
        made(7, escalated=2, gates={kind: Checks(3, 2, 1) for kind in GateKind}), task=task, age=9
    )
    assert tallies_of(sent(tallies), "report") == tallies


def test_nothing_to_tell_is_nothing() -> None:
    assert tallies_out(None) is None


Break = Callable[[pb.Tallies], object]


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (lambda m: setattr(m, "incarnation", -1), "report.tallies.incarnation"),
        (lambda m: setattr(m, "age_ms", -1), "report.tallies.age_ms"),
        (lambda m: setattr(m.tasks[0], "calls", -1), r"tasks\[0\].calls"),
        (lambda m: setattr(m.tasks[0], "task", "x" * 513), r"tasks\[0\].task"),
        (lambda m: m.tasks[0].difficulties.append(1), "difficulties has 11 bins"),
        (lambda m: m.tasks[0].difficulties.__setitem__(0, -1), "difficulties"),
        (lambda m: setattr(m.tasks[0].services[0], "cost", -1), r"services\[0\].cost"),
        (lambda m: setattr(m.tasks[0].gates[0], "kind", "Luck"), r"gates\[0\].kind"),
        (lambda m: m.tasks.extend([m.tasks[0]] * TASKS_MAX), "tasks has 257 entries"),
        (
            lambda m: m.tasks[0].services.extend([m.tasks[0].services[0]] * SERVICES_MAX),
            "services has 257 entries",
        ),
    ],
)
def test_what_is_malformed_is_refused_by_name(broken: Break, field: str) -> None:
    message = sent(told(made(7)))
    broken(message)
    with pytest.raises(CodecError, match=field):
        tallies_of(message, "report")
