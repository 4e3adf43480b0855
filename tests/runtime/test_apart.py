"""Work in a thread of its own: it goes on while the loop stands still, and ends with its caller."""

import asyncio
import threading

import pytest

from farebox.runtime.apart import run_apart
from tests.support.tasks import beside

PATIENCE_S = 60


async def test_what_it_returns_and_raises_comes_out() -> None:
    async def name() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    async def fails() -> None:
        raise OSError("no disk")

    assert (await run_apart("renewals", name)).startswith("renewals")
    with pytest.raises(OSError, match="no disk"):
        await run_apart("renewals", fails)


async def test_it_goes_on_while_the_loop_stands_still() -> None:
    told = threading.Event()

    async def tell() -> None:
        told.set()

    task = beside(run_apart("renewals", tell))
    await asyncio.sleep(0)
    assert told.wait(PATIENCE_S), "the loop did nothing else meanwhile"
    await task


async def test_who_is_cancelled_ends_it_first() -> None:
    began, ended = threading.Event(), threading.Event()

    async def waits() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = beside(run_apart("renewals", waits))
    await asyncio.to_thread(began.wait, PATIENCE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
