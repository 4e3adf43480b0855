"""Entry point of `make bench-leases`: how much talk, false denials and lost money leases cost.

    python -m bench.leases [--seeds N] [--from SEED] [--quick] [--real]

The product (its real engine, leasing and purse in virtual time) against simpler ways to lend, under
the same calls; with --real the product once more as processes. The one rule: exit status 0 only
when both bounds hold, over all seeds that were asked for, in the run that they are stated for (200
sidecars, $2,000, default settings).
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench import leases_real, leases_report
from bench.leases_load import Load
from bench.leases_report import Line
from bench.leases_rivals import POLICIES, Policy
from bench.leases_run import Ours, run
from controller.terms import Terms
from farebox.core.instant import DurationMs
from farebox.core.money import NANOS_PER_DOLLAR, Nanos

SEEDS_MAX: Final = 20
_HOUR_MS: Final = 3_600_000

OURS: Final = Ours(name="farebox", terms=Terms())
"""By default: the more sidecars there are, the less often each of them reports."""

EAGER: Final = Ours(name="farebox, always each 5 s", terms=Terms(heartbeat_max=DurationMs(5_000)))
"""What it would be if all reported as often as a few do."""

STATED: Final = Load(sidecars=200, limit=Nanos(2_000 * NANOS_PER_DOLLAR), horizon_ms=2 * _HOUR_MS)
"""The run for which the bounds are stated."""

SMALL: Final = replace(STATED, sidecars=10, limit=Nanos(100 * NANOS_PER_DOLLAR))
LARGE: Final = replace(STATED, sidecars=2_000, horizon_ms=40_000)
"""Ten times the sidecars on the same limit, cut off after 40 s: the end of it takes too long."""

DEAR: Final = replace(STATED, cost_mean=Nanos(2 * STATED.cost_mean))
CRASHING: Final = replace(STATED, horizon_ms=300_000, crash_every_ms=5_000)
_CRASHED: Final = tuple(policy for policy in POLICIES if policy.reclaim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    seeds: range
    quick: bool
    real: bool


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line; ends the program with a sentence on a mistake."""
    parser = argparse.ArgumentParser(prog="bench.leases", description="what leases cost")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (2)")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--quick", action="store_true", help="only what the bounds are stated for")
    parser.add_argument("--real", action="store_true", help="the product as processes too")
    asked = parser.parse_args(arguments)
    if not 1 <= asked.seeds <= SEEDS_MAX:
        parser.error(f"--seeds must lie between 1 and {SEEDS_MAX}")
    seeds = range(asked.first, asked.first + asked.seeds)
    return Options(seeds=seeds, quick=asked.quick, real=asked.real)


def measure(options: Options) -> bool:
    """Run everything and print as it comes; whether the bounds hold."""
    first = options.seeds[:1]
    stated = _compare(STATED, POLICIES, options.seeds)
    print(leases_report.verdict(stated, options.seeds), flush=True)
    if not options.quick:
        print("\nthe same run otherwise", end="")
        _compare(STATED, (), first, ours=EAGER)
        _compare(DEAR, (), options.seeds)
        _compare(SMALL, POLICIES, options.seeds)
        _print(leases_report.crash_heading(CRASHING))
        policies: tuple[Policy | Ours, ...] = (OURS, *_CRASHED)
        for policy in policies:
            print(leases_report.crash_line(_line(CRASHING, policy, options.seeds)), flush=True)
        # One seed and two policies: a run of this size takes minutes.
        _compare(LARGE, _CRASHED[-2:], first)
    if options.real:
        _print(asyncio.run(leases_real.measure()))
    print(leases_report.LEGEND)
    return stated.holds


def _compare(load: Load, policies: Sequence[Policy], seeds: range, *, ours: Ours = OURS) -> Line:
    """One block of lines; returns the product's."""
    _print(leases_report.heading(load))
    first = _line(load, ours, seeds)
    print(leases_report.line(first), flush=True)
    for policy in policies:
        print(leases_report.line(_line(load, policy, seeds)), flush=True)
    return first


def _line(load: Load, policy: Policy | Ours, seeds: range) -> Line:
    tallies = [run(load, policy, seed) for seed in seeds]
    return Line(policy=policy.name, tallies=tallies)


def _print(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(0 if measure(read_options(sys.argv[1:])) else 1)
