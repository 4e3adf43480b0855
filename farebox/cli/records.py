"""What the processes tell of a run: the sidecars' receipts, the controller's pools and holders.

The one rule: only the fields that are shown are read, and every amount is a whole number of
nano-dollars from here on. This module must not know what the figures prove.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from farebox.core.money import Nanos, parse_dollars

LINE_BYTES_MAX: Final = 1 << 20

T = TypeVar("T")


def title_of(pool: str, key: str) -> str:
    """What people see of a (sub-)pool."""
    return f"{pool} [{key}]" if key else pool


class RecordError(ValueError):
    """A process said something that this version does not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """One (sub-)pool in one window, as the controller knows it. `key` is "" for a shared pool.

    The window's start and end are RFC 3339 texts; `window_ends` is None for one without an end.
    `held` is what calls under way have, `leased` what is lent beyond that.
    """

    pool: str
    key: str
    window_starts: str
    window_ends: str | None
    limit: Nanos
    settled: Nanos
    held: Nanos
    leased: Nanos
    headroom: Nanos
    holders: int

    @property
    def title(self) -> str:
        return title_of(self.pool, self.key)

    @property
    def committed(self) -> Nanos:
        """The most that this window can cost as it stands."""
        return Nanos(self.settled + self.held + self.leased)


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderLine:
    """One sidecar as the controller knows it.

    `leases` counts its open ones; `frozen`: it is silent past its deadline.
    """

    holder: str
    workload: str
    connected: bool
    frozen: bool
    leases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """The money of one call at its sidecar: all its attempts' holds, and what they came to."""

    call: str
    attempts: int
    held: Nanos
    settled: Nanos


def read_receipts(path: Path) -> list[ReceiptLine]:
    """The receipts of one sidecar, [] when it wrote none.

    A line that a kill has cut is left out: receipts are a report, the journal is the truth.
    """
    if not path.exists():
        return []
    lines = []
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX):
            try:
                lines.append(_receipt(msgspec.json.decode(line)))
            except (msgspec.DecodeError, RecordError):
                continue
    return lines


def _receipt(fields: Any) -> ReceiptLine:
    def read() -> ReceiptLine:
        attempts = fields["attempts"]
        return ReceiptLine(
            call=fields["call"],
            attempts=len(attempts),
            held=Nanos(sum(parse_dollars(one["held_usd"]) for one in attempts)),
            settled=parse_dollars(fields["cost_usd"]),
        )

    return understood("a receipt", read)


def read_pools(document: Any) -> list[PoolLine]:
    """The answer of the controller's /v1/pools. Raises RecordError."""
    return understood("/v1/pools", lambda: [_pool(fields) for fields in document["pools"]])


def _pool(fields: Mapping[str, Any]) -> PoolLine:
    return PoolLine(
        pool=fields["pool"],
        key=fields["key"],
        window_starts=fields["window_starts"],
        window_ends=fields["window_ends"],
        limit=parse_dollars(fields["limit_usd"]),
        settled=parse_dollars(fields["settled_usd"]),
        held=parse_dollars(fields["held_usd"]),
        leased=parse_dollars(fields["leased_usd"]),
        headroom=parse_dollars(fields["headroom_usd"]),
        holders=fields["holders"],
    )


def read_holders(document: Any) -> list[HolderLine]:
    """The answer of the controller's /v1/holders. Raises RecordError."""
    return understood("/v1/holders", lambda: [_holder(fields) for fields in document])


def _holder(fields: Mapping[str, Any]) -> HolderLine:
    return HolderLine(
        holder=fields["holder"],
        workload="/".join(fields["workload"][part] for part in ("namespace", "name")),
        connected=fields["connected"],
        frozen=fields["frozen"],
        leases=len(fields["leases"]),
    )


def understood(what: str, read: Callable[[], T]) -> T:
    """What `read` makes of something that a process said. Raises RecordError."""
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"{what} has not the shape that this version reads ({type(error).__name__}: {error}); "
            "use a command line and processes of the same version."
        ) from error
