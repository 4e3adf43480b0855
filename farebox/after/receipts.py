"""Receipts of sidecars, read back whole.

The one rule: a line that a kill has cut, or that another version wrote, is counted and left out:
receipts are a report, the journal is the truth. They hold no prompts unless a user switched that on
(`--keep-prompts`), so what follows from a text can't be asked of most. This module must not know
what anybody wants to learn from them.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from farebox.after.problems import AfterError
from farebox.core.budgets import NO_KEY, Priority
from farebox.core.instant import UtcMs
from farebox.core.money import Nanos, parse_dollars
from farebox.core.usage import Usage, UsageKind

LINE_BYTES_MAX: Final = 1 << 20
RECEIPTS_MAX: Final = 500_000
"""More are not read: name fewer files."""

ANSWER: Final = "answer"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate said of an answer."""

    gate: str
    passed: bool
    ran: bool = True


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt; see the sidecar's `AttemptRecord`."""

    model: str
    tier: str
    held_usd: str
    cost_usd: str
    end: str = ""
    status: int = 0
    purpose: str = ANSWER
    usage: dict[str, int] | None = None
    verdicts: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for what is no amount."""
        parse_dollars(self.held_usd)
        parse_dollars(self.cost_usd)

    @property
    def held(self) -> Nanos:
        return parse_dollars(self.held_usd)

    @property
    def cost(self) -> Nanos:
        return parse_dollars(self.cost_usd)

    @property
    def judged(self) -> bool:
        """Whether gates looked at it as an answer."""
        return bool(self.verdicts) and self.purpose == ANSWER

    @property
    def passed(self) -> bool:
        """Whether it passed all gates that looked at it."""
        return all(verdict.passed for verdict in self.verdicts)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The size and kind of what was asked, without its text."""

    body_bytes: int = 0
    turns: int = 1
    output_tokens: int | None = None
    choices: int = 1
    tools: int = 0
    images: int = 0
    json_schema: bool = False
    min_tier: str = ""
    residency: tuple[str, ...] = ()


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One receipt. `at` is when the call came; times are in milliseconds."""

    call: str
    at: int
    duration_ms: int
    status: int
    refused: str | None = None
    refused_pool: str = ""
    caller_gone: bool = False
    user: str = NO_KEY
    session: str = NO_KEY
    workflow: str = NO_KEY
    priority: str = "normal"
    task: str = ""
    task_said: str = ""
    difficulty: int = 0
    rule: str = ""
    stream: bool = False
    model_asked: str = ""
    model: str = ""
    tier: str = ""
    response_model: str = ""
    route: str | None = None
    attempts: tuple[Attempt, ...] = ()
    usage: dict[str, int] | None = None
    cost_usd: str = "0"
    gate: str = ""
    escalations: int = 0
    asked: Asked | None = None
    prompt: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no amount, or no priority."""
        parse_dollars(self.cost_usd)
        Priority(self.priority)

    @property
    def cost(self) -> Nanos:
        return parse_dollars(self.cost_usd)

    @property
    def reason(self) -> str:
        """Why the task and the difficulty are what they are: a member of `Reason`."""
        return self.rule.partition("=")[0]

    @property
    def answers(self) -> tuple[Attempt, ...]:
        """The attempts that gates judged, first to last."""
        return tuple(attempt for attempt in self.attempts if attempt.judged)

    def tokens(self) -> Usage | None:
        """What the answer that was given took."""
        return None if self.usage is None else usage_of(self.usage)


def usage_of(counts: Mapping[str, int]) -> Usage:
    """Usage as it was written; kinds that this version does not know are left out."""
    known = {kind.value for kind in UsageKind}
    return Usage(**{kind: count for kind, count in counts.items() if kind in known})


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """All receipts in the order in which the calls came; `unread` lines were no receipts."""

    calls: tuple[Past, ...]
    unread: int = 0

    @property
    def span_ms(self) -> int:
        """From the first call to the last."""
        return self.calls[-1].at - self.calls[0].at if self.calls else 0

    @property
    def last_at(self) -> UtcMs:
        """When the last call came."""
        return UtcMs(self.calls[-1].at if self.calls else 0)


def read_receipts(paths: Iterable[Path]) -> Receipts:
    """Read files of receipts, plain or gzip, as one. Raises AfterError."""
    calls: list[Past] = []
    unread = 0
    decoder = msgspec.json.Decoder(Past)
    for path in paths:
        for line in _lines(path):
            try:
                calls.append(decoder.decode(line))
            except (msgspec.DecodeError, ValueError):
                unread += 1
            if len(calls) > RECEIPTS_MAX:
                raise AfterError(
                    f"There are more than {RECEIPTS_MAX} receipts: name fewer files of them."
                )
    if not calls:
        raise AfterError("There are no receipts in these files: name what a sidecar has written.")
    calls.sort(key=lambda past: (past.at, past.call))
    return Receipts(calls=tuple(calls), unread=unread)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with _opened(path) as file:
            while line := file.readline(LINE_BYTES_MAX):
                if line.strip():
                    yield line
    except (OSError, EOFError) as error:
        raise AfterError(f"{path} can't be read: {error}.") from error


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
