"""Work in a thread of its own, with an event loop of its own.

For the little that must go on in time while the process's event loop is busy. The one rule: whoever
awaits the work also ends it, so no thread is left behind. This module must not know what the work
does; what it shares with others it must share as threads may.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")


async def run_apart(name: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run `work()` to its end in a thread called `name`; raises what it raises.

    When the caller is cancelled the work is, and has ended before this returns.
    """
    begun = threading.Event()
    found: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def whole() -> _T:
        task = asyncio.current_task()
        assert task is not None
        found.append((asyncio.get_running_loop(), task))
        begun.set()
        return await work()

    with ThreadPoolExecutor(1, thread_name_prefix=name) as threads:
        ended = asyncio.get_running_loop().run_in_executor(threads, lambda: asyncio.run(whole()))
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            begun.wait()
            ((loop, task),) = found
            # It may have ended meanwhile, and its loop with it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
            await asyncio.wait([ended])
            # Looked at, so that nobody complains of it: how it ended matters no more.
            ended.exception()
            raise
