"""One seed from its beginning to its verdict.

First a time with faults, in which only safety is judged; then a time without, at whose end nothing
may be amiss: that is judged as well. The one rule: the same seed does the same. This module must
not know any fault.
"""

import asyncio
import gc
import logging
import random
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.calm import Calm
from tests.simulation.controllers import ticking, without_telemetry
from tests.simulation.faults import Trouble
from tests.simulation.kernel import CURRENT, Process
from tests.simulation.options import options_of
from tests.simulation.rpc import in_place_of_grpc
from tests.simulation.world import World

CLOSES_MAX: Final = 5


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of a seed. `error` is empty when all invariants held."""

    seed: int
    error: str = ""
    cpu_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


def run_seed(seed: int, *, trace: bool = False) -> Result:
    """Run one seed and judge it."""
    result = Result(seed=seed)
    started = time.process_time()
    with _deterministic(seed):
        world = World(options_of(seed), say=_say if trace else None)
        try:
            with (
                in_place_of_grpc(lambda: world.network),
                without_telemetry(),
                ticking(world.options.slower),
                _logged(trace, world),
            ):
                _live(world)
        except Exception as error:  # noqa: BLE001  the verdict of this seed
            if trace:
                traceback.print_exception(error)
            result.error = f"{type(error).__name__} at {world.loop.now:.3f} s: {error}"
        result.counts = _counted(world)
        _bury(world)
    result.cpu_s = time.process_time() - started
    return result


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  a trace is for a person


def _live(world: World) -> None:
    trouble = Trouble(world)
    world.begin()
    trouble.keep_controllers()
    making = world.loop.create_task(trouble.make())
    world.loop.run_until(world.options.safety_s)
    making.cancel()
    Calm(world).judge()


def _counted(world: World) -> Counter[str]:
    counts = Counter(world.counts)
    counts.update(world.network.counts)
    counts.update(world.provider.counts)
    counts["calls"] = world.calls
    counts["holds"] = world.attempts
    counts["commits"] = world.oracle.commits
    counts["grants"] = world.oracle.grants
    counts["callbacks"] = world.loop.callbacks
    return counts


def _bury(world: World) -> None:
    """Let go of all tasks at once, when nothing of the world can matter any more."""
    living = world.processes()
    for process in living:
        process.kill()
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        bury([*world.graves, *living])
        world.__dict__.clear()
        gc.collect()
    finally:
        sys.unraisablehook = hook


def bury(processes: Iterable[Process]) -> None:
    """End the coroutines of dead processes, which will never go on.

    What they await on their way out is ended as well.
    """
    for process in processes:
        for task in process.bury():
            vars(asyncio.Task)["_log_destroy_pending"].__set__(task, False)
            coroutine = task.get_coro()
            for _ in range(CLOSES_MAX):
                with suppress(RuntimeError):
                    coroutine.close()
                    break


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Let everything that the product draws by chance follow from the seed."""
    rng = random.Random(f"product-{seed}")
    kept, state = uuid.uuid4, random.getstate()
    random.seed(f"jitter-{seed}")
    uuid.uuid4 = lambda: uuid.UUID(int=rng.getrandbits(128), version=4)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        uuid.uuid4 = kept
        random.setstate(state)


@contextmanager
def _logged(trace: bool, world: World) -> Iterator[None]:
    """Silence the product's log, or print it with the simulated time."""
    if not trace:
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: _stamp(record, world))
    handler.setFormatter(logging.Formatter("%(simulated)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _stamp(record: logging.LogRecord, world: World) -> bool:
    process = CURRENT.get()
    record.simulated = f"{world.loop.now:9.3f} {process.name if process else '-':14}"
    return True
