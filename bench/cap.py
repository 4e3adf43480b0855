"""Entry point of `make bench-cap`: tries to break the cap, seed by seed, with real processes.

    python -m bench.cap [--seeds N] [--first-seed S] [--json FILE] [--keep]

Each seed is two runs: a storm (faults and kills; no limit may be exceeded in any window, no money
may stay out) and an exhaustion (no faults; what a pool refuses for good must really be spent). The
one rule: exit status 0 only when every bound held in every run; 1 names the command that replays a
seed whose bound was broken and keeps its folder; 2 the benchmark could not run.
"""

import argparse
import asyncio
import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import cap_report
from bench.cap_run import Result, run
from bench.cap_scenario import Scenario, exhaustion, storm
from farebox.cli import processes

_EXIT_BROKEN = 1
SEEDS_MAX = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    seeds: range
    json_path: Path | None
    keep: bool


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line; ends the program with a sentence on a mistake."""
    parser = argparse.ArgumentParser(prog="bench.cap", description="try to break the cap")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds (20)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="S", help="the first one (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all results there")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good runs too")
    asked = parser.parse_args(arguments)
    if not 1 <= asked.seeds <= SEEDS_MAX:
        parser.error(f"--seeds must lie between 1 and {SEEDS_MAX}")
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    return Options(seeds=seeds, json_path=asked.json, keep=asked.keep)


async def measure(options: Options) -> int:
    """Run all seeds, print as they come; returns the exit status."""
    print(cap_report.heading(options.seeds))
    results: list[Result] = []
    for seed in options.seeds:
        scenarios = (storm(seed), exhaustion(seed))
        for scenario in scenarios:
            print(cap_report.announcement(scenario), file=sys.stderr, flush=True)
        # Both runs of a seed at once: a storm spends much of its time waiting for restarts.
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(_run(one, keep=options.keep)) for one in scenarios]
        for run_ in runs:
            results.append(run_.result())
            print(cap_report.row(run_.result()), flush=True)
    print(cap_report.summary(results))
    if options.json_path is not None:
        options.json_path.write_text(json.dumps(_as_json(results), indent=1) + "\n")
    return _EXIT_BROKEN if any(result.findings for result in results) else 0


def main() -> int:
    """Run the benchmark; Ctrl-C and TERM end it and whatever it has started."""
    return processes.run(measure(read_options(sys.argv[1:])))


async def _run(scenario: Scenario, *, keep: bool) -> Result:
    folder = Path(tempfile.mkdtemp(prefix=f"farebox-cap-{scenario.seed}-{scenario.kind}-"))
    result = None
    try:
        result = await run(scenario, folder)
    finally:
        if result is not None and not result.findings and not keep:
            shutil.rmtree(folder)
    return result


def _as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [cap_report.as_json(result) for result in results]


if __name__ == "__main__":
    sys.exit(main())
