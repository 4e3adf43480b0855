"""How much work one pod may make: all that it has at once, and what flows in."""

import asyncio

from controller.pace import (
    MESSAGE_WORK,
    READ_WAIT_S_MAX,
    STREAM_WORK,
    WORK_MAX,
    WORK_PER_S,
    Pace,
    work_of,
)
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.wire.messages import Goodbye, Report
from tests.support.clocks import LoopClock
from tests.support.scenes import has, wants
from tests.support.tasks import beside

SILENCE_MS = 5_000
"""After this a sidecar takes its controller for gone, at default settings."""

NOTHING = Report(seq=1, boot_ms=BootMs(1))


def large(leases: int) -> Goodbye:
    one = has(LeaseId(Charge(PoolUid("acme/org"), ""), 0))
    return Goodbye(leases=(one,) * leases)


def test_work_is_what_a_message_makes_to_do() -> None:
    assert work_of(NOTHING) == MESSAGE_WORK
    assert work_of(large(7)) == MESSAGE_WORK + 7
    assert work_of(Report(seq=1, boot_ms=BootMs(1), wants=(wants(1),))) == MESSAGE_WORK + 4


def test_a_pod_comes_often_at_once_and_then_as_fast_as_work_flows_in() -> None:
    pace = Pace()
    came = sum(pace.may_come(100.0) for _ in range(1_000))
    assert came == WORK_MAX // STREAM_WORK
    assert not pace.may_come(100.0 + STREAM_WORK / WORK_PER_S / 2)
    assert pace.may_come(100.1 + STREAM_WORK / WORK_PER_S)
    assert not pace.is_rested(100.0 + STREAM_WORK / WORK_PER_S)
    assert pace.is_rested(101.0 + WORK_MAX / WORK_PER_S)


async def test_all_that_a_pod_may_have_is_told_without_waiting() -> None:
    pace = Pace()
    await pace.take(large(16_384))
    waiting = beside(pace.take(NOTHING))
    await asyncio.sleep(0)
    assert waiting.done()


async def test_who_has_told_too_much_waits_before_the_next_message_is_taken() -> None:
    pace = Pace()
    for _ in range(2):
        await pace.take(large(16_384))
    waiting = beside(pace.take(NOTHING))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_a_pod_with_all_leases_at_work_is_read_before_it_takes_nobody_to_be_there() -> None:
    clock, pace = LoopClock(), Pace()
    for _ in range(20):
        reading = beside(pace.take(large(16_384)))
        await asyncio.sleep(0)
        clock.advance(int(READ_WAIT_S_MAX * 1_000))
        async with asyncio.timeout(1):
            await reading
        clock.advance(SILENCE_MS - int(READ_WAIT_S_MAX * 1_000))
    clock.advance(int(1_000 * (WORK_MAX + STREAM_WORK) / WORK_PER_S))
    assert pace.may_come(asyncio.get_running_loop().time())
