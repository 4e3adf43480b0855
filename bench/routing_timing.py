"""How long one decision takes: heuristics and the small model, as percentiles of CPU time.

The one rule: figures are this thread's CPU time on the machine at hand, printed beside a yardstick
taken in the same run; no test ever asserts them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.routing_rows import Row
from bench.routing_targets import target_named
from farebox.core.budgets import Keys
from farebox.core.call import Call, Identity
from farebox.core.features import features_of
from farebox.core.heuristics import guess
from farebox.learn import shipped
from farebox.learn.accuracy import Interval, bootstrap
from farebox.learn.outcomes import Outcome

PROMPT_CHARS_MAX = 2_000
PROMPTS_MAX = 1_500
PASSES = 7
"""Each prompt is timed so often and the least counts: the rest is the machine's other work."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds per prompt, and the yardstick's: sorting 1,000 numbers."""

    each: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    yardstick: float

    def percentile(self, percent: float) -> Interval:
        """A percentile with its bootstrap interval, ms."""
        return bootstrap(lambda at: float(np.percentile(self.each[at], percent)), len(self.each))


def timing_rows(rows: Sequence[Outcome]) -> list[Row]:
    """The rows about time and size."""
    prompts = [row.prompt for row in rows if len(row.prompt) <= PROMPT_CHARS_MAX]
    prompts = prompts[:: max(1, len(prompts) // PROMPTS_MAX)]
    model = shipped.weights("A")
    calls = [_call(prompt) for prompt in prompts]
    heuristics = timed([partial(_guess, call) for call in calls])
    scoring = timed([partial(model.score, prompt) for prompt in prompts])
    sizes = {one.name: len(shipped.content(one.name)) for one in shipped.RELEASES}
    largest = max(sizes.values()) / 1_000
    return [
        _row("heuristics p99", heuristics),
        _row("model p99", scoring),
        Row(
            target=target_named("model size"),
            figure=Interval(largest, largest, largest),
            rows=len(sizes),
            note=f"the largest of {len(sizes)}; {sum(sizes.values()) / 1_000:.0f} kB together",
        ),
    ]


def timed(works: Sequence[Callable[[], object]]) -> Timed:
    """Time each piece of work by itself, PASSES times in turn; the least of each counts."""
    best = np.full(len(works), np.inf)
    for _ in range(PASSES):
        for place, work in enumerate(works):
            start = time.thread_time_ns()
            work()
            best[place] = min(best[place], (time.thread_time_ns() - start) / 1e6)
    return Timed(best, _yardstick())


def _yardstick() -> float:
    numbers = [n * 7_919 % 1_000 for n in range(1_000)]
    best = np.inf
    for _ in range(200):
        start = time.thread_time_ns()
        sorted(numbers)
        best = min(best, (time.thread_time_ns() - start) / 1e6)
    return float(best)


def _row(item: str, found: Timed) -> Row:
    p99, p50 = found.percentile(99), float(np.percentile(found.each, 50))
    return Row(
        target=target_named(item),
        figure=p99,
        rows=len(found.each),
        note=f"p50 {p50:.3f} ms; p99 is {p99.value / found.yardstick:.1f} times "
        "sorting 1,000 numbers",
    )


def _guess(call: Call) -> object:
    return guess(features_of(call))


def _call(prompt: str) -> Call:
    return Call(
        path="/v1/chat/completions",
        model="farebox/auto",
        identity=Identity(keys=Keys()),
        body_bytes=len(prompt),
        prompt=prompt,
    )
