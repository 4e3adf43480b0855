"""Sending prompts through the real `openai` package, many at a time.

The one rule: whatever happens to a call becomes one `Outcome`; a call never ends the run. Retries
are the package's own. This module must not know what stands behind a base URL.
"""

import asyncio
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from farebox.cli.processes import elapsed_ms, now
from farebox.cli.prompts import Prompt
from farebox.core.reasons import Reason

if TYPE_CHECKING:
    import openai

CALL_S_MAX: Final = 120
RETRIES_MAX: Final = 2
"""The package's own default: what a program has that sets nothing."""

MESSAGE_CHARS_MAX: Final = 300
CALLERS_MAX: Final = 512

_FAILURES: Final = {Reason.PROVIDER_UNREACHABLE.value, Reason.PROVIDER_SILENT.value}


class Ending(enum.StrEnum):
    """How a call ended for its caller."""

    SERVED = "served"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the caller of one prompt saw.

    `endpoint` counts the base URLs from 0, `status` is 0 when no answer came, `error` the class of
    the exception that the package raised. `model` to `pool` are Farebox's response headers, ""
    where absent; amounts are decimal dollars.
    """

    id: str
    task: str
    user: str
    endpoint: int
    model_asked: str
    stream: bool
    ending: Ending
    status: int
    error: str = ""
    message: str = ""
    model: str = ""
    tier: str = ""
    route: str = ""
    call: str = ""
    cost_usd: str = ""
    estimated_usd: str = ""
    headroom_usd: str = ""
    reason: str = ""
    pool: str = ""
    duration_ms: int


_HEADERS: Final = {
    "model": "x-farebox-model",
    "tier": "x-farebox-tier",
    "route": "x-farebox-route",
    "call": "x-farebox-call",
    "cost_usd": "x-farebox-cost-usd",
    "estimated_usd": "x-farebox-estimated-usd",
    "headroom_usd": "x-farebox-headroom-usd",
    "reason": "x-farebox-reason",
    "pool": "x-farebox-pool",
}


async def send_all(
    prompts: Sequence[Prompt],
    *,
    base_urls: Sequence[str],
    callers: int,
    api_key: str,
    note: Callable[[Outcome], None],
) -> list[Outcome]:
    """Send every prompt once, `callers` at a time; `note` hears of each outcome as it comes.

    Caller number n uses base URL number n modulo their count, as pods use their own sidecar.
    """
    import openai

    clients = [
        openai.AsyncOpenAI(
            base_url=url, api_key=api_key, max_retries=RETRIES_MAX, timeout=CALL_S_MAX
        )
        for url in base_urls
    ]
    outcomes: list[Outcome] = []

    def keep(outcome: Outcome) -> None:
        outcomes.append(outcome)
        note(outcome)

    queue = iter(prompts)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(min(callers, CALLERS_MAX)):
                endpoint = number % len(clients)
                group.create_task(_caller(queue, clients[endpoint], endpoint, keep))
    finally:
        for client in clients:
            await client.close()
    return outcomes


async def _caller(
    queue: Iterator[Prompt],
    client: "openai.AsyncOpenAI",
    endpoint: int,
    keep: Callable[[Outcome], None],
) -> None:
    for prompt in queue:
        keep(await send(prompt, client, endpoint))


async def send(prompt: Prompt, client: "openai.AsyncOpenAI", endpoint: int) -> Outcome:
    """Make one call and read its answer to the end."""
    import openai

    since = now()
    headers: Mapping[str, str] = {}
    status, ending, failure = 0, Ending.FAILED, ""
    message = ""
    try:
        # The overloads of `create` want literal arguments; a prompt's body is data.
        create: Any = client.chat.completions.with_raw_response.create
        raw = await create(**prompt.body, extra_headers=prompt.headers)
        headers, status = raw.headers, raw.status_code
        answer = raw.parse()
        if prompt.stream:
            async for _ in answer:
                pass
        ending = Ending.SERVED
    except openai.APIStatusError as error:
        headers, status = error.response.headers, error.status_code
        ending = _ending_of(headers)
        failure, message = type(error).__name__, error.message
    except Exception as error:  # noqa: BLE001  A broken call is a result; it must not end the run.
        failure, message = type(error).__name__, str(error)
    return Outcome(
        id=prompt.id,
        task=prompt.task,
        user=prompt.user,
        endpoint=endpoint,
        model_asked=prompt.model,
        stream=prompt.stream,
        ending=ending,
        status=status,
        error=failure,
        message=message[:MESSAGE_CHARS_MAX],
        duration_ms=elapsed_ms(since),
        **{field: headers.get(name, "") for field, name in _HEADERS.items()},
    )


def _ending_of(headers: Mapping[str, str]) -> Ending:
    """Farebox's own refusals name a reason; what a provider answered is a failure."""
    reason = headers.get("x-farebox-reason", "")
    return Ending.REFUSED if reason and reason not in _FAILURES else Ending.FAILED
