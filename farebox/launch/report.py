"""report.md and its plots: a profiling run for people.

The one rule: it shows what profile.json says and nothing else, and says what was not measured.
This module must not know how anything was measured.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from farebox.core.money import Nanos, format_dollars
from farebox.launch.measures import Cell
from farebox.launch.pictures import Bar, bars
from farebox.launch.profiles import Profile
from farebox.launch.proposals import percent

REPORT_FILE: Final = "report.md"
_THOUSAND: Final = 1_000

_HEAD: Final = (
    "| task | tier | model | answered | pass | 95 % | accepted | in | out | out p95 | p50 ms "
    "| p95 ms | $ per answer | gates $ | lost, refused, unfit |\n"
    "|---|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
)


def write_report(folder: Path, profile: Profile) -> Path:
    """Write the report and its plots into the folder; returns the report."""
    plots = {
        "pass-rate.svg": _plot(profile, "Pass rate, 95 % interval", _rate, _THOUSAND),
        "tokens.svg": _plot(profile, "Output tokens, mean", _output, None),
        "latency.svg": _plot(profile, "Latency, 95th percentile, ms", _latency, None),
        "cost.svg": _plot(profile, "Dollars per 1,000 answers", _cost, None),
    }
    for name, plot in plots.items():
        (folder / name).write_text(plot, encoding="utf-8")
    path = folder / REPORT_FILE
    path.write_text("\n".join(_lines(profile, list(plots))) + "\n", encoding="utf-8")
    return path


def _lines(profile: Profile, plots: list[str]) -> list[str]:
    cells = [cell for task in profile.tasks for cell in task.cells]
    return [
        "# Profile",
        "",
        (
            f"Measured on {profile.measured}: {profile.samples} samples, tiers "
            f"{', '.join(profile.tiers)}, catalogue {profile.catalogue}, "
            f"${format_dollars(Nanos(profile.spent), 4)} spent of a cap of "
            f"${format_dollars(Nanos(profile.cap), 2)}."
        ),
        *_warnings(profile),
        "",
        "## Proposed",
        "",
        "| task | before | proposed | |",
        "|---|---|---|---|",
        *(
            f"| {task.task} | {task.tier_before or '-'} | {task.proposal.tier or '-'} | "
            f"{task.proposal.says} |"
            for task in profile.tasks
        ),
        "",
        "## Measured",
        "",
        (
            '"Pass" is by all gates and the expected answer where known; "accepted" by the gates '
            "as they run in production."
        ),
        "",
        _HEAD,
        *(_row(cell) for cell in cells),
        "",
        *(f"![{name.removesuffix('.svg')}]({name})\n" for name in plots),
        "## Not measured",
        "",
        *(f"- {gap}" for gap in profile.gaps or ("Nothing is missing.",)),
    ]


def _warnings(profile: Profile) -> list[str]:
    lines = []
    if profile.simulated:
        lines.append("**The providers were simulated: the pass rates are declared, not found.**")
    if not profile.complete:
        lines.append("**Not complete: run the same command again, it goes on where it ended.**")
    return [text for line in lines for text in ("", line)]


def _row(cell: Cell) -> str:
    return (
        f"| {cell.task} | {cell.tier} | {cell.model} | {cell.answered} | {percent(cell.rate)} | "
        f"{percent(cell.low)} to {percent(cell.high)} | {cell.accepted} | {cell.input_mean} | "
        f"{cell.output_mean} | {cell.output_p95} | {cell.latency_p50} | {cell.latency_p95} | "
        f"{format_dollars(Nanos(cell.cost_mean), 6)} | "
        f"{format_dollars(Nanos(cell.gate_cost_mean), 6)} | "
        f"{cell.lost}, {cell.refused}, {cell.unfit} |"
    )


def _plot(profile: Profile, title: str, bar: Callable[[Cell], Bar], top: int | None) -> str:
    groups = {task.task: [bar(cell) for cell in task.cells] for task in profile.tasks if task.cells}
    longest = max((one.value for group in groups.values() for one in group), default=1)
    return bars(title, groups, profile.tiers, top or longest or 1)


def _rate(cell: Cell) -> Bar:
    return Bar(cell.rate, percent(cell.rate), cell.low, cell.high)


def _output(cell: Cell) -> Bar:
    return Bar(cell.output_mean, str(cell.output_mean))


def _latency(cell: Cell) -> Bar:
    return Bar(cell.latency_p95, str(cell.latency_p95))


def _cost(cell: Cell) -> Bar:
    thousand = (cell.cost_mean + cell.gate_cost_mean) * _THOUSAND
    return Bar(thousand, format_dollars(Nanos(thousand), 3))
