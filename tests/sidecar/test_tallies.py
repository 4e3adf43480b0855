"""What a sidecar counts of its calls, and when it tells."""

from typing import Any

import msgspec
import pytest

from farebox.core.gates import Gate, GateKind, Verdict
from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tallies import OTHER, Checks, ServedBy, Service, Tally
from farebox.core.tasks import TaskProfile
from sidecar import tallies
from sidecar.commands import AttemptRecord, Purpose
from sidecar.policy import PolicyHolder
from sidecar.tallies import TOLD_MS_MAX, TallyBook
from tests.support.clocks import ManualClock
from tests.support.outcomes import ATTEMPT, make_outcome

BEAT = DurationMs(5_000)
TASK = "classification"
SMALL, MID = ServedBy("small", "gpt-4o-mini"), ServedBy("mid", "gpt-4o")
GATES = (
    Gate(name="shape", kind=GateKind.JSON_SCHEMA),
    Gate(name="label", kind=GateKind.LABELS, labels=("yes",)),
)
PASSED = (Verdict("shape", passed=True), Verdict("label", passed=True))
FAILED = (Verdict("shape", passed=False, why="no JSON"), Verdict("label", passed=True))
UNRUN = (Verdict("shape", passed=False, ran=False),)


def make_book(clock: ManualClock | None = None) -> TallyBook:
    policies = PolicyHolder()
    policies.replace(Policy(tasks=(TaskProfile(name=TASK, default_tier="small", gates=GATES),)))
    return TallyBook(clock or ManualClock(), policies)


def attempt(**changes: Any) -> AttemptRecord:
    return msgspec.structs.replace(ATTEMPT, **changes)


def tally_of(book: TallyBook, task: str = TASK) -> Tally:
    told = book.last(BootMs(2_000_000))
    assert told is not None
    return told.tasks[task]


def test_a_served_call_counts_for_its_task_its_model_and_its_difficulty() -> None:
    book = make_book()
    book.finished(make_outcome())
    book.finished(make_outcome())
    assert tally_of(book) == Tally(
        calls=2,
        difficulties=(0, 0, 0, 2, 0, 0, 0, 0, 0, 0),
        services={SMALL: Service(calls=2, cost=54_000)},
    )


def test_a_refused_call_was_served_by_nobody() -> None:
    book = make_book()
    book.finished(
        make_outcome(refused=Reason.POOL_EXHAUSTED, model="", tier="", attempts=(), cost=Nanos(0))
    )
    told = tally_of(book)
    assert (told.calls, told.refused, dict(told.services)) == (1, 1, {})


def test_every_attempt_costs_where_it_was_made() -> None:
    book = make_book()
    retried = (attempt(cost=Nanos(5)), attempt(model="gpt-4o", tier="mid", cost=Nanos(70)))
    book.finished(make_outcome(attempts=retried, model="gpt-4o", tier="mid"))
    assert tally_of(book).services == {SMALL: Service(cost=5), MID: Service(calls=1, cost=70)}


def test_an_unfamiliar_prompt_is_counted() -> None:
    book = make_book()
    book.finished(make_outcome(rule="model_unsure=a"))
    book.finished(make_outcome(rule="model_scored=a"))
    assert tally_of(book).unsure == 1


def test_an_escalation_counts_once_with_the_first_answer_judged() -> None:
    book = make_book()
    first = attempt(verdicts=FAILED)
    graded = attempt(purpose=Purpose.GRADE, model="gpt-4o", tier="mid", cost=Nanos(9))
    second = attempt(model="gpt-4o", tier="mid", cost=Nanos(70), verdicts=PASSED)
    book.finished(
        make_outcome(
            attempts=(first, graded, second),
            model="gpt-4o",
            tier="mid",
            gate="passed",
            escalations=1,
        )
    )
    told = tally_of(book)
    assert (told.gated, told.escalated, told.unmended) == (1, 1, 0)
    assert told.services == {
        SMALL: Service(judged=1, failed=1, cost=27_000),
        MID: Service(calls=1, cost=79),
    }
    assert told.gates == {GateKind.JSON_SCHEMA: Checks(2, 1, 0), GateKind.LABELS: Checks(2, 0, 0)}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (PASSED, (1, 0, 0, {GateKind.JSON_SCHEMA: Checks(1, 0, 0)})),
        (FAILED, (1, 1, 1, {GateKind.JSON_SCHEMA: Checks(1, 1, 0)})),
        (UNRUN, (1, 1, 1, {GateKind.JSON_SCHEMA: Checks(0, 0, 1)})),
    ],
)
def test_what_gates_say_of_a_single_answer(
    verdicts: tuple[Verdict, ...], expected: tuple[int, int, int, dict[GateKind, Checks]]
) -> None:
    book = make_book()
    book.finished(make_outcome(attempts=(attempt(verdicts=verdicts[:1]),), gate="said"))
    told = tally_of(book)
    assert (told.gated, told.unmended, told.services[SMALL].failed, told.gates) == expected


def test_an_answer_that_nobody_checked_is_not_gated() -> None:
    book = make_book()
    book.finished(make_outcome(gate="none"))
    assert tally_of(book).gated == 0


def test_a_gate_that_the_policy_no_longer_has_is_of_no_kind() -> None:
    book = make_book()
    gone = (Verdict("gone", passed=False),)
    book.finished(make_outcome(attempts=(attempt(verdicts=gone),), gate="failed:gone"))
    told = tally_of(book)
    assert (told.gated, told.unmended, dict(told.gates)) == (1, 1, {})


def test_names_beyond_the_bounds_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "TASKS_MAX", 2)
    monkeypatch.setattr(tallies, "SERVICES_MAX", 1)
    book = make_book()
    for task in ("a", "b", "c", "d"):
        book.finished(make_outcome(task=task))
    book.finished(make_outcome(task="a", model="gpt-4o", attempts=()))
    told = book.last(BootMs(2_000_000))
    assert told is not None
    assert {name: tally.calls for name, tally in told.tasks.items()} == {"a": 2, "b": 1, OTHER: 2}
    assert told.tasks["a"].services[ServedBy(OTHER, OTHER)].calls == 1


def test_it_is_told_with_a_report_now_and_then_and_only_what_changed() -> None:
    clock = ManualClock()
    book = make_book(clock)
    assert book.due(clock.boot(), BEAT) is None
    book.finished(make_outcome())
    clock.advance(100)
    first = book.due(clock.boot(), BEAT)
    assert first is not None
    assert (first.age, set(first.tasks)) == (100, {TASK})
    book.finished(make_outcome(task="other-task"))
    clock.advance(2 * BEAT - 1)
    assert book.due(clock.boot(), BEAT) is None
    clock.advance(1)
    second = book.due(clock.boot(), BEAT)
    assert second is not None
    assert set(second.tasks) == {"other-task"}
    assert second.incarnation == first.incarnation
    clock.advance(10 * BEAT)
    assert book.due(clock.boot(), BEAT) is None


def test_with_slow_heartbeats_it_is_told_with_each() -> None:
    clock = ManualClock()
    book = make_book(clock)
    for _ in range(3):
        book.finished(make_outcome())
        assert book.due(clock.boot(), DurationMs(60_000)) is not None
        clock.advance(TOLD_MS_MAX)


def test_on_a_new_stream_all_is_told_again_at_once() -> None:
    clock = ManualClock()
    book = make_book(clock)
    book.finished(make_outcome())
    assert book.due(clock.boot(), BEAT) is not None
    book.begin()
    told = book.due(clock.boot(), BEAT)
    assert told is not None
    assert told.tasks[TASK].calls == 1


def test_two_lives_of_a_process_are_told_apart() -> None:
    lives = set()
    for _ in range(2):
        book = make_book()
        book.finished(make_outcome())
        told = book.last(BootMs(2_000_000))
        assert told is not None
        lives.add(told.incarnation)
    assert len(lives) == 2
