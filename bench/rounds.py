"""The interleaved run: in every round each workload goes to every target, one after the other.

The one rule: a proxy's CPU time is read right before and right after a window, and divided by all
calls of that window, warm-up included. It must not know what the figures are for.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench import load, processes
from bench.figures import Memory, Sample
from bench.targets import Name, Target
from bench.traffic import WORKLOADS, Workload

IDLE_SECONDS = 3.0
"""How long every target idles before its idle memory is read."""

ROUNDS_MAX = 20
_ANSWER_SECONDS_MAX = load.DRAIN_SECONDS_MAX + 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure. A window lasts `warm_seconds` plus `seconds`."""

    rounds: int
    warm_seconds: float
    seconds: float


DEFAULT_PLAN = Plan(rounds=5, warm_seconds=0.25, seconds=3.0)
QUICK_PLAN = Plan(rounds=2, warm_seconds=0.25, seconds=1.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that a run saw."""

    samples: tuple[Sample, ...]
    memory: tuple[Memory, ...]


def run(targets: Sequence[Target], plan: Plan, progress: Callable[[str], None]) -> Outcome:
    """Measure all targets. Raises BenchError when a call failed or a process ended."""
    time.sleep(IDLE_SECONDS)
    idle = {target.name: processes.resident_kib(target.pids) for target in targets}
    samples: list[Sample] = []
    with processes.started_module("bench.load") as loader:
        for number in range(1, plan.rounds + 1):
            progress(f"round {number} of {plan.rounds}")
            for workload in WORKLOADS:
                samples += [_measure(loader, one, workload, plan, number) for one in targets]
    return Outcome(samples=tuple(samples), memory=_memory(targets, idle))


def _memory(targets: Sequence[Target], idle: dict[Name, int]) -> tuple[Memory, ...]:
    return tuple(
        Memory(
            target=target.name,
            idle_kib=idle[target.name],
            loaded_kib=processes.resident_kib(target.pids),
        )
        for target in targets
        if target.pids
    )


def _measure(
    loader: processes.Child, target: Target, workload: Workload, plan: Plan, number: int
) -> Sample:
    cpu_before_us = processes.cpu_us(target.pids)
    window = _load(loader, target, workload, plan)
    cpu_used_us = processes.cpu_us(target.pids) - cpu_before_us
    return Sample(
        round=number,
        workload=workload.name,
        target=target.name,
        calls=window.calls,
        calls_per_second=window.calls_per_second,
        p50_us=window.p50_us,
        p99_us=window.p99_us,
        cpu_us_per_call=cpu_used_us / window.calls if target.pids else None,
    )


def _load(loader: processes.Child, target: Target, workload: Workload, plan: Plan) -> load.Window:
    order = load.Order(
        url=target.url,
        kind=workload.kind,
        concurrency=workload.concurrency,
        warm_seconds=plan.warm_seconds,
        seconds=plan.seconds,
    )
    seconds_max = plan.warm_seconds + plan.seconds + _ANSWER_SECONDS_MAX
    answer = loader.ask(json.dumps(asdict(order)), seconds_max=seconds_max)
    window = load.Window(**json.loads(answer))
    if window.failure:
        message = f"{target.name}, {workload.name}: {window.failure}"
        raise processes.BenchError(message)
    return window
