"""Receipts: what is kept of finished calls, in memory and as JSON lines in a file or on stdout.

The one rule: a call never waits for its receipt. Receipts are handed over at once, written in
batches by another thread, and dropped (and counted) when the disk cannot keep up. They hold no
secrets and, unless a user switched it on, no prompts; those that are kept go into the file only,
which nobody but its owner may read then. This module must not know money beyond the figures it is
given.
"""

import asyncio
import logging
import os
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from farebox.core.call import Call
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import format_dollars
from farebox.core.usage import KINDS, Usage
from farebox.core.wording import part_read
from sidecar.commands import AttemptRecord, Outcome

_LOG = logging.getLogger(__name__)

KEPT_MAX: Final = 1_000
"""So many of the newest receipts can be asked for."""

WAITING_MAX: Final = 20_000
"""So many wait to be written at most."""

WAITING_PROMPT_CHARS_MAX: Final = 16 * 1024 * 1024
"""With more characters of prompts waiting, a receipt is written without its prompt."""

FLUSH_MS: Final = 200
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A file that has grown beyond is put aside once, as NAME.1."""

OWNER_ONLY: Final = 0o600
STDOUT: Final = Path("-")
"""In place of a file: standard output, which a cluster keeps with the container's log."""

_STDOUT_NUMBER: Final = 1

_encode: Final = msgspec.json.Encoder().encode


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finished call: when it came, how long it took, and its whole story.

    `prompt` is "" unless prompts are kept and gates have judged an answer.
    """

    at: UtcMs
    duration: DurationMs
    outcome: Outcome
    prompt: str = ""


def no_prompt(_: Call, __: Outcome) -> str:
    """What a receipt keeps of a prompt where nobody has switched that on: nothing."""
    return ""


def judged_prompt(call: Call, outcome: Outcome) -> str:
    """What a receipt keeps of a prompt: what the classifier read, where gates gave a verdict.

    At most one character more than `wording.READ_CHARS_MAX`: a longer prompt's beginning and end.
    """
    if not any(verdict.ran for attempt in outcome.attempts for verdict in attempt.verdicts):
        return ""
    # A lone surrogate, which JSON lets a caller write, has no place in a file of UTF-8.
    return part_read(call.prompt).encode(errors="replace").decode()


class Receipts:
    """Keeps the newest receipts and writes all of them to a file or `STDOUT`, when one is named.

    With `owner_only` nobody else may read that file.
    """

    def __init__(self, path: Path | None = None, *, owner_only: bool = False) -> None:
        self._path = path
        self._owner_only = owner_only
        self._prompt_chars = 0
        self._kept: deque[Receipt] = deque(maxlen=KEPT_MAX)
        self._waiting: deque[Receipt] = deque()
        self.dropped = 0

    def add(self, receipt: Receipt) -> None:
        """Keep a receipt. Never waits."""
        bare = msgspec.structs.replace(receipt, prompt="") if receipt.prompt else receipt
        self._kept.append(bare)
        if self._path is None:
            return
        if len(self._waiting) >= WAITING_MAX:
            self.dropped += 1
            return
        prompt_chars = self._prompt_chars + len(receipt.prompt)
        if prompt_chars > WAITING_PROMPT_CHARS_MAX:
            self._waiting.append(bare)
            return
        self._prompt_chars = prompt_chars
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
        if not batch:
            return
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(None, self._write, path, batch)
        try:
            await asyncio.shield(written)
        except asyncio.CancelledError:
            # Nobody else has this batch: a thread that has not begun must not be told to forget it.
            await written
            raise

    def _taken(self) -> list[Receipt]:
        batch = list(self._waiting)
        self._waiting.clear()
        self._prompt_chars = 0
        return batch

    def _write(self, path: Path, batch: list[Receipt]) -> None:
        if not batch:
            return
        lines = b"".join(_encode(_written(receipt)) + b"\n" for receipt in batch)
        try:
            with self._opened(path) as file:
                file.write(lines)
                size = 0 if path == STDOUT else file.tell()
            if size > FILE_BYTES_MAX:
                path.replace(path.with_name(f"{path.name}.1"))
        except OSError as error:
            self.dropped += len(batch)
            _LOG.warning("%d receipts could not be written to %s: %s", len(batch), path, error)

    def _opened(self, path: Path) -> BinaryIO:
        if path == STDOUT:
            return os.fdopen(_STDOUT_NUMBER, "wb", closefd=False)
        if not self._owner_only:
            return path.open("ab")
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)
        # A file that was there before the switch was on may have let others read it.
        os.fchmod(number, OWNER_ONLY)
        return os.fdopen(number, "ab")


def fields_of(receipt: Receipt) -> dict[str, object]:
    """A receipt as JSON values: amounts as decimal dollars, times in milliseconds; no prompt."""
    outcome = receipt.outcome
    identity, asked = outcome.identity, outcome.asked
    keys, several = identity.keys, len(outcome.attempts) > 1
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
        "priority": identity.priority,
        "task": outcome.task,
        "task_said": identity.task,
        "difficulty": outcome.difficulty,
        "rule": outcome.rule,
        "stream": outcome.stream,
        "model_asked": outcome.model_asked,
        "model": outcome.model,
        "tier": outcome.tier,
        "response_model": outcome.response_model,
        "route": outcome.route,
        "rejected": [{"model": one.model, "reason": one.reason} for one in outcome.rejected],
        "attempts": [_attempt_fields(attempt, several=several) for attempt in outcome.attempts],
        "usage": _usage_fields(outcome.usage),
        "cost_usd": format_dollars(outcome.cost),
        "gate": outcome.gate,
        "escalations": outcome.escalations,
        "asked": {
            "body_bytes": asked.body_bytes,
            "turns": asked.turns,
            "output_tokens": asked.output_tokens,
            "choices": asked.choices,
            "tools": asked.tools,
            "images": asked.images,
            "json_schema": asked.json_schema,
            "min_tier": identity.min_tier,
            "residency": identity.residency,
        },
    }


def _written(receipt: Receipt) -> dict[str, object]:
    fields = fields_of(receipt)
    return {**fields, "prompt": receipt.prompt} if receipt.prompt else fields


def _attempt_fields(attempt: AttemptRecord, *, several: bool) -> dict[str, object]:
    """One attempt; the usage of an only one is that of the call."""
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
        "purpose": attempt.purpose,
        "response_model": attempt.response_model,
        "usage": _usage_fields(attempt.usage) if several else None,
        "verdicts": [verdict._asdict() for verdict in attempt.verdicts],
    }


def _usage_fields(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    return {name: count for name, count in zip(_USAGE_NAMES, usage.vector, strict=True) if count}


_USAGE_NAMES: Final = tuple(kind.value for kind in KINDS)
