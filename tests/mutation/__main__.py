"""`python -m tests.mutation [--seeds N] [--only NAME] [--jobs N]`: is every seeded bug caught?

Each bug is put into a copy of the sources, and seeds of the simulator run there until one fails. A
bug that survives, or that no longer applies, fails the run. The one rule: the unchanged sources
must pass first, else nothing that follows would mean anything.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from farebox.runtime.clock import SystemClock
from tests.mutation.mutations import MUTATIONS, DoesNotApply, Mutation
from tests.mutation.trial import Broken, Caught, copy_sources, put_in, tried

SEEDS_DEFAULT: Final = 600
JOBS_DEFAULT: Final = 2
SOUND_SEEDS: Final = 40


def main() -> int:
    """Try all bugs; the exit status is 0 when each is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS_DEFAULT, help="at most, for each bug")
    parser.add_argument("--only", default="", help="part of a name, or several: a,b")
    parser.add_argument("--jobs", type=int, default=JOBS_DEFAULT, help="at a time")
    given = parser.parse_args()
    parts = given.only.split(",")
    chosen = [one for one in MUTATIONS if any(part in one.name for part in parts)]
    clock = SystemClock()
    started = clock.boot()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        sound = copy_sources(Path(folder) / "unchanged")
        if not _is_sound(sound):
            return 1
        with ThreadPoolExecutor(given.jobs) as pool:
            jobs = [pool.submit(_try, one, sound, given.seeds) for one in chosen]
            outcomes = [_show(one, job.result()) for one, job in zip(chosen, jobs, strict=True)]
    caught = sum(outcomes)
    _say(
        f"mutate-ledger: {caught} of {len(chosen)} seeded bugs caught, "
        f"{(clock.boot() - started) // 1000} s"
    )
    return 0 if chosen and caught == len(chosen) else 1


def _is_sound(sources: Path) -> bool:
    """Whether the sources as they are pass, and every bug still applies to them."""
    try:
        for mutation in MUTATIONS:
            put_in(mutation, sources, write=False)
        found = tried(sources, seeds=SOUND_SEEDS)
    except (DoesNotApply, Broken) as error:
        _say(f"mutate-ledger: nothing can be tried: {error}")
        return False
    if found is not None:
        _say(f"mutate-ledger: the sources fail without any bug, at seed {found.seeds}: {found.by}")
        return False
    _say(f"mutate-ledger: without a bug, {SOUND_SEEDS} seeds pass")
    _say(f"{'seeded bug':36} {'seeds':>6}  {'caught by':44}  file")
    return True


def _try(mutation: Mutation, sound: Path, seeds: int) -> Caught | str:
    """Who caught a bug, or in words why nobody did."""
    copy = copy_sources(sound.parent / mutation.name.replace(" ", "-"), root=sound)
    put_in(mutation, copy)
    try:
        found = tried(copy, seeds=seeds)
        if found is None:
            return f"SURVIVED {seeds} seeds"
        # A seed that fails without the bug as well says nothing about it.
        alike = found.seeds > SOUND_SEEDS and tried(sound, seeds=1, first=found.seeds - 1)
        return f"BROKEN: seed {found.seeds - 1} fails without it too" if alike else found
    except Broken as error:
        return f"BROKEN: {error}"


def _show(mutation: Mutation, found: Caught | str) -> bool:
    caught = isinstance(found, Caught)
    by, seeds = (found.by, str(found.seeds)) if isinstance(found, Caught) else (found, "")
    _say(f"{mutation.name:36} {seeds:>6}  {by[:44] if caught else by:44}  {mutation.files}")
    return caught


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
