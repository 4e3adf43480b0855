"""States of the small world as a whole, and what can follow each.

A state is one integer, packed from the numbers of its parts, because there are millions. The one
rule: a packet may arrive in any order; that it arrives twice, or never, is a fault and has to be
paid for. This module must not know what a part does with a packet.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from tests.model.bounds import Bounds, Fault
from tests.model.parts import CLOCK, FAULTS, LOWER, NO_LAST, Change, Decision, Parts
from tests.model.sidecars import Move
from tests.model.traffic import Traffic

_PART: Final = 20
_DEAF: Final = 2
_ALLOWED: Final = 8
_A: Final = _PART
_B: Final = 2 * _PART
_D: Final = 3 * _PART
_L: Final = _D + _DEAF
_P: Final = _L + _ALLOWED
_MASK: Final = (1 << _PART) - 1


class Fate(StrEnum):
    """What can happen."""

    MOVE = "move"
    ARRIVES = "arrives"
    DOUBLED = "arrives and will again"
    LOST = "is lost"
    TAKEOVER = "another controller takes over"


class Event(NamedTuple):
    """One step: a sidecar's `move`, or a packet (or what stands in its place) and its `fate`."""

    fate: Fate
    packet: int = 0
    side: int = 0
    move: Move | None = None


Step = tuple[int, Event]
"""A state and what leads to it."""

Option = tuple[int, Move, Event]
"""A move with the faults that are left after it."""


class System:
    """One small world. `deaf` has bit 1 for a, 2 for b: who served its stream is gone."""

    def __init__(self, bounds: Bounds) -> None:
        self.parts = Parts(bounds)
        self._traffic = Traffic(self.parts, bounds)
        self._allowances = [(*(bounds.faults.get(f, 0) for f in FAULTS), bounds.faults_max)]
        self._paid: dict[tuple[int, Fault], int] = {}
        self._options: dict[tuple[int, int, int], list[Option]] = {}

    def first(self) -> int:
        """Nobody is connected and nothing is lent."""
        controller, a, b = self.parts.first()
        return controller | a << _A | b << _B

    def successors(self, state: int) -> list[Step]:
        """All that can follow. Raises Violation when an invariant does not hold after a step."""
        steps: list[Step] = []
        allowed = state >> _L & (1 << _ALLOWED) - 1
        for side in (0, 1):
            sidecar = state >> _A * (1 + side) & _MASK
            options = self._affordable(side, sidecar, state >> _D + side & 1, allowed)
            for left, move, event in options:
                change = self.parts.moved(sidecar, move, event)
                self._change(steps, state, event, change, left, state >> _P)
        twice, never = self._pay(allowed, Fault.DUPLICATE), self._pay(allowed, Fault.DROP)
        for packet, way, rest in self._traffic.contents(state >> _P):
            self._arrive(steps, state, Event(Fate.ARRIVES, packet, way & 1), way, allowed, rest)
            if twice >= 0:
                event = Event(Fate.DOUBLED, packet, way & 1)
                self._arrive(steps, state, event, way, twice, state >> _P)
            if never >= 0:
                after = state & (1 << _L) - 1 | never << _L | rest << _P
                steps.append((after, Event(Fate.LOST, packet, way & 1)))
        self._lead(steps, state, allowed)
        return steps

    def _affordable(self, side: int, sidecar: int, deaf: int, allowed: int) -> list[Option]:
        """What a sidecar can do, each with the faults that are left then."""
        key = (sidecar, deaf, allowed)
        known = self._options.get(key)
        if known is None:
            moves = self.parts.moves(sidecar, deaf=bool(deaf))
            paid = (
                (self._pay(allowed, move.fault), move, Event(Fate.MOVE, 0, side, move))
                for move in moves
            )
            known = self._options[key] = [option for option in paid if option[0] >= 0]
        return known

    def _change(
        self, steps: list[Step], state: int, event: Event, change: Change, allowed: int, bundle: int
    ) -> None:
        """The state once a sidecar has changed; none when it would say too much."""
        deaf, side = state >> _D & 3, event.side
        bundle = self._traffic.after_change(bundle, side, change, deaf=deaf >> side & 1)
        if bundle < 0:
            return
        if change.moved:
            deaf &= ~(1 << side)
        shift = _B if side else _A
        after = state & ~(_MASK << shift) & (1 << _D) - 1 | change.after << shift
        self.parts.check(after & _MASK, after >> _A & _MASK, after >> _B & _MASK, event)
        steps.append((after | deaf << _D | allowed << _L | bundle << _P, event))

    def _arrive(
        self, steps: list[Step], state: int, event: Event, way: int, allowed: int, bundle: int
    ) -> None:
        if way < 2:
            self._decide(steps, state, event, allowed, bundle)
        else:
            sidecar = state >> _A * (1 + event.side) & _MASK
            change = self.parts.heard(sidecar, event.packet, event)
            self._change(steps, state, event, change, allowed, bundle)

    def _decide(
        self, steps: list[Step], state: int, event: Event, allowed: int, bundle: int
    ) -> None:
        decision = self.parts.decided(state & _MASK, event.packet, event)
        if decision.answers:
            bundle = self._traffic.after_decision(bundle, self._heard_of(decision, state))
            if bundle < 0:
                return
        a, b = state >> _A & _MASK, state >> _B & _MASK
        self.parts.check(decision.after, a, b, event)
        after = state & (1 << _L) - 1 & ~_MASK | decision.after | allowed << _L | bundle << _P
        steps.append((after, event))

    def _heard_of(self, decision: Decision, state: int) -> tuple[int, ...]:
        """The packets for streams that still have somebody at the other end."""
        streams, said = self.parts.streams, decision.answers
        ends = (streams[state >> _A & _MASK], streams[state >> _B & _MASK])
        return tuple([packet for stream, packet in said if ends[stream & 1] == stream])

    def _lead(self, steps: list[Step], state: int, allowed: int) -> None:
        controller = self.parts.controllers[state & _MASK]
        if controller.moments_left:
            self._decide(steps, state, Event(Fate.ARRIVES, CLOCK), allowed, state >> _P)
        if controller.may_lower:
            self._decide(steps, state, Event(Fate.ARRIVES, LOWER), allowed, state >> _P)
        left = self._pay(allowed, Fault.FAILOVER)
        if left >= 0:
            self._fail_over(steps, state, left)

    def _fail_over(self, steps: list[Step], state: int, allowed: int) -> None:
        """With or without a last packet that the old leader decides when it is too late."""
        a, b = state >> _A & _MASK, state >> _B & _MASK
        deaf = sum(
            1 << side
            for side, sidecar in enumerate((a, b))
            if self.parts.streams[sidecar] is not None
        )
        rest, mine = self._traffic.after_takeover(state >> _P)
        for last in (NO_LAST, *mine):
            event = Event(Fate.TAKEOVER, last)
            taken = self.parts.taken_over(state & _MASK, last, event)
            self.parts.check(taken, a, b, event)
            after = taken | a << _A | b << _B | deaf << _D | allowed << _L | rest << _P
            steps.append((after, event))

    def _pay(self, allowed: int, fault: Fault | None) -> int:
        """What is left after a fault; -1 when it is one too many."""
        if fault is None:
            return allowed
        left = self._paid.get((allowed, fault))
        if left is None:
            left = self._paid[allowed, fault] = self._less(self._allowances[allowed], fault)
        return left

    def _less(self, allowance: tuple[int, ...], fault: Fault) -> int:
        kind = FAULTS.index(fault)
        if not allowance[kind] or not allowance[-1]:
            return -1
        left = [*allowance]
        left[kind] -= 1
        left[-1] -= 1
        # Once no fault is left at all, it is all the same which were not used.
        less = tuple(left) if left[-1] else (0,) * len(left)
        if less not in self._allowances:
            self._allowances.append(less)
        return self._allowances.index(less)

    def told(self, event: Event) -> str:
        """A step in words."""
        if event.move is not None:
            return f"{'ab'[event.side]}: {event.move}"
        packet = self.parts.name_of(event.packet)
        if event.fate is Fate.TAKEOVER:
            return f"{event.fate}{packet and ' as the old one decides about '}{packet}"
        return f"{packet} {event.fate}" if event.packet >= 0 else packet

    def replayed(self, events: Sequence[Event]) -> tuple[int, int, int]:
        """The same steps with parts that are never copied: the numbers of what comes of them."""
        controller, sidecars = self.parts.live()
        for event in events:
            if event.move is not None:
                sidecars[event.side].make(event.move)
            elif event.fate is Fate.TAKEOVER:
                controller.fail_over(self.parts.message(event.packet))
            elif event.fate is Fate.LOST:
                continue
            elif event.packet < 0 or self.parts.packets[event.packet].up is not None:
                self.parts.let(controller, event.packet)
            else:
                sidecars[event.side].hear(self.parts.packets[event.packet].down)
        return self.parts.numbers(controller, sidecars)

    def numbers(self, state: int) -> tuple[int, int, int]:
        """The numbers of a state's parts."""
        return state & _MASK, state >> _A & _MASK, state >> _B & _MASK
