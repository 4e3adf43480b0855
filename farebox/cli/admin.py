"""Asking the processes' admin servers: is it ready, what does it know.

The one rule: every question has a bound and every failure is one sentence. This module must not
know what the answers mean.
"""

import asyncio
from typing import Any, Final

from farebox.cli.processes import START_S_MAX, Child

ANSWER_S_MAX: Final = 5
_POLL_S: Final = 0.05


class AdminError(Exception):
    """An admin server did not answer as it should."""


async def get_json(url: str) -> Any:
    """Fetch one JSON document. Raises AdminError."""
    import aiohttp

    bound = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    try:
        async with aiohttp.ClientSession(timeout=bound) as session, session.get(url) as answer:
            if answer.status != 200:
                raise AdminError(f"{url} answered with status {answer.status}.")
            return await answer.json(content_type=None)
    except TimeoutError:
        raise AdminError(f"{url} did not answer within {ANSWER_S_MAX} s.") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise AdminError(f"{url} can't be asked: {error}.") from error


async def until_ready(child: Child) -> None:
    """Wait until /readyz of a child says yes. Raises ChildError when it ends or takes too long."""
    import aiohttp

    url = f"http://127.0.0.1:{child.facts['admin']}/readyz"
    try:
        async with asyncio.timeout(START_S_MAX), aiohttp.ClientSession() as session:
            while not await _says_yes(session, url):
                if child.died:
                    raise child.error_of_death()
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise child.error(f"did not become ready within {START_S_MAX} s") from None


async def _says_yes(session: Any, url: str) -> bool:
    import aiohttp

    try:
        async with session.get(url) as answer:
            return bool(answer.status == 200)
    except aiohttp.ClientError:
        return False


def admin_url(child: Child, path: str) -> str:
    """The address of a route of a child's admin server."""
    return f"http://127.0.0.1:{child.facts['admin']}{path}"
