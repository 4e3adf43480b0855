"""The line at the door: paced, first come first served, and bounded."""

import asyncio

import pytest

from controller.admission import Admission, LineFull


async def test_who_comes_alone_does_not_wait() -> None:
    admission = Admission(per_s=1)
    async with asyncio.timeout(0.5):
        await admission.wait()


async def test_many_are_let_in_one_after_the_other() -> None:
    admission, order = Admission(per_s=500), list[int]()
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def come(number: int) -> None:
        await admission.wait()
        order.append(number)

    await asyncio.gather(*(come(number) for number in range(50)))
    assert order == sorted(order)
    assert loop.time() - began >= 49 / 500


async def test_a_line_that_is_too_long_is_refused_at_once() -> None:
    admission = Admission(waiting_max=0)
    admission._gap_s = 600.0  # so that the second comes in time on any machine
    await admission.wait()
    with pytest.raises(LineFull, match="come again later"):
        await admission.wait()
