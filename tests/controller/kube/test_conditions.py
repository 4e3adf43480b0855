"""Conditions: since when they hold, and whether a version is in force."""

import pytest

from controller.kube.conditions import (
    MESSAGE_CHARACTERS_MAX,
    Found,
    Seen,
    conditions,
    conditions_of,
    ready,
    sentence,
)
from farebox.core.instant import UtcMs
from farebox.core.watching import Status
from farebox.manifests.resources import Kind, Problem, ResourceId

NOW = UtcMs(1_790_000_000_000)
BEFORE = "2026-09-01T00:00:00Z"
AT_NOW = "2026-09-21T14:13:20Z"
POOL = ResourceId(Kind.BUDGET_POOL, "shop", "team")


def seen(*problems: tuple[str, str], generation: int = 3, in_force: int | None = 3) -> Seen:
    return Seen(
        id=POOL,
        uid="u-1",
        generation=generation,
        version="77",
        in_force=in_force,
        problems=tuple(
            Problem(file="", line=0, resource=str(POOL), field=field, message=message)
            for field, message in problems
        ),
    )


def stood(status: str) -> dict[str, object]:
    """What stands there since BEFORE."""
    return {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": BEFORE}]}


@pytest.mark.parametrize(
    ("before", "since"),
    [
        ({}, AT_NOW),
        (stood("True"), BEFORE),
        (stood("False"), AT_NOW),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, AT_NOW),
        ({"conditions": "nonsense"}, AT_NOW),
        ({"conditions": [None, {"status": "True"}]}, AT_NOW),
    ],
    ids=[
        "it is new",
        "its status is as it was",
        "its status is another",
        "nobody wrote since when",
        "what stood there is no list",
        "what stood there are no conditions",
    ],
)
def test_the_transition_time_is_that_of_the_status(before: dict[str, object], since: str) -> None:
    found = Found("Ready", Status.TRUE, "InForce", "other words")
    assert conditions([found], before=before, generation=3, now=NOW) == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "InForce",
            "message": "other words",
            "lastTransitionTime": since,
            "observedGeneration": 3,
        }
    ]


def test_conditions_are_found_by_their_type() -> None:
    status = {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "False"}]}
    assert conditions_of(status)["B"] == {"type": "B", "status": "False"}


PARENT = ("spec.parent.name", "there is no pool shop/all in force: write shop/org")
SAID = ": ".join(PARENT)
RUNS = "it stays in force as long as this controller runs"


@pytest.mark.parametrize(
    ("it", "status", "reason", "message"),
    [
        (seen(), Status.TRUE, "InForce", "this version is in force"),
        (
            seen(PARENT, in_force=2),
            Status.FALSE,
            "Refused",
            f"{SAID}; generation 2 stays in force",
        ),
        (
            seen(PARENT, in_force=None),
            Status.FALSE,
            "Refused",
            f"{SAID}; no version of it is in force",
        ),
        (seen(PARENT), Status.FALSE, "Unfit", f"{SAID}; {RUNS}"),
    ],
    ids=["good", "a bad second version", "bad from the start", "its parent was deleted"],
)
def test_ready_says_whether_the_latest_version_is_in_force(
    it: Seen, status: Status, reason: str, message: str
) -> None:
    assert ready(it) == ("Ready", status, reason, message)


def test_many_problems_are_counted() -> None:
    many = tuple((f"spec.field{number}", "is wrong") for number in range(7))
    assert ready(seen(*many)).message.startswith("spec.field0: is wrong; spec.field1: is wrong; ")
    assert "; and 3 more; " in ready(seen(*many)).message


def test_a_long_message_is_cut() -> None:
    message = sentence("a" * 2_000, "b")
    assert len(message) == MESSAGE_CHARACTERS_MAX
    assert message.endswith("a…")


def test_a_version_that_nobody_has_judged_yet_is_told_apart() -> None:
    assert not seen(generation=4).is_judged
    assert seen(PARENT, generation=4).is_judged
    assert seen().is_judged
