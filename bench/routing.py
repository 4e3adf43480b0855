"""Entry point of `make bench-routing`: the table of routing targets on real outcomes.

    python -m bench.routing [--data DIR] [--default-data DIR] [--out DIR]

Without --data the dev split of the default folder is evaluated; with it every row of that folder,
whatever its split. The one rule: weights, thresholds and rules are those that ship, whatever the
data. Exit status 1 when a must was missed, 2 when the data cannot be used.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import routing_adversarial, routing_report, routing_rows, routing_steady
from bench.routing_bench import Bench
from bench.routing_timing import timing_rows
from farebox.learn.outcomes import DEV, BadOutcomes, Outcome, of_split, read_folder
from farebox.learn.shipped import RELEASES

DEFAULT_DATA = Path("../shared/data/routing")
_EXIT_MISSED, _EXIT_UNUSABLE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench.routing", description="measure routing")
    parser.add_argument("--data", type=Path, metavar="DIR", help="evaluate all rows of a folder")
    parser.add_argument("--default-data", type=Path, default=DEFAULT_DATA, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("docs"), metavar="DIR")
    asked = parser.parse_args(arguments)
    try:
        rows, what = evaluated(asked.data, asked.default_data)
    except BadOutcomes as problem:
        print(f"bench-routing: {problem}", file=sys.stderr)
        return _EXIT_UNUSABLE
    report = measure(rows, what)
    write(report, asked.out)
    print("\n".join(routing_report.table(report.rows)))
    print(f"\nbench-routing: {routing_report.tally(report.rows)}; written to {asked.out}")
    missed = any(row.must_reached is False for row in report.rows)
    return _EXIT_MISSED if missed else 0


def evaluated(data: Path | None, default: Path) -> tuple[list[Outcome], str]:
    """The rows to evaluate and what they are; raises BadOutcomes."""
    if data is not None:
        rows = read_folder(data)
        return rows, f"all {len(rows)} of the folder that DATA names, whatever their split"
    rows = of_split(read_folder(default), DEV)
    return rows, f"the {len(rows)} of the dev split"


def measure(rows: Sequence[Outcome], what: str) -> routing_report.Report:
    """Run everything on some rows."""
    bench = Bench(rows)
    whole = bench.scored("A")
    steady = routing_steady.steadiness(whole)
    return routing_report.Report(
        what=what,
        rows=[
            *timing_rows(rows),
            *routing_rows.quality_rows(bench),
            routing_steady.rewording_row(steady),
        ],
        pools=[(release.name, bench.scored(release.name)) for release in RELEASES],
        steady=steady,
        injected=routing_steady.injections(whole),
        behaviours=routing_adversarial.behaviours(whole.model),
    )


def write(report: routing_report.Report, folder: Path) -> None:
    """Write the document and its plots."""
    folder.mkdir(parents=True, exist_ok=True)
    text = routing_report.markdown(report)
    (folder / "routing-figures.md").write_text(text, encoding="utf-8")
    for name, plot in routing_report.plots(report).items():
        (folder / name).write_text(plot, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
