"""Work that a test runs beside itself and awaits at the end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def beside(work: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
    """Run work beside the test, which must await what is returned."""
    return asyncio.ensure_future(work)  # noqa: TID251  (the test itself keeps and awaits it)
