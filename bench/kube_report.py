"""The figures of `make bench-kube`, the bounds that they are held to, and both as lines for people.

The one rule: a bound is stated here and nowhere else, and is judged on the figures alone. Pure: no
clock, no processes.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.kube_objects import Size

IN_FORCE_MS_MAX: Final = 2_000
"""A changed limit is in force so long after the API server has taken it."""

MEMORY_MIB_MAX: Final = 300
"""The chart gives a controller 1 GiB at most; so much of it is what 10,000 pods may take."""

WRITES_PER_SECOND: Final = 50
SETTLE_S_GRACE: Final = 20.0
"""Statuses are written at this rate, and what changes of all pools has so long beside that."""

_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A controller that was started: milliseconds and CPU until it led; resident KiB at rest."""

    listed_ms: int
    leads_ms: int
    cpu_ms: int
    resident_kib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that went on for a while: its CPU, and what was asked of the API server."""

    took_ms: int
    cpu_ms: int
    status_writes: int
    requests: int

    @property
    def cpu_percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu_ms / max(1, self.took_ms)

    @property
    def writes_per_second(self) -> float:
        """Statuses."""
        return _MS * self.status_writes / max(1, self.took_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A change that touches many statuses, until the last of them says so."""

    name: str
    statuses: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything. `few`, `many`, `rolling`: patched limits in force after so many milliseconds.

    `stale`: pools whose status is not of now at the end. `spent` is what sidecars spent, `shown`
    what the organisation's status says of it, in n$. `heard_ms`: until the last sidecar had a
    changed price.
    """

    size: Size
    sidecars: int
    pod_bytes: int
    few_start: Start
    bare_start: Start
    start: Start
    first_statuses: Span
    connected_ms: int
    unheard: Span
    quiet: Span
    busy: Span
    few: Sequence[int]
    many: Sequence[int]
    rolling: Sequence[int]
    rolled: int
    roll: Span
    heard_ms: int
    turns: Sequence[Turn]
    stale: Sequence[str]
    spent: int
    shown: int
    resident_kib: int


def broken(found: Figures) -> list[str]:
    """A sentence for each bound that does not hold."""
    said = []
    for what, times in (("with all pods", found.many), ("while pods are replaced", found.rolling)):
        if max(times) > IN_FORCE_MS_MAX:
            said.append(
                f"{what} a limit was in force after {max(times)} ms; it must be {IN_FORCE_MS_MAX}"
            )
    if found.resident_kib > MEMORY_MIB_MAX * 1024:
        said.append(
            f"the controller takes {found.resident_kib >> 10} MiB; it must be {MEMORY_MIB_MAX}"
        )
    for turn in found.turns:
        most = turn.statuses / WRITES_PER_SECOND + SETTLE_S_GRACE
        if turn.span.took_ms > _MS * most:
            took = turn.span.took_ms / _MS
            said.append(f"{turn.name}: settled after {took:.0f} s; it must be {most:.0f}")
    if found.stale:
        said.append(f"{len(found.stale)} statuses are stale, {found.stale[0]} among them")
    if found.spent != found.shown:
        said.append(f"sidecars spent {found.spent} n$, the organisation shows {found.shown} n$")
    return said


def text(found: Figures) -> str:
    """All figures, a line each."""
    size, few, many = found.size, found.few, found.many
    per_pod = (found.start.resident_kib - found.bare_start.resident_kib) * 1024 / size.pods
    ratio = statistics.median(many) / max(1.0, statistics.median(few))
    lines = [
        (
            f"{size.pods:,} pods of {found.pod_bytes:,} bytes, {size.pools:,} pools in "
            f"{size.namespaces + 1} namespaces, {found.sidecars} sidecars connected"
        ),
        _start("start with 10 pods and pools", found.few_start),
        _start(f"start with 10 pods, {size.pools:,} pools", found.bare_start),
        _start(f"start with {size.pods:,} pods", found.start),
        f"memory for a pod: {per_pod:,.0f} bytes; at the end {found.resident_kib / 1024:.0f} MiB",
        _span("first statuses of all pools", found.first_statuses),
        f"all sidecars connected and served after {found.connected_ms / _MS:.1f} s",
        _span("pods noticed whose sidecar does not connect", found.unheard),
        _span("quiet", found.quiet),
        _span("sidecars spend", found.busy),
        _times("patch in force, 10 pods and pools", few),
        _times(f"patch in force, {size.pods:,} pods", many) + f", {ratio:.1f} times as long",
        _times(f"patch in force, {found.rolled:,} pods being replaced", found.rolling),
        _span(f"{found.rolled:,} pods replaced", found.roll)
        + f", {_MS * found.rolled / found.roll.took_ms:.0f} pods/s",
        f"a price changed: the last sidecar of the one process had it after {found.heard_ms} ms",
        *(_span(f"{turn.name}, {turn.statuses:,} statuses", turn.span) for turn in found.turns),
        (
            f"stale statuses at the end: {len(found.stale)}; sidecars spent {found.spent:,} n$, "
            f"the organisation shows {found.shown:,} n$"
        ),
    ]
    return "\n".join(lines)


def _start(name: str, found: Start) -> str:
    return (
        f"{name}: listed after {found.listed_ms / _MS:.1f} s, leads after "
        f"{found.leads_ms / _MS:.1f} s, CPU {found.cpu_ms / _MS:.1f} s, "
        f"{found.resident_kib / 1024:.0f} MiB"
    )


def _span(name: str, found: Span) -> str:
    return (
        f"{name}: {found.took_ms / _MS:.1f} s, CPU {found.cpu_percent:.1f} %, "
        f"{found.status_writes:,} statuses written ({found.writes_per_second:.1f}/s), "
        f"{found.requests:,} requests"
    )


def _times(name: str, found: Sequence[int]) -> str:
    return f"{name}: median {statistics.median(found):.0f} ms, at most {max(found)} ms"
