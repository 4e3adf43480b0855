"""The streams of pods: how many there may be, and what they hear of their pods."""

import asyncio

import grpc
import pytest

from controller.door import PACES_MAX, STREAMS_PER_POD_MAX, Guests, TurnedAway
from controller.pace import WORK_MAX
from farebox.wire.messages import Workload
from tests.support.tasks import beside

POD = Workload(namespace="acme", name="pod", labels={"team": "blue"}, uid="1")
OTHER = Workload(namespace="acme", name="other", uid="2")


async def test_a_guest_hears_what_its_pod_has_become_and_only_the_latest() -> None:
    guests = Guests()
    guest, other = guests.enter(POD), guests.enter(OTHER)
    guests.change("1", {"team": "red"})
    guests.change("1", {"team": "green"})

    heard = await guest.news()
    assert heard is not None
    assert (heard.labels, heard.name, heard.uid) == ({"team": "green"}, "pod", "1")
    assert guest.workload == heard
    assert other.workload == OTHER


async def test_equal_labels_are_no_news() -> None:
    guests = Guests()
    guest = guests.enter(POD)
    waiting = beside(guest.news())
    guests.change("1", {"team": "blue"})
    await asyncio.sleep(0)
    assert not waiting.done()

    guests.change("1", None)
    assert await waiting is None
    assert guest.gone


async def test_who_has_left_hears_nothing_and_nobody_is_missed() -> None:
    guests = Guests()
    guests.leave(guests.enter(POD))
    guests.change("1", None)
    again = guests.enter(POD)
    assert not again.gone


async def test_a_pod_has_only_so_many_streams_at_once() -> None:
    guests = Guests()
    first = guests.enter(POD)
    for _ in range(STREAMS_PER_POD_MAX - 1):
        guests.enter(POD)
    guests.enter(OTHER)
    with pytest.raises(TurnedAway, match="pod acme/pod has 4 streams already") as told:
        guests.enter(POD)
    assert told.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    guests.leave(first)
    guests.enter(POD)


def come_and_go(guests: Guests, pod: Workload, times: int) -> None:
    for _ in range(times):
        guests.leave(guests.enter(pod))


async def test_a_pod_that_comes_again_and_again_is_told_to_wait() -> None:
    guests = Guests()
    with pytest.raises(TurnedAway, match="pod acme/pod comes too often") as told:
        come_and_go(guests, POD, WORK_MAX)
    assert told.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    come_and_go(guests, OTHER, 10)


async def test_all_streams_of_a_pod_have_one_pace_and_pods_that_rest_are_forgotten() -> None:
    guests = Guests()
    one, other = guests.enter(POD), guests.enter(POD)
    assert one.pace is other.pace
    for number in range(PACES_MAX + 10):
        guests.leave(guests.enter(Workload(namespace="acme", name="pod", uid=f"p{number}")))
    assert guests.enter(POD).pace is one.pace
