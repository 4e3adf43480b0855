"""Events: told at turns, the same ones counted, and none worth waiting for."""

import asyncio
from typing import Any

import pytest

from controller.kube.client import KubeError
from controller.kube.happenings import (
    COUNT_REST_MS,
    EVENTS_PER_ROUND_MAX,
    NEW_REST_MS,
    NOTE_CHARACTERS_MAX,
    SERIES_MAX,
    SERIES_MS,
    TRIES_MAX,
    About,
    Happenings,
    News,
    micro_time,
    news_of,
)
from farebox.core.instant import UtcMs
from tests.support.clocks import ManualClock
from tests.support.peers import eventually
from tests.support.tasks import beside

TEAM = About("farebox.dev/v1alpha1", "BudgetPool", "shop", "team", "u-1")
TIER = About("farebox.dev/v1alpha1", "ModelTier", "", "small", "u-2")
OUT = News("Warning", "Exhausted", "Lend", "the limit is reached")
BACK = News("Normal", "MoneyBack", "Lend", "calls find money")


class Desk:
    """Takes what is written, or refuses it."""

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.changed: list[tuple[str, dict[str, Any]]] = []
        self.refusal: KubeError | None = None

    async def create(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        self._refuse()
        self.made.append((at, body))
        return body

    async def merge(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        self._refuse()
        self.changed.append((at, body))
        return body

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def happenings(desk: Desk, clock: ManualClock) -> Happenings:
    return Happenings(desk, clock, instance="farebox-controller-0")


def status(**rows: tuple[str, str]) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": type_, "status": holds, "message": message}
            for type_, (holds, message) in rows.items()
        ]
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, status(Ready=("True", "good"), Exhausted=("False", "")), []),
        ({}, status(Ready=("False", "bad limit")), [("Warning", "Refused", "bad limit")]),
        (status(Ready=("False", "bad")), status(Ready=("False", "bad")), []),
        (
            status(Ready=("False", "bad limit")),
            status(Ready=("False", "bad window")),
            [("Warning", "Refused", "bad window")],
        ),
        (
            status(Ready=("False", "bad")),
            status(Ready=("True", "good")),
            [("Normal", "InForce", "good")],
        ),
        (
            status(Exhausted=("False", "")),
            status(Exhausted=("True", "out")),
            [("Warning", "Exhausted", "out")],
        ),
        (status(Exhausted=("True", "out")), status(Exhausted=("True", "still out")), []),
        (
            status(Exhausted=("True", "out")),
            status(Exhausted=("False", "in")),
            [("Normal", "MoneyBack", "in")],
        ),
        (
            status(OverCommitted=("False", "")),
            status(OverCommitted=("True", "$1")),
            [("Warning", "OverCommitted", "$1")],
        ),
        ({}, status(Enforced=("False", "Shadow")), []),
        (
            status(Enforced=("True", "")),
            status(Enforced=("False", "3 pods")),
            [("Warning", "NotEnforced", "3 pods")],
        ),
        ({}, status(Priced=("False", "no price")), [("Warning", "NotPriced", "no price")]),
        (
            status(Escalating=("Unknown", "")),
            status(Escalating=("True", "30 %")),
            [("Warning", "Escalating", "30 %")],
        ),
        ({}, status(BaselineMissing=("True", "never profiled")), []),
    ],
    ids=[
        "a good new resource",
        "a bad new resource",
        "it stays bad",
        "it is bad in another way",
        "it is good now",
        "money has run out",
        "it is still out",
        "money is back",
        "the limit fell",
        "somebody wants no limit",
        "a limit does not hold any more",
        "a model has no price",
        "a task escalates",
        "a task that was never profiled",
    ],
)
def test_people_are_told_of_turns(
    before: dict[str, Any], after: dict[str, Any], told: list[tuple[str, str, str]]
) -> None:
    assert [(one.type, one.reason, one.note) for one in news_of(before, after)] == told


async def test_an_event_is_as_the_api_server_wants_it(desk: Desk, happenings: Happenings) -> None:
    happenings.tell(TEAM, OUT)
    await happenings.write_due()
    ((at, body),) = desk.made
    assert at == "/apis/events.k8s.io/v1/namespaces/shop/events"
    name = body["metadata"].pop("name")
    assert name.startswith("team.")
    assert body == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "shop"},
        "eventTime": "2026-09-21T14:13:20.000000Z",
        "reportingController": "farebox.dev/controller",
        "reportingInstance": "farebox-controller-0",
        "action": "Lend",
        "reason": "Exhausted",
        "type": "Warning",
        "note": "the limit is reached",
        "regarding": {
            "apiVersion": "farebox.dev/v1alpha1",
            "kind": "BudgetPool",
            "name": "team",
            "namespace": "shop",
            "uid": "u-1",
        },
    }
    await happenings.write_due()
    assert len(desk.made) == 1


async def test_one_about_what_has_no_namespace_is_in_the_default_one(
    desk: Desk, happenings: Happenings
) -> None:
    happenings.tell(TIER, OUT)
    await happenings.write_due()
    ((at, body),) = desk.made
    assert at == "/apis/events.k8s.io/v1/namespaces/default/events"
    assert "namespace" not in body["regarding"]


async def test_the_same_again_is_counted_once_a_minute(
    desk: Desk, clock: ManualClock, happenings: Happenings
) -> None:
    happenings.tell(TEAM, OUT)
    await happenings.write_due()
    for _ in range(3):
        clock.advance(1_000)
        happenings.tell(TEAM, OUT)
        await happenings.write_due()
    assert desk.changed == []
    clock.advance(COUNT_REST_MS)
    await happenings.write_due()
    ((at, body),) = desk.changed
    assert (
        at == f"/apis/events.k8s.io/v1/namespaces/shop/events/{desk.made[0][1]['metadata']['name']}"
    )
    assert body == {"series": {"count": 4, "lastObservedTime": "2026-09-21T14:13:23.000000Z"}}


async def test_the_same_much_later_is_another_event(
    desk: Desk, clock: ManualClock, happenings: Happenings
) -> None:
    happenings.tell(TEAM, OUT)
    await happenings.write_due()
    clock.advance(SERIES_MS)
    happenings.tell(TEAM, OUT)
    await happenings.write_due()
    assert len({body["metadata"]["name"] for _, body in desk.made}) == 2


async def test_words_that_change_all_the_time_make_few_events(
    desk: Desk, clock: ManualClock, happenings: Happenings
) -> None:
    for second in range(30):
        happenings.tell(TEAM, OUT._replace(note=f"$0.{second} is left"))
        happenings.tell(TEAM, BACK)
        await happenings.write_due()
        clock.advance(1_000)
    reasons = [body["reason"] for _, body in desk.made]
    assert reasons.count("Exhausted") == 30_000 // NEW_REST_MS
    assert reasons.count("MoneyBack") == 1


async def test_a_round_writes_so_many(desk: Desk, happenings: Happenings) -> None:
    for number in range(EVENTS_PER_ROUND_MAX + 5):
        happenings.tell(TEAM._replace(uid=str(number)), OUT)
    await happenings.write_due()
    assert len(desk.made) == EVENTS_PER_ROUND_MAX
    await happenings.write_due()
    assert len(desk.made) == EVENTS_PER_ROUND_MAX + 5


async def test_no_more_are_remembered_than_there_is_room_for(happenings: Happenings) -> None:
    for number in range(SERIES_MAX + 50):
        happenings.tell(TEAM._replace(uid=str(number)), OUT)
    assert len(happenings) == SERIES_MAX


async def test_what_is_long_ago_is_forgotten(clock: ManualClock, happenings: Happenings) -> None:
    happenings.tell(TEAM, OUT)
    await happenings.write_due()
    clock.advance(SERIES_MS)
    await happenings.write_due()
    assert len(happenings) == 0


async def test_a_refusal_drops_it_and_an_outage_is_tried_again(
    desk: Desk, happenings: Happenings, caplog: pytest.LogCaptureFixture
) -> None:
    desk.refusal = KubeError("no right to make Events", status=403, reason="Forbidden")
    happenings.tell(TEAM, OUT)
    happenings.tell(TIER, OUT)
    await happenings.write_due()
    assert len(happenings) == 0
    assert [record.message for record in caplog.records] == [
        "an Event is not written: no right to make Events"
    ]
    desk.refusal = KubeError("not reached")
    happenings.tell(TEAM._replace(uid="other"), OUT)
    for tries in range(TRIES_MAX):
        assert len(happenings) == 1, tries
        await happenings.write_due()
    assert len(happenings) == 0


async def test_an_event_that_the_api_server_has_let_go_is_made_anew(
    desk: Desk, clock: ManualClock, happenings: Happenings
) -> None:
    happenings.tell(TEAM, OUT)
    await happenings.write_due()
    clock.advance(COUNT_REST_MS)
    happenings.tell(TEAM, OUT)
    desk.refusal = KubeError("not found", status=404, reason="NotFound")
    await happenings.write_due()
    desk.refusal = None
    await happenings.write_due()
    assert desk.made[-1][1]["series"]["count"] == 2


async def test_a_long_note_is_cut(desk: Desk, happenings: Happenings) -> None:
    happenings.tell(TEAM, OUT._replace(note="n" * 5_000))
    await happenings.write_due()
    assert len(desk.made[0][1]["note"]) == NOTE_CHARACTERS_MAX


def test_a_micro_time_has_six_digits() -> None:
    assert micro_time(UtcMs(1_790_000_000_007)) == "2026-09-21T14:13:20.007000Z"


async def test_whatever_goes_wrong_with_one_others_are_written(
    desk: Desk, happenings: Happenings, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Desk):
        """Fails in a way that no client should."""

        async def create(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
            happenings._api = desk
            raise ValueError(at)

    happenings._api = Broken()
    happenings.tell(TEAM, OUT)
    running = beside(happenings.run())
    await eventually(lambda: len(desk.made) == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "Events can't be written now" in caplog.text
