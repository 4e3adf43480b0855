"""The routing figures as Markdown and plots.

The one rule: every row says whether must and goal are reached, in words, and rows that miss are
written as plainly as those that do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench import routing_adversarial
from bench.routing_adversarial import Behaviour
from bench.routing_bench import Scored
from bench.routing_rows import Row, forecast_of, unusable
from bench.routing_steady import Steadiness
from bench.routing_svg import chart
from farebox.learn.accuracy import Interval, accuracy, calibration_error
from farebox.learn.curves import aiq, apgr_10, cpt, pgr_curve
from farebox.learn.savings import cost_curve, oracle_order, random_mix, under_budget
from farebox.learn.shipped import weak_chances

BUDGETS = (0.10, 0.25, 0.50)

_RESULTS = (
    "Written by `make bench-routing`; do not edit. Measured on outcomes: which model answered "
    "which prompt rightly. Nothing here is agreement with hand-made labels."
)
_METHOD = (
    "Heads and their calibration were trained on `train`; thresholds, cascades and the bounds of "
    "the familiar were chosen on `dev`; figures come from the int8 weights that ship. A prompt on "
    "which the model has no opinion goes to the strong model in savings and cascades, counts with "
    "the usual gain where a budget is paced, and is ranked by its score in APGR. Of the cascades "
    "that save at least 70 % of the most, the one with the best quality on `dev` ships."
)
_READING = (
    "APGR rows with n < 1,000 or a gap below .05 are indicative only. `reference` is the plain "
    "model of hashed word pairs (single outcomes as targets). RouteLLM's best published "
    "APGR: MMLU .603, GSM8K .622, trained on arena data with about 1,500 in-domain labels, so not "
    "like for like."
)
_POOLS = (
    "Accuracy is of the question whether the weak model suffices, beside always saying what most "
    "rows are. ECE is the calibration error of the weak model's chance. AIQ is the mean height of "
    "the hull between the two models' costs, beside the Zero router's and the oracle's."
)
_BUDGETS = (
    "Quality under a share of the always-strong bill, calls in a shuffled order that nobody knows "
    "beforehand; the number of calls in the window is known. No run overran its budget."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that was measured. `what` names the rows: which folder, which split."""

    what: str
    rows: Sequence[Row]
    pools: Sequence[tuple[str, Scored]]
    steady: Sequence[Steadiness]
    injected: Sequence[Steadiness]
    behaviours: Sequence[Behaviour]


def tally(rows: Sequence[Row]) -> str:
    """How many musts and goals were reached."""
    measured = [row for row in rows if row.figure is not None]
    musts = sum(bool(row.must_reached) for row in measured)
    goals = sum(row.goal_reached for row in measured)
    return f"{musts} of {len(measured)} musts and {goals} of {len(measured)} goals reached"


def table(rows: Sequence[Row]) -> list[str]:
    """The table of targets."""
    lines = [
        (
            "| item | n | measured [95 % interval] | must | goal | moonshot | reference | oracle "
            "| reached | remarks |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        target = row.target
        cells = [
            f"{target.item}{f' ({target.unit})' if target.unit else ''}",
            str(row.rows),
            shown(row.figure),
            *(_plain(level) for level in (target.must, target.goal, target.moonshot)),
            _plain(target.reference),
            row.oracle or "-",
            reached(row),
            row.note,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def reached(row: Row) -> str:
    """In words how far a row got."""
    if row.figure is None:
        return "not measured"
    if not row.must_reached:
        return "**must missed**"
    if row.target.reached(row.figure.value, row.target.moonshot):
        return "moonshot"
    return "goal" if row.goal_reached else "must"


def shown(figure: Interval | None) -> str:
    """A figure with its interval."""
    if figure is None or np.isnan(figure.value):
        return "-"
    digits = 3 if abs(figure.value) < 2 else 1
    if figure.low == figure.high:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def markdown(report: Report) -> str:
    """The whole document."""
    return "\n".join(
        [
            "# Routing figures",
            "",
            _RESULTS,
            "",
            f"Rows: {report.what}. {_METHOD}",
            "",
            f"**{tally(report.rows)}.** {_READING}",
            "",
            *table(report.rows),
            "",
            "![PGR by share of strong calls](routing-pgr.svg)",
            "![Quality by cost](routing-cost.svg)",
            "",
            *_pools(report.pools),
            "",
            *_budgets(report.pools),
            "",
            *_steady("Rewordings of pool A's prompts", report.steady),
            "",
            *_steady("Injected claims in pool A's prompts", report.injected),
            "",
            *routing_adversarial.table(report.behaviours),
            "",
        ]
    )


def plots(report: Report) -> dict[str, str]:
    """SVG by file name; none where no pool could be measured."""
    pools = [(name, scored) for name, scored in report.pools if not unusable(scored.pool)]
    if not pools:
        return {}
    recovered, by_cost = {}, {}
    for name, scored in pools:
        pool = scored.pool
        curve = pgr_curve(scored.gains, pool.weak, pool.strong)
        recovered[name] = list(zip(np.linspace(0, 1, len(curve)), curve.tolist(), strict=True))
        dearest = float(pool.strong_cost.mean())
        by_cost[name] = [(cost / dearest, q) for cost, q in cost_curve(scored.worths, pool)]
    recovered["random"] = [(0.0, 0.0), (1.0, 1.0)]
    share = "share of calls to the strong model"
    return {
        "routing-pgr.svg": chart("Performance gap recovered", share, "PGR", recovered),
        "routing-cost.svg": chart(
            "Quality by cost", "cost, share of always strong", "quality", by_cost
        ),
    }


def _pools(pools: Sequence[tuple[str, Scored]]) -> list[str]:
    lines = [
        "## Pools",
        "",
        _POOLS,
        "",
        (
            "| pool | n | weak / strong right | no opinion | accuracy / majority | ECE "
            "| APGR, 10 bins | CPT(50) / CPT(80) | AIQ router / zero / oracle |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, scored in pools:
        pool = scored.pool
        if unusable(pool):
            continue
        chances = weak_chances(scored.scores)
        said = accuracy(chances, pool.weak)
        pgr = (scored.gains, pool.weak, pool.strong)
        silent = 1 - len(scored.known().pool) / len(pool)
        ends = float(pool.weak_cost.mean()), float(pool.strong_cost.mean())
        zero = [(ends[0], float(pool.weak.mean())), (ends[1], float(pool.strong.mean()))]
        curves = [cost_curve(order, pool) for order in (scored.worths, oracle_order(pool))]
        heights = [aiq(points, *ends) for points in (curves[0], zero, curves[1])]
        lines.append(
            f"| {name} | {len(pool)} | {pool.weak.mean():.3f} / {pool.strong.mean():.3f} "
            f"| {silent:.1%} | {said.value:.3f} / {said.majority:.3f} "
            f"| {calibration_error(chances, pool.weak):.3f} | {apgr_10(*pgr):.3f} "
            f"| {cpt(*pgr, 0.5):.1%} / {cpt(*pgr, 0.8):.1%} "
            f"| {' / '.join(f'{height:.3f}' for height in heights)} |"
        )
    return lines


def _budgets(pools: Sequence[tuple[str, Scored]]) -> list[str]:
    lines = [
        "## Hard budgets, online",
        "",
        _BUDGETS,
        "",
        "| pool | " + " | ".join(f"{b:.0%}: router / random mix" for b in BUDGETS) + " |",
        "|---" * (len(BUDGETS) + 1) + "|",
    ]
    for name, scored in pools:
        if unusable(scored.pool):
            continue
        cells = []
        for share in BUDGETS:
            found = under_budget(scored.paced, scored.pool, share, forecast_of(scored))
            cells.append(f"{found.mean():.3f} / {random_mix(scored.pool, share):.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _steady(title: str, found: Sequence[Steadiness]) -> list[str]:
    return [
        f"## {title}",
        "",
        "| class | n | routes flipped, % [95 % interval] | to the weak model |",
        "|---|---|---|---|",
        *(
            f"| {one.name} | {len(one.flips)} | {shown(one.interval())} "
            f"| {int(one.cheaper.sum())} |"
            for one in found
        ),
    ]


def _plain(level: float | None) -> str:
    return "-" if level is None else f"{level:g}"
