"""Entry point of `make bench-kube`: a controller in a cluster of 10,000 pods and 1,000 pools.

    python -m bench.kube [--pods N] [--pools N] [--sidecars N] [--rolled N] [--report]

A real API server and etcd, a real controller, real connections of sidecars; no kubelet: the pods
are objects that nothing runs. The one rule: exit status 0 only when every bound of
`bench/kube_report.py` holds (with --report a broken bound is printed and decides nothing).
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import kube_report
from bench.kube_objects import Size
from bench.kube_report import Figures
from bench.kube_run import FEW, Plan, run
from bench.processes import BenchError
from farebox.cli.processes import ChildError

PODS: Final = 10_000
POOLS: Final = 1_000
SIDECARS: Final = 200
QUIET_S: Final = 30.0
OBJECTS_MAX: Final = 50_000
_COULD_NOT_RUN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    plan: Plan
    decides: bool


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line; ends the program with a sentence on a mistake."""
    parser = argparse.ArgumentParser(prog="bench.kube", description="a controller at size")
    parser.add_argument("--pods", type=int, default=PODS, help=f"how many pods ({PODS})")
    parser.add_argument("--pools", type=int, default=POOLS, help=f"how many pools ({POOLS})")
    parser.add_argument("--sidecars", type=int, help=f"how many connect (at most {SIDECARS})")
    parser.add_argument("--rolled", type=int, help="how many pods are replaced (one in ten)")
    parser.add_argument("--quiet", type=float, default=QUIET_S, metavar="SECONDS")
    parser.add_argument("--report", action="store_true", help="exit 0 also when a bound is broken")
    asked = parser.parse_args(arguments)
    if not 2 * FEW.pods <= asked.pods <= OBJECTS_MAX:
        parser.error(f"--pods must lie between {2 * FEW.pods} and {OBJECTS_MAX}")
    if not 2 * FEW.pools <= asked.pools <= OBJECTS_MAX:
        parser.error(f"--pools must lie between {2 * FEW.pools} and {OBJECTS_MAX}")
    sidecars = asked.sidecars or min(SIDECARS, asked.pods // 4)
    rolled = asked.rolled or asked.pods // 10
    if not 0 < sidecars <= (asked.pods - rolled) // 2:
        parser.error("--sidecars and --rolled must leave half of the pods alone")
    size = Size(pools=asked.pools, pods=asked.pods)
    plan = Plan(size=size, sidecars=sidecars, rolled=rolled, quiet_s=asked.quiet)
    return Options(plan=plan, decides=not asked.report)


async def _run(folder: Path, plan: Plan) -> Figures:
    """TERM ends it as Ctrl-C does, so that nothing is left running."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await run(folder, plan)


def main() -> int:
    """Measure and print; returns the exit status."""
    options = read_options(sys.argv[1:])
    try:
        with tempfile.TemporaryDirectory(prefix="farebox-kube-") as folder:
            found = asyncio.run(_run(Path(folder), options.plan))
    except (BenchError, ChildError) as error:
        print(f"the benchmark could not run: {error}", file=sys.stderr)
        return _COULD_NOT_RUN
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("the benchmark was interrupted", file=sys.stderr)
        return _COULD_NOT_RUN
    print(kube_report.text(found))
    broken = kube_report.broken(found)
    for sentence in broken:
        print(f"BROKEN: {sentence}")
    return 1 if broken and options.decides else 0


if __name__ == "__main__":
    sys.exit(main())
