"""The command line of the simulation: many seeds on all cores, one line of progress, a verdict.

The one rule: a failing seed is named with the command that replays it. This module must not know
what a seed does.
"""

import argparse
import gc
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from farebox.runtime.clock import SystemClock
from tests.simulation.options import Fault, options_of
from tests.simulation.run import Result, run_seed

SEEDS_DEFAULT: Final = 200
CHUNK: Final = 4
PROGRESS_S: Final = 2.0
FAILURES_SHOWN_MAX: Final = 10


def command(arguments: Sequence[str]) -> int:
    """Run what is asked for. Returns the exit status: 0 when every invariant held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=SEEDS_DEFAULT, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trace", action="store_true", help="print what happens (one seed)")
    parser.add_argument("--until-failure", action="store_true", help="stop at the first failure")
    given = parser.parse_args(arguments)
    if given.trace:
        return _trace(given.first)
    seeds = range(given.first, given.first + given.seeds)
    return _run_all(seeds, workers=given.workers, until_failure=given.until_failure)


def _trace(seed: int) -> int:
    sys.unraisablehook = lambda _: None
    _say(options_of(seed).text())
    result = run_seed(seed, trace=True)
    _say(f"{result.counts['callbacks']} callbacks")
    _say(result.error or f"seed {seed}: all invariants held")
    return 1 if result.error else 0


def _run_all(seeds: range, *, workers: int, until_failure: bool) -> int:
    started, shown = _now(), 0.0
    done, cpu_s, counts = 0, 0.0, Counter[str]()
    failed: list[Result] = []
    for result in _results(seeds, workers):
        done += 1
        cpu_s += result.cpu_s
        counts.update(result.counts)
        if result.error:
            failed.append(result)
            if len(failed) <= FAILURES_SHOWN_MAX:
                _say_failure(result)
            if until_failure:
                break
        now = _now() - started
        if now - shown > PROGRESS_S:
            shown = now
            _say(f"{done}/{len(seeds)} seeds, {len(failed)} failed, {now:.0f} s")
    _report(counts)
    _say(
        f"simulate: {done} seeds from {seeds.start}, {len(failed)} failed, "
        f"{_now() - started:.1f} s, {cpu_s / max(1, done):.3f} CPU-seconds each"
    )
    return 1 if failed else 0


def _results(seeds: range, workers: int) -> Iterator[Result]:
    if workers <= 1:
        _prepare()
        yield from map(run_seed, seeds)
        return
    with multiprocessing.get_context("fork").Pool(workers, initializer=_prepare) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=CHUNK)


def _now() -> float:
    """Seconds of real time: progress is told to a person."""
    return SystemClock().boot() / 1000


def _prepare() -> None:
    """What is imported by now lives as long as the worker: the collector need not look at it."""
    sys.unraisablehook = lambda _: None
    gc.freeze()


def _say_failure(result: Result) -> None:
    _say(f"seed {result.seed}: {result.error}")
    _say(f"  replay: python -m tests.simulation --from {result.seed} --trace")


def _report(counts: Counter[str]) -> None:
    faults = {fault.value for fault in Fault}
    for name in sorted(counts, key=lambda name: (name in faults, name)):
        _say(f"  {counts[name]:>10}  {name}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  the command talks to a person
