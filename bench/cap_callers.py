"""The callers of one cap run: a hundred programs that want answers and retry as SDKs do.

The one rule: what a caller does depends on its orders and on answers only; it never looks at money.
This module must not know limits, ledgers or processes: base URLs are all it gets.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.cap_judge import Account
from bench.cap_scenario import CALLERS, Kind, Order, Scenario

RETRIES_MAX: Final = 3
RETRY_S_MAX: Final = 1.0
"""A caller waits this long at most before it tries again, whatever it is told."""

CALL_S_MAX: Final = 20.0
PATIENCE_S: Final = 8.0
"""A caller that hears nothing but "later" for so long gives up (exhaustion only)."""

_TERMINAL: Final = frozenset({402, 413, 422})
_RETRYABLE: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended: `status` 0 when no answer came; `reason` and `pool` of a refusal."""

    status: int
    reason: str = ""
    pool: str = ""
    retry_after_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What all callers saw. `exhausted`: the pools that refused for good, as (pool, user)."""

    requests: Counter[str] = field(default_factory=Counter)
    exhausted: Counter[Account] = field(default_factory=Counter)
    impatient: int = 0
    """Callers that were put off until they gave up."""

    def note(self, outcome: Outcome, order: Order) -> None:
        """Count one request."""
        self.requests[_named(outcome)] += 1
        if outcome.status == 402:
            self.exhausted[_account(outcome.pool, order.user)] += 1


class Crowd:
    """A hundred callers, each beside one sidecar."""

    def __init__(self, scenario: Scenario, base_urls: tuple[str, ...]) -> None:
        self.tally = Tally()
        self._scenario = scenario
        self._base_urls = base_urls
        self._over = asyncio.Event()

    def stop(self) -> None:
        """Let no caller make another call; those under way end by themselves."""
        self._over.set()

    async def run(self) -> None:
        """Call until stopped or, in an exhaustion, until every caller has been refused for good."""
        connector = aiohttp.TCPConnector(limit=0)
        bound = aiohttp.ClientTimeout(total=CALL_S_MAX)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=bound) as session,
            asyncio.TaskGroup() as group,
        ):
            for number in range(CALLERS):
                group.create_task(self._caller(session, number))

    async def _caller(self, session: aiohttp.ClientSession, number: int) -> None:
        home = self._scenario.sidecar_of(number)
        url = f"{self._base_urls[home]}/chat/completions"
        to_exhaust = self._scenario.kind is Kind.EXHAUSTION
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        for order in self._scenario.orders(number):
            await self._rest(order.pause_ms / 1000)
            if self._over.is_set():
                return
            status = await self._insist(session, url, order)
            if not to_exhaust:
                # Who is refused for good has no reason to come back soon; a window may end.
                await self._rest(0.3 if status in _TERMINAL else 0.0)
                continue
            if status in _TERMINAL:
                return
            if status == 200:
                heard_at = loop.time()
            elif loop.time() - heard_at > PATIENCE_S:
                self.tally.impatient += 1
                return

    async def _insist(self, session: aiohttp.ClientSession, url: str, order: Order) -> int:
        """Make one call, trying again where an SDK would; returns the last status."""
        for attempt in range(1 + RETRIES_MAX):
            outcome = await _request(session, url, order)
            self.tally.note(outcome, order)
            if outcome.status and outcome.status not in _RETRYABLE:
                return outcome.status
            if self._over.is_set() or attempt == RETRIES_MAX:
                break
            # An SDK waits half a second and longer before it tries again unasked.
            await self._rest(min(RETRY_S_MAX, outcome.retry_after_s or 0.5 * 2**attempt))
        return outcome.status

    async def _rest(self, seconds: float) -> None:
        if seconds <= 0 or self._over.is_set():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass


async def _request(session: aiohttp.ClientSession, url: str, order: Order) -> Outcome:
    """One request, read to its end. A broken answer is an outcome and no error."""
    headers = {"x-farebox-user": order.user, "authorization": "Bearer sk-bench"}
    try:
        async with session.post(url, data=body_of(order), headers=headers) as answer:
            content = await answer.read()
            whole = b"[DONE]" in content[-32:] if order.stream and answer.status == 200 else True
            return Outcome(
                status=answer.status if whole else 0,
                reason=answer.headers.get("x-farebox-reason", "" if whole else "cut"),
                pool=answer.headers.get("x-farebox-pool", ""),
                retry_after_s=float(answer.headers.get("retry-after", "0")),
            )
    except (aiohttp.ClientError, TimeoutError) as error:
        return Outcome(status=0, reason=type(error).__name__)


def body_of(order: Order) -> bytes:
    """The request body; the user stands in it too, so that the provider's ledger knows it."""
    body: dict[str, Any] = {
        "model": order.model,
        "user": order.user,
        "messages": [{"role": "user", "content": order.prompt}],
    }
    if order.max_tokens is not None:
        body["max_tokens"] = order.max_tokens
    if order.stream:
        body["stream"] = True
    if order.stream and order.usage_wanted:
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body, separators=(",", ":")).encode()


def _account(pool_title: str, user: str) -> Account:
    """The lifetime account that a refusal names."""
    pool = pool_title.rpartition("/")[2]
    return Account(pool=pool, user=user if pool == "people" else "", starts_ms=0)


def _named(outcome: Outcome) -> str:
    status = str(outcome.status or "lost")
    return f"{status} {outcome.reason}".strip()
