"""Receipts: what is kept of finished calls, in memory and as JSON lines in a file.

The one rule: a call never waits for its receipt. Receipts are handed over at once, written in
batches by another thread, and dropped (and counted) when the disk cannot keep up. They hold no
prompts and no secrets. This module must not know money beyond the figures it is given.
"""

import asyncio
import logging
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import format_dollars
from sidecar.commands import AttemptRecord, Outcome

_LOG = logging.getLogger(__name__)

KEPT_MAX: Final = 1_000
"""So many of the newest receipts can be asked for."""

WAITING_MAX: Final = 20_000
"""So many wait to be written at most."""

FLUSH_MS: Final = 200
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A file that has grown beyond is put aside once, as NAME.1."""

_encode: Final = msgspec.json.Encoder().encode


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finished call: when it came, how long it took, and its whole story."""

    at: UtcMs
    duration: DurationMs
    outcome: Outcome


class Receipts:
    """Keeps the newest receipts and writes all of them to a file, when there is one."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._kept: deque[Receipt] = deque(maxlen=KEPT_MAX)
        self._waiting: deque[Receipt] = deque()
        self.dropped = 0

    def add(self, receipt: Receipt) -> None:
        """Keep a receipt. Never waits."""
        self._kept.append(receipt)
        if self._path is None:
            return
        if len(self._waiting) >= WAITING_MAX:
            self.dropped += 1
            return
        self._waiting.append(receipt)

    def last(self, count: int) -> list[dict[str, object]]:
        """The newest receipts as JSON values, newest first; at most KEPT_MAX."""
        newest = list(self._kept)[::-1]
        return [fields_of(receipt) for receipt in newest[: max(0, count)]]

    async def run(self) -> None:
        """Write what waits, again and again; what still waits when cancelled is written then."""
        if self._path is None:
            return
        try:
            while True:
                await asyncio.sleep(FLUSH_MS / 1000)
                await self._flush(self._path)
        finally:
            self._write(self._path, self._taken())

    async def _flush(self, path: Path) -> None:
        batch = self._taken()
        if batch:
            await asyncio.to_thread(self._write, path, batch)

    def _taken(self) -> list[Receipt]:
        batch = list(self._waiting)
        self._waiting.clear()
        return batch

    def _write(self, path: Path, batch: list[Receipt]) -> None:
        if not batch:
            return
        lines = b"".join(_encode(fields_of(receipt)) + b"\n" for receipt in batch)
        try:
            with path.open("ab") as file:
                file.write(lines)
                size = file.tell()
            if size > FILE_BYTES_MAX:
                path.replace(path.with_name(f"{path.name}.1"))
        except OSError as error:
            self.dropped += len(batch)
            _LOG.warning("%d receipts could not be written to %s: %s", len(batch), path, error)


def fields_of(receipt: Receipt) -> dict[str, object]:
    """A receipt as JSON values: amounts as decimal dollars, times in milliseconds."""
    outcome = receipt.outcome
    keys = outcome.identity.keys
    usage = outcome.usage
    return {
        "call": outcome.call_id,
        "at": receipt.at,
        "duration_ms": receipt.duration,
        "status": outcome.status,
        "refused": outcome.refused,
        "refused_pool": outcome.refused_pool,
        "caller_gone": outcome.caller_gone,
        "user": keys.user,
        "session": keys.session,
        "workflow": keys.workflow,
        "priority": outcome.identity.priority,
        "task": outcome.task,
        "task_said": outcome.identity.task,
        "difficulty": outcome.difficulty,
        "rule": outcome.rule,
        "stream": outcome.stream,
        "model_asked": outcome.model_asked,
        "model": outcome.model,
        "tier": outcome.tier,
        "response_model": outcome.response_model,
        "route": outcome.route,
        "rejected": [{"model": one.model, "reason": one.reason} for one in outcome.rejected],
        "attempts": [_attempt_fields(attempt) for attempt in outcome.attempts],
        "usage": {kind.value: count for kind, count in usage.counts().items()} if usage else None,
        "cost_usd": format_dollars(outcome.cost),
    }


def _attempt_fields(attempt: AttemptRecord) -> dict[str, object]:
    return {
        "model": attempt.model,
        "tier": attempt.tier,
        "hold": attempt.hold,
        "held_usd": format_dollars(attempt.held),
        "cost_usd": format_dollars(attempt.cost),
        "end": attempt.end,
        "status": attempt.status,
        "shadow": attempt.shadow,
        "unverified": attempt.unverified,
    }
