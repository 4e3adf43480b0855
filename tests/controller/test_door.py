"""The streams of pods: how many there may be, and what they hear of their pods."""

import asyncio

import grpc
import pytest

from controller.door import STREAMS_PER_POD_MAX, Guests, TurnedAway
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


def test_a_pod_has_only_so_many_streams_at_once() -> None:
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
