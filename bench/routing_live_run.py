"""The live routing run: a provider, a controller and a sidecar for each budget, and their callers.

Calls come at a steady rate that fills one window, in an order that nobody knows beforehand, and do
not wait for one another. The one rule: what was spent is what the provider's own ledger says. This
module must not know how routes are chosen.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import manifests
from bench.routing_live_setup import (
    Budget,
    Question,
    graded,
    provider_config,
    resources,
    write_book,
)
from farebox.cli import fleet
from farebox.cli.admin import AdminError, admin_url, get_json, until_ready
from farebox.cli.processes import Child, ChildError, Children
from farebox.core.money import Nanos, parse_dollars
from farebox.core.reasons import Reason
from farebox.learn.pairs import Pooled
from farebox.runtime.clock import SystemClock
from farebox.simulated.ledger import Entry, bill_nanos, read_entries

START_MS: Final = 10_000
"""The processes take about so long to start, so the first window is to begin then."""

BEFORE_MS: Final = 500
"""A window that begins sooner is not waited for, but the next one."""

FIRST_PERCENT: Final = 0.5
LAST_PERCENT: Final = 96.0
"""Calls come between these parts of the window: one that waits for money ends in it as well."""

CALL_S_MAX: Final = 20.0
LOOK_S: Final = 0.25
_KEY_CHARS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one call ended: its score (0 for a refusal), the status and the model that served."""

    score: float
    status: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one budget fared. `answers` are in the order of arrival.

    `outside` counts billed calls that came in another window. `reasons` counts, over all calls,
    why they were classified and routed as they were. `held_max`: the most that was seen held.
    """

    budget: Budget
    answers: Sequence[Answer]
    bill: Nanos
    outside: int
    reasons: Mapping[str, int]
    held_max: Nanos


@dataclass(slots=True)
class _Pod:
    """One budget's sidecar, and what its callers have seen."""

    budget: Budget
    child: Child
    answers: list[Answer] = field(default_factory=list)
    held_max: Nanos = Nanos(0)


async def run(
    pool: Pooled,
    asked: Sequence[Question],
    found: Sequence[Budget],
    *,
    window_ms: int,
    folder: Path,
) -> list[Ran]:
    """Run all budgets at once, each in a pool of its own. Raises ChildError, AdminError."""
    period = period_near(window_ms, SystemClock().utc())
    async with Children(folder) as children:
        book = folder / "book.jsonl.gz"
        write_book(book, pool)
        provider = await children.start(fleet.provider(folder, provider_config(pool, book)))
        written = manifests.write_folder(
            folder / "manifests",
            resources(pool, found, provider_port=provider.facts["port"], period_ms=period),
        )
        controller = fleet.controller(folder, manifests=written, variables={})
        port = (await children.start(controller)).facts["grpc"]
        pods = await _start(children, folder, found, port)
        begins = await _window(period)
        await _drive(pods, asked, begins=begins, period=period)
    entries = read_entries(fleet.ledger_of(folder))
    return [_ran(pod, entries, folder, begins=begins, ends=begins + period) for pod in pods]


def period_near(window_ms: int, now: int) -> int:
    """A period of about that length, one of whose windows begins when the processes have started.

    Windows of a fixed period begin at its multiples since 1970, so a little more length moves them.
    """
    lengths = range(window_ms, window_ms + window_ms // 10 + 1)
    return min(lengths, key=lambda length: -(now + START_MS) % length)


async def _start(
    children: Children, folder: Path, found: Sequence[Budget], port: int
) -> list[_Pod]:
    programs = [fleet.sidecar(folder, pod=_pod_of(one), controller_port=port) for one in found]
    # All at once: most of a start is imports. The first that fails is the one to tell of.
    started = await asyncio.gather(*(children.start(program) for program in programs))
    pods = [_Pod(one, child) for one, child in zip(found, started, strict=True)]
    for pod in pods:
        await until_ready(pod.child)
    return pods


def _pod_of(budget: Budget) -> fleet.Pod:
    return fleet.Pod(name=budget.name, namespace=budget.namespace, labels=budget.labels)


async def _window(period: int) -> int:
    """Wait until a window begins; returns when it did."""
    now = SystemClock().utc()
    begins = now + BEFORE_MS + -(now + BEFORE_MS) % period
    await asyncio.sleep((begins - now) / 1000)
    return begins


async def _drive(
    pods: Sequence[_Pod], asked: Sequence[Question], *, begins: int, period: int
) -> None:
    timeout = aiohttp.ClientTimeout(total=CALL_S_MAX)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        watching = [asyncio.create_task(_watch(pod)) for pod in pods]
        try:
            async with asyncio.TaskGroup() as group:
                for pod in pods:
                    group.create_task(_callers(session, pod, asked, begins, period))
        finally:
            for task in watching:
                task.cancel()


async def _callers(
    session: aiohttp.ClientSession,
    pod: _Pod,
    asked: Sequence[Question],
    begins: int,
    period: int,
) -> None:
    """All calls of one budget, each at its time."""
    clock, calls = SystemClock(), []
    first, last = (period * percent / 100 for percent in (FIRST_PERCENT, LAST_PERCENT))
    for number, question in enumerate(asked):
        due = begins + first + (last - first) * number / len(asked)
        await asyncio.sleep(max(0.0, due - clock.utc()) / 1000)
        calls.append(asyncio.create_task(_call(session, pod, question)))
    pod.answers = list(await asyncio.gather(*calls))


async def _call(session: aiohttp.ClientSession, pod: _Pod, question: Question) -> Answer:
    body = {
        "model": "farebox/auto",
        "messages": [{"role": "user", "content": question.prompt}],
        "max_tokens": pod.budget.max_tokens(question),
    }
    headers = {"authorization": f"Bearer {pod.budget.name}"}
    url = f"{fleet.base_url(pod.child)}/chat/completions"
    try:
        async with session.post(url, json=body, headers=headers) as answer:
            told: dict[str, Any] = json.loads(await answer.read())
            if answer.status != 200:
                return Answer(score=0.0, status=answer.status, model="")
            text = told["choices"][0]["message"]["content"] or ""
            return Answer(score=graded(text), status=answer.status, model=str(told["model"]))
    except (aiohttp.ClientError, TimeoutError):
        return Answer(score=0.0, status=0, model="")


async def _watch(pod: _Pod) -> None:
    """See now and then how much is held for calls under way."""
    while True:
        with suppress(AdminError, ChildError):
            leases = (await get_json(admin_url(pod.child, "/v1/leases")))["leases"]
            held = sum(parse_dollars(lease["held_usd"]) for lease in leases)
            pod.held_max = Nanos(max(pod.held_max, held))
        await asyncio.sleep(LOOK_S)


def _ran(pod: _Pod, entries: Sequence[Entry], folder: Path, *, begins: int, ends: int) -> Ran:
    own = [entry for entry in entries if entry.key_tail == pod.budget.name[-_KEY_CHARS:]]
    receipts = fleet.receipts_of(folder, _pod_of(pod.budget))
    return Ran(
        budget=pod.budget,
        answers=pod.answers,
        bill=Nanos(bill_nanos(own)),
        outside=sum(not begins <= entry.received_at_ms < ends for entry in own),
        reasons=reasons_of(receipts),
        held_max=pod.held_max,
    )


def reasons_of(receipts: Path) -> dict[str, int]:
    """Over all calls, how often each reason of class and route stands in the receipts."""
    counted: Counter[str] = Counter()
    for line in receipts.read_text(encoding="utf-8").splitlines():
        receipt = json.loads(line)
        counted[str(receipt["rule"]).partition("=")[0]] += 1
        counted[receipt["route"] or Reason.NO_CANDIDATE] += 1
    return dict(counted)
