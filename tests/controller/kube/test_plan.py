"""Which status is written next: by difference, with rests, each resource for itself."""

from typing import Any

import pytest

from controller.kube.conditions import Json, Seen
from controller.kube.plan import (
    BACK_OFF_MS_MAX,
    FIGURES,
    REST_MS,
    SAME,
    TURNS,
    WORDS,
    WORDS_REST_MS,
    Draft,
    Plan,
    difference,
)
from farebox.core.instant import BootMs
from farebox.manifests.resources import Kind, ResourceId

OWN = {Kind.BUDGET_POOL: ("Ready", "Exhausted")}


def status(
    spent: str = "1.00", *, exhausted: str = "False", message: str = "", **more: Any
) -> dict[str, Any]:
    """A status with one condition."""
    row = {
        "type": "Exhausted",
        "status": exhausted,
        "reason": "R",
        "message": message,
        "lastTransitionTime": "2026-09-21T14:13:20Z",
        "observedGeneration": 1,
        **more,
    }
    return {"observedGeneration": 1, "spent": spent, "conditions": [row]}


def seen(
    name: str = "team",
    *,
    stands: Json | None = None,
    version: str = "1",
    generation: int = 1,
    uid: str = "u",
) -> Seen:
    return Seen(
        id=ResourceId(Kind.BUDGET_POOL, "shop", name),
        uid=uid,
        generation=generation,
        version=version,
        in_force=generation,
        status=stands or {},
    )


def draft(it: Seen, wanted: Json) -> Draft:
    return Draft(seen=it, before=it.status, status=wanted)


def plan() -> Plan:
    return Plan(OWN, jitter=lambda _, most: most)


def names(drafts: list[Draft]) -> list[str]:
    return [one.seen.id.name for one in drafts]


AT = BootMs(1_000_000)


def after(milliseconds: int) -> BootMs:
    return BootMs(AT + milliseconds)


@pytest.mark.parametrize(
    ("before", "after_", "much"),
    [
        (status(), status(), SAME),
        (status(), status(message="other"), WORDS),
        (status(), status("2.00"), FIGURES),
        (status(), status(exhausted="True"), TURNS),
        (status(), status(reason="Other"), TURNS),
        (status(), status(observedGeneration=2), TURNS),
        ({}, status(), TURNS),
        ({"spent": "1.00"}, {"spent": "1.00"}, SAME),
        (
            {**status(), "conditions": [*status()["conditions"], {"type": "Theirs"}]},
            status(),
            SAME,
        ),
        ({**status(), "conditions": [*status()["conditions"], {"type": "Ready"}]}, status(), TURNS),
    ],
    ids=[
        "the same",
        "only words",
        "figures",
        "a condition turns",
        "for another reason",
        "of another version",
        "nothing stood there",
        "no conditions",
        "somebody else's condition",
        "one of ours that is no more",
    ],
)  # fmt: skip
def test_difference(before: Json, after_: Json, much: int) -> None:
    assert difference(before, after_, OWN[Kind.BUDGET_POOL]) == much


def test_what_stands_as_it_should_is_not_written() -> None:
    assert plan().due([draft(seen(stands=status()), status())], AT) == []


def test_turns_come_first_then_figures_of_whoever_was_not_written_for_longest() -> None:
    it = plan()
    stood = status()
    for name, at in (("b", after(0)), ("a", after(1)), ("c", after(2))):
        it.written(draft(seen(name), stood), stood, at)
    drafts = [
        draft(seen("a", stands=stood), status("2.00")),
        draft(seen("b", stands=stood), status("2.00")),
        draft(seen("c", stands=stood), status(exhausted="True")),
        draft(seen("new", stands=stood), status("2.00")),
        draft(seen("words", stands=stood), status(message="other")),
    ]
    assert names(it.due(drafts, after(5_000))) == ["c", "new", "b", "a", "words"]


def test_figures_rest_a_second_and_words_longer() -> None:
    it, stood = plan(), status()
    it.written(draft(seen(), stood), stood, AT)
    moved, reworded = (
        draft(seen(stands=stood), status("2.00")),
        draft(seen(stands=stood), status(message="x")),
    )
    assert it.due([moved], after(REST_MS - 1)) == []
    assert it.due([moved], after(REST_MS)) == [moved]
    assert it.due([reworded], after(WORDS_REST_MS - 1)) == []
    assert it.due([reworded], after(WORDS_REST_MS)) == [reworded]


def test_the_answer_to_a_write_stands_until_the_mirror_moves() -> None:
    it = plan()
    it.written(draft(seen(version="1"), status("2.00")), status("2.00"), AT)
    assert it.standing(seen(version="1")).status == status("2.00")
    assert it.standing(seen(version="2", stands=status("3.00"))).status == status("3.00")
    assert it.standing(seen(version="1", uid="another")).status == {}


def test_only_one_write_of_a_resource_is_under_way() -> None:
    it, moved = plan(), draft(seen(stands=status()), status("2.00"))
    assert it.begin(moved)
    assert not it.begin(moved)
    assert it.due([moved], after(60_000)) == []
    it.written(moved, status("2.00"), AT)
    assert it.due([draft(seen(stands=status("2.00")), status("3.00"))], after(60_000)) != []


def test_a_write_that_is_dropped_is_due_again() -> None:
    it, moved = plan(), draft(seen(stands=status()), status("2.00"))
    it.begin(moved)
    it.drop(moved)
    assert it.due([moved], AT) == [moved]


def test_a_failure_rests_ever_longer_and_holds_up_nobody_else() -> None:
    it, bad, good = plan(), draft(seen("bad"), status()), draft(seen("good"), status())
    now, rests = AT, []
    for _ in range(12):
        assert names(it.due([bad, good], now)) == ["bad", "good"]
        it.failed(bad, "no", now)
        rest = 0
        while names(it.due([bad, good], BootMs(now + rest))) == ["good"]:
            rest += 500
        rests.append(rest)
        now = BootMs(now + rest)
    assert rests[:4] == [2_000, 4_000, 8_000, 16_000]
    assert rests[-1] == BACK_OFF_MS_MAX


def test_another_version_of_what_failed_is_tried_at_once() -> None:
    it = plan()
    it.failed(draft(seen(), status()), "no", AT, wait_ms=60_000)
    assert it.due([draft(seen(), status())], after(59_999)) == []
    assert it.due([draft(seen(generation=2), status())], after(1)) != []


def test_the_same_failure_is_told_once() -> None:
    it, one = plan(), draft(seen(), status())
    assert it.failed(one, "no", AT)
    assert not it.failed(one, "no", AT)
    assert it.failed(one, "never", AT)
    it.written(one, status(), AT)
    assert it.failed(one, "never", AT)


def test_what_does_not_stand_though_written_is_tried_ever_less() -> None:
    it, wanted = plan(), status("2.00")
    it.written(draft(seen(version="1"), wanted), status(), AT)
    again = draft(seen(version="2", stands=status()), wanted)
    assert it.due([again], after(REST_MS)) == [again]
    it.written(again, status(), after(REST_MS))
    assert it.due([again], after(2 * REST_MS)) == []
    assert it.due([again], after(3 * REST_MS)) == [again]


def test_a_resource_made_anew_is_another_one() -> None:
    it = plan()
    it.failed(draft(seen(uid="old"), status()), "gone", AT, wait_ms=60_000)
    assert it.due([draft(seen(uid="new"), status())], after(1)) != []


def test_what_is_gone_is_forgotten() -> None:
    it = plan()
    it.written(draft(seen("a"), status()), status(), AT)
    it.written(draft(seen("b"), status()), status(), AT)
    it.forget_but([seen("b").id])
    assert len(it) == 1
