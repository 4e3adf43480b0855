"""Receipts as people ask for them: the newest in a table, one by its id, all as JSON lines.

The one rule: what is no receipt in a stream of lines is passed over, because a container's log has
other lines too. This module must not know clusters.
"""

import heapq
import json
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from farebox.cli.admin import AdminError, get_json
from farebox.cli.records import LINE_BYTES_MAX, understood
from farebox.cli.tables import dollars, make_console, sheet
from farebox.cli.why import why
from farebox.core.instant import UtcMs, format_utc
from farebox.core.money import parse_dollars

Fields = Mapping[str, Any]

LAST_DEFAULT: Final = 20
LAST_MAX: Final = 1_000
"""A sidecar keeps so many to be asked for."""

_PATTERN: Final = "*.receipts.jsonl"
_MARK: Final = b'"call"'
_FIELDS: Final = frozenset({"call", "at", "attempts", "rule"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A receipt, and whose it is: a pod, or the file it was read from."""

    pod: str
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which receipts are asked for, and how they are shown."""

    last: int = LAST_DEFAULT
    refused: bool = False
    as_json: bool = False

    def takes(self, found: Found) -> bool:
        return bool(found.fields["refused"]) or not self.refused


def receipts_in(lines: Iterable[bytes]) -> Iterator[Fields]:
    """The receipts among the lines of a file or a log, in their order."""
    for line in lines:
        if _MARK not in line:
            continue
        try:
            fields = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(fields, dict) and fields.keys() >= _FIELDS:
            yield fields


def read_files(files: Iterable[Path]) -> Iterator[Found]:
    """The receipts of files and of what was put aside of them, the oldest of each first."""
    for file in files:
        for path in (file.with_name(f"{file.name}.1"), file):
            if path.exists():
                for fields in receipts_in(_lines(path)):
                    yield Found(pod=file.name.removesuffix(_PATTERN[1:]), fields=fields)


def files_in(state: Path) -> list[Path]:
    """The receipts of `farebox up`'s state folder. Raises AdminError when there are none."""
    if found := sorted(state.glob(_PATTERN)):
        return found
    raise AdminError(
        f"There are no receipts in {state}: name the state folder of `farebox up` with --state, "
        "files with --receipts, or a sidecar with --sidecar-admin URL."
    )


async def ask_sidecar(url: str, pod: str) -> list[Found]:
    """What a sidecar still has in memory, the oldest first. Raises AdminError, RecordError."""
    told = await get_json(f"{url.rstrip('/')}/v1/receipts?last={LAST_MAX}")
    listed = understood("/v1/receipts", lambda: list(told["receipts"]))
    return [Found(pod=pod, fields=fields) for fields in reversed(listed)]


def newest(found: Iterable[Found], wanted: Wanted) -> list[Found]:
    """The newest that are wanted, the oldest of them first."""
    taken = (one for one in found if wanted.takes(one))
    return heapq.nlargest(wanted.last, taken, key=_when)[::-1]


def with_id(found: Iterable[Found], call: str) -> Found | None:
    """The receipt of one call."""
    return next((one for one in found if one.fields["call"] == call), None)


def show(found: Sequence[Found], *, as_json: bool) -> None:
    """Print receipts, as a table or as JSON lines with the pod added."""
    if as_json:
        for one in found:
            print(json.dumps({"pod": one.pod, **one.fields}, ensure_ascii=False))
        return
    if not found:
        print("No receipts there yet.")
        return
    columns = (">when", ">call", "pod", "task", "asked", "served by", ">status", ">cost", ">ms")
    make_console().print(sheet("Receipts", columns, rows(found)))


def show_why(found: Found) -> None:
    """Print why a call went where it went."""
    print("\n".join((f"Pod {found.pod}.", *why(found.fields))))


def rows(found: Sequence[Found]) -> list[tuple[object, ...]]:
    """One row for each receipt. Raises RecordError."""
    return understood("a receipt", lambda: [_row(one) for one in found])


def not_found(call: str, where: str) -> AdminError:
    """The sentence for an id that nobody knows."""
    return AdminError(
        f"No receipt of call {call} in {where}. The id is in the answer's header x-farebox-call; "
        f"a sidecar keeps the last {LAST_MAX} in memory, all others are where it writes them."
    )


async def read_from(
    state: Path, files: Sequence[Path], sidecar_admin: str | None
) -> Iterable[Found]:
    """What is where the options of the command line say. Raises AdminError, RecordError."""
    if sidecar_admin is not None:
        return await ask_sidecar(sidecar_admin, sidecar_admin)
    return read_files(files or files_in(state))


async def run_receipts(found: Awaitable[Iterable[Found]], wanted: Wanted) -> int:
    """`farebox receipts`: show the newest."""
    show(newest(await found, wanted), as_json=wanted.as_json)
    return 0


async def run_why(found: Awaitable[Iterable[Found]], call: str, *, where: str) -> int:
    """`farebox why`: explain one call. Raises AdminError when nobody knows it."""
    one = with_id(await found, call)
    if one is None:
        raise not_found(call, where)
    show_why(one)
    return 0


def _row(one: Found) -> tuple[object, ...]:
    fields = one.fields
    served = f"{fields['model']} ({fields['tier']})" if fields["model"] else fields["refused"] or ""
    return (
        format_utc(UtcMs(fields["at"])),
        fields["call"],
        one.pod,
        fields["task"] or "-",
        fields["model_asked"],
        served,
        fields["status"],
        dollars(parse_dollars(fields["cost_usd"])),
        fields["duration_ms"],
    )


def _when(one: Found) -> int:
    return int(one.fields["at"])


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX):
            yield line
