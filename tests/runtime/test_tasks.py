"""Tasks that live and die together, and short jobs beside them."""

import asyncio
import logging
import os
import signal

import pytest

from farebox.runtime.tasks import Beside, Jobs, Supervisor, first_of


async def test_a_failing_task_ends_the_others_and_its_error_comes_out() -> None:
    ended: list[str] = []

    async def runs_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("the other")

    async def fails() -> None:
        raise OSError("disk full")

    async def process() -> None:
        async with Supervisor() as tasks:
            tasks.start("other", runs_for_ever())
            tasks.start("fails", fails())
            await tasks.stopped()

    with pytest.raises(ExceptionGroup) as caught:
        await process()

    assert isinstance(caught.value.exceptions[0], OSError)
    assert ended == ["the other"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_process_end_in_order_youngest_task_first(
    number: signal.Signals,
) -> None:
    ended: list[str] = []

    async def runs_until_cancelled(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async with Supervisor() as tasks:
        tasks.stop_on_signals()
        tasks.start("store", runs_until_cancelled("store"))
        tasks.start("server", runs_until_cancelled("server"))
        await asyncio.sleep(0)
        os.kill(os.getpid(), number)
        await tasks.stopped()
        await tasks.cancel_all()

    assert ended == ["server", "store"]


async def test_a_job_that_fails_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        raise OSError("no route to host")

    jobs = Jobs()
    with caplog.at_level(logging.ERROR):
        jobs.start("receipt", fails())
        assert await jobs.finish(grace_s=5) == 0

    assert "receipt failed: no route to host" in caplog.text
    assert len(jobs) == 0


async def test_a_job_that_does_not_end_in_time_is_cancelled() -> None:
    jobs = Jobs()
    jobs.start("stuck", asyncio.Event().wait())

    assert await jobs.finish(grace_s=0) == 1
    assert len(jobs) == 0


async def test_jobs_are_bounded() -> None:
    jobs = Jobs(jobs_max=1)
    jobs.start("first", asyncio.Event().wait())

    with pytest.raises(RuntimeError, match="second: 1 jobs run already"):
        jobs.start("second", asyncio.Event().wait())

    await jobs.finish(grace_s=0)


async def test_the_first_work_that_ends_ends_the_others() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def works() -> None:
        ended.append("works")

    await first_of(waits(), works())

    assert ended == ["works", "waits"]


async def test_what_the_first_work_raises_comes_out() -> None:
    async def fails() -> None:
        raise OSError("line is dead")

    with pytest.raises(OSError, match="line is dead"):
        await first_of(asyncio.sleep(3_600), fails())


async def test_what_runs_beside_connections_has_a_grace_and_is_ended_then() -> None:
    ended: list[str] = []

    async def work(name: str, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            ended.append(f"{name} is done")
        except asyncio.CancelledError:
            ended.append(f"{name} is cancelled")

    beside = Beside()
    await beside.finish(grace_s=0)
    beside.start(work("short", 0.001))
    beside.start(work("long", 60))
    await beside.finish(grace_s=0.5)
    assert ended == ["short is done", "long is cancelled"]
