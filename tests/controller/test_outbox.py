"""What waits for a sidecar: the newest of each kind, in the order it was last said."""

import asyncio

import pytest

from controller.outbox import Outbox, OutboxFull
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.messages import Grant, LeaseClosed, ReportAck, ShrinkTo
from tests.support.scenes import FOREVER
from tests.support.tasks import beside

OTHER = LeaseId(Charge(PoolUid("acme/team"), ""), 0)


def grant(granted: int, lease: LeaseId = FOREVER) -> Grant:
    return Grant(
        epoch=1,
        lease=lease,
        granted=Nanos(granted),
        ttl=DurationMs(1),
        echo_boot_ms=BootMs(1),
    )


def ack(seq: int) -> ReportAck:
    return ReportAck(epoch=1, seq=seq, echo_boot_ms=BootMs(seq), ttl=DurationMs(1))


async def test_messages_come_out_in_their_order() -> None:
    box = Outbox()
    messages = (grant(5), LeaseClosed(lease=OTHER), ack(1))
    for message in messages:
        box.put(message)

    assert await box.take() == messages
    assert len(box) == 0


async def test_a_newer_total_takes_the_place_of_the_older_at_the_end() -> None:
    box = Outbox()
    shrink = ShrinkTo(epoch=1, lease=FOREVER, limit=Nanos(3))
    for message in (grant(5), ack(1), shrink, grant(8, OTHER), grant(9), ack(2)):
        box.put(message)

    assert await box.take() == (shrink, grant(8, OTHER), grant(9), ack(2))


async def test_who_takes_waits_for_the_first_message() -> None:
    box = Outbox()
    taking = beside(box.take())
    await asyncio.sleep(0)
    assert not taking.done()

    box.put(ack(1))
    assert await taking == (ack(1),)


async def test_the_end_comes_after_what_is_in_the_box() -> None:
    box = Outbox()
    box.put(ack(1))
    box.end()

    assert await box.take() == (ack(1),)
    assert await box.take() == ()


async def test_the_end_wakes_who_waits() -> None:
    box = Outbox()
    taking = beside(box.take())
    await asyncio.sleep(0)
    box.end()

    assert await taking == ()


def test_the_box_is_bounded_but_takes_what_replaces() -> None:
    box = Outbox(messages_max=2)
    box.put(grant(1))
    box.put(grant(1, OTHER))
    box.put(grant(2))

    with pytest.raises(OutboxFull):
        box.put(ack(1))
