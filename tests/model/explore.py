"""Every state of a small world, breadth first, so that the first violation is a shortest one.

The one rule: a state is looked at once, and the path to it is kept. Some of the paths are then run
once more with parts that were never copied, and must lead to the same. This module must not know
what a state means.
"""

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.model.bounds import Bounds
from tests.model.parts import Violation
from tests.model.system import Event, System

REPLAYED: Final = 200
"""So many of the paths found, spread over all of them, are run once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What came of an exploration.

    `parts`: how many different controllers, sidecars and packets there were. `script`: the steps to
    a violation and the sentence of it. `complete`: no state is left to look at. `cpu_s`: seconds of
    processor time, which a busy machine does not lengthen.
    """

    bounds: Bounds
    states: int
    transitions: int
    depth: int
    cpu_s: float
    parts: tuple[int, int, int]
    replayed: int
    complete: bool
    script: tuple[str, ...] = ()


class _Seen:
    """The states seen, in their order, and from which state and by what step each came."""

    def __init__(self, first: int) -> None:
        self.states = [first]
        self._numbers: dict[int, int] = {first: 0}
        self._parents = array("q", [0])
        self._events: list[Event | None] = [None]

    def add(self, state: int, parent: int, event: Event) -> None:
        number = len(self.states)
        if self._numbers.setdefault(state, number) == number:
            self.states.append(state)
            self._parents.append(parent)
            self._events.append(event)

    def path(self, number: int) -> list[Event]:
        """The steps to a state."""
        steps: list[Event] = []
        while (event := self._events[number]) is not None:
            steps.append(event)
            number = self._parents[number]
        return steps[::-1]


def explore(
    bounds: Bounds,
    *,
    states_max: int = 10**8,
    progress: Callable[[int, int], None] | None = None,
) -> Explored:
    """Look at every state, or at `states_max`. `progress` hears of each depth."""
    started, system = time.process_time(), System(bounds)
    seen = _Seen(system.first())
    states, done, depth, transitions = seen.states, 0, 0, 0
    script: tuple[str, ...] = ()
    while done < len(states) < states_max and not script:
        if progress is not None:
            progress(depth, len(states))
        depth += 1
        for number in range(done, len(states)):
            try:
                steps = system.successors(states[number])
            except Violation as wrong:
                way = [*seen.path(number), wrong.event]
                script = (*(system.told(event) for event in way), str(wrong))
                break
            for state, event in steps:
                seen.add(state, number, event)
            transitions += len(steps)
            done = number + 1
    return Explored(
        bounds=bounds,
        states=len(states),
        transitions=transitions,
        depth=depth - 1,
        replayed=_replay(system, seen),
        complete=done == len(states),
        cpu_s=time.process_time() - started,
        parts=(
            len(system.parts.controllers),
            len(system.parts.sidecars),
            len(system.parts.packets),
        ),
        script=script,
    )


def _replay(system: System, seen: _Seen) -> int:
    """Run some paths with live parts. Raises AssertionError when they lead elsewhere."""
    chosen = range(0, len(seen.states), max(1, len(seen.states) // REPLAYED))
    for number in chosen:
        path = seen.path(number)
        found, known = system.replayed(path), system.numbers(seen.states[number])
        assert found == known, [system.told(event) for event in path]
    return len(chosen)
