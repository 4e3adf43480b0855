"""Pieces of a run for the tests of the command line: outcomes, billed calls, pools, children."""

from typing import Any, Final

from farebox.cli.calls import Ending, Outcome
from farebox.cli.processes import Port, Program
from farebox.cli.records import PoolLine
from farebox.core.budgets import Per, Pool, PoolUid
from farebox.core.instant import UtcMs, format_utc
from farebox.core.money import Nanos, parse_dollars
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType, window_at
from farebox.simulated.ledger import Entry

NOON: Final = UtcMs(1_763_812_800_000)
DAY_MS: Final = 86_400_000
_DAY: Final = WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY)


def outcome(ending: Ending = Ending.SERVED, **fields: Any) -> Outcome:
    usual: dict[str, Any] = {
        "id": "one",
        "task": "code",
        "user": "ana",
        "endpoint": 0,
        "model_asked": "farebox/auto",
        "stream": False,
        "status": 200,
        "duration_ms": 5,
    }
    return Outcome(ending=ending, **{**usual, **fields})


def billed(dollars: str, *, user: str | None = "ana", at: int = NOON, **fields: Any) -> Entry:
    """A record of the provider's ledger."""
    usual: dict[str, Any] = {
        "seq": 1,
        "request_id": "r",
        "received_at_ms": at,
        "billed_at_ms": at,
        "model": "gpt-4o",
        "key_tail": None,
        "metadata": None,
        "input_tokens": 100,
        "cached_tokens": 0,
        "output_tokens": 50,
        "stream": False,
        "fault": None,
        "max_tokens_asked": None,
    }
    pico = parse_dollars(dollars) * 1000
    return Entry(user=user, billed_pico=pico, **{**usual, **fields})


def pool(name: str, limit: str, per: Per = Per.SHARED) -> Pool:
    return Pool(
        uid=PoolUid(f"default/{name}"),
        namespace="default",
        name=name,
        generation=1,
        limit=parse_dollars(limit),
        window=_DAY,
        per=per,
    )


def told(name: str, key: str = "", *, settled: str, leased: str = "0") -> PoolLine:
    """What the controller says of a pool in the window that `NOON` is in."""
    return PoolLine(
        pool=f"default/{name}",
        key=key,
        window_starts=format_utc(window_at(_DAY, NOON).starts),
        window_ends=None,
        limit=parse_dollars("1"),
        settled=parse_dollars(settled),
        held=Nanos(0),
        leased=parse_dollars(leased),
        headroom=Nanos(0),
        holders=1,
    )


def child_program(name: str, *arguments: str) -> Program:
    """A small process that obeys the rules of children: see tests/support/child.py."""
    return Program(
        name=name,
        module="tests.support.child",
        arguments=arguments,
        ports=(Port(flag="--listen", fact="http"),),
    )
