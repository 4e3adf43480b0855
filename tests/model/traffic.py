"""Which packets are under way: sets of them by number, and what becomes of a set.

The one rule: what was on its way to a sidecar on a stream that is over is never read; what it has
said on one may still arrive. This module must not know what any packet says.
"""

from typing import Final

from tests.model.bounds import Bounds
from tests.model.parts import Change, Parts

TOO_MANY: Final = -1
Entry = tuple[int, int, int]
"""A packet, its way (0, 1: from a, b; 2, 3: to a, b), and the number of the set without it."""


class Traffic:
    """The sets seen so far; number 0 is the empty one."""

    def __init__(self, parts: Parts, bounds: Bounds) -> None:
        """No packet is under way."""
        self._parts = parts
        self._bounds = bounds
        self._sets: list[tuple[int, ...]] = [()]
        self._numbers: dict[tuple[int, ...], int] = {(): 0}
        self._ways: list[int] = []
        self._contents: dict[int, tuple[Entry, ...]] = {}
        self._changed: dict[tuple[int, int], int] = {}
        self._changed_deaf: dict[tuple[int, int], int] = {}
        self._decided: dict[tuple[int, tuple[int, ...]], int] = {}
        self._taken: dict[int, tuple[int, tuple[int, ...]]] = {}

    def contents(self, number: int) -> tuple[Entry, ...]:
        """The different packets of a set."""
        known = self._contents.get(number)
        if known is None:
            packets = self._sets[number]
            known = self._contents[number] = tuple(
                (packet, self._way(packet), self._number(packets[:at] + packets[at + 1 :]))
                for at, packet in enumerate(packets)
                if packets.index(packet) == at
            )
        return known

    def after_change(self, number: int, side: int, change: Change, *, deaf: int) -> int:
        """The set once a sidecar has changed; TOO_MANY when it can't say all that."""
        if not change.said and not change.moved:
            return number
        cache = self._changed_deaf if deaf else self._changed
        known = cache.get((number, change.number))
        if known is None:
            known = cache[number, change.number] = self._change(number, side, change, deaf)
        return known

    def _change(self, number: int, side: int, change: Change, deaf: int) -> int:
        packets = self._sets[number]
        if change.moved:
            packets = tuple(p for p in packets if self._way(p) != 2 + side)
        if change.reported:
            packets = tuple(self._parts.aged(p) if self._way(p) & 1 == side else p for p in packets)
        if not (change.ends and deaf):
            packets += change.said
        return self._bounded(packets, side, self._bounds.up_max)

    def after_decision(self, number: int, said: tuple[int, ...]) -> int:
        """The set once the controller has said this; TOO_MANY when it can't."""
        known = self._decided.get((number, said))
        if known is None:
            packets = self._sets[number] + said
            down_max = self._bounds.down_max
            known = min(self._bounded(packets, side, down_max) for side in (2, 3))
            self._decided[number, said] = known
        return known

    def after_takeover(self, number: int) -> tuple[int, tuple[int, ...]]:
        """The set once nobody reads what went to the old controller, and what that was."""
        known = self._taken.get(number)
        if known is None:
            packets = self._sets[number]
            lost = tuple(dict.fromkeys(p for p in packets if self._way(p) < 2))
            rest = self._number(tuple(p for p in packets if self._way(p) >= 2))
            known = self._taken[number] = (rest, lost)
        return known

    def _bounded(self, packets: tuple[int, ...], way: int, most: int) -> int:
        here = sum(self._way(packet) == way for packet in packets)
        if here > most or len(packets) > self._bounds.under_way_max:
            return TOO_MANY
        return self._number(packets)

    def _number(self, packets: tuple[int, ...]) -> int:
        packets = tuple(sorted(packets))
        number = self._numbers.setdefault(packets, len(self._sets))
        if number == len(self._sets):
            self._sets.append(packets)
        return number

    def _way(self, packet: int) -> int:
        ways = self._ways
        while packet >= len(ways):
            made = self._parts.packets[len(ways)]
            ways.append(made.stream % 2 + (2 if made.up is None else 0))
        return ways[packet]
