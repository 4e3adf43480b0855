"""`python -m tests.model [NAME]`: explore all small worlds to the end and print what there was.

A violation is printed as the shortest script that leads to it, and fails the run. The one rule:
what bounded the exploration is printed with it.
"""

import argparse
import gc
import sys

from tests.model.bounds import Bounds
from tests.model.explore import Explored, explore
from tests.model.worlds import WORLDS

INVARIANTS = "I1 I2 I3 I4 I5 I6 I7 I12"


def main() -> int:
    """Explore; the exit status is 0 when every state of every world is sound."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="worlds whose name contains this")
    given = parser.parse_args()
    # Millions of small tuples and no cycles among them: looking for some would double the time.
    gc.disable()
    found = [_explored(world) for world in WORLDS if given.only in world.name]
    states, cpu_s = sum(one.states for one in found), sum(one.cpu_s for one in found)
    sound = bool(found) and all(one.complete for one in found)
    transitions = sum(one.transitions for one in found)
    _say(
        f"model: {'every state is sound' if sound else 'FAILED'}: {len(found)} worlds, "
        f"{states:,} states, {transitions:,} transitions, {cpu_s:.0f} CPU-seconds ({INVARIANTS})"
    )
    return 0 if sound else 1


def _explored(bounds: Bounds) -> Explored:
    _say(f"{bounds.name}: {bounds.told()}")
    explored = explore(bounds, progress=_progress)
    _clear()
    controllers, sidecars, packets = explored.parts
    _say(
        f"  {explored.states:,} states, {explored.transitions:,} transitions, "
        f"depth {explored.depth}, {explored.cpu_s:.1f} CPU-seconds; {controllers:,} controllers x "
        f"{sidecars:,} sidecars x {packets:,} packets; {explored.replayed} paths run again"
    )
    for number, step in enumerate(explored.script, start=1):
        _say(f"  {number:3}  {step}")
    return explored


def _progress(depth: int, states: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r  depth {depth}, {states:,} states ")


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
