"""What each part of the small world does in each of its own states, computed once.

Parts and packets have numbers; equal ones the same. The one rule: a part's own invariants are
checked when one of its states is first seen. This module must not know states of the whole.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from farebox.core.budgets import Charge
from farebox.wire.messages import Report, ReportAck
from tests.model import invariants
from tests.model.bounds import Bounds, Fault
from tests.model.controllers import Answers, SmallController
from tests.model.nodes import Kept
from tests.model.sidecars import Heard, Move, Said, SmallSidecar, StreamEnd

FAULTS: Final = tuple(Fault)
CLOCK: Final = -1
LOWER: Final = -2
NO_LAST: Final = -3
"""In place of a packet: the controller's clock goes on, its limits fall, nothing comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What travels together on a stream: from a sidecar one message `up`, to it any number `down`.

    Reports and their acknowledgements are numbered from the sidecar's last report backwards: 0 is
    that one, -1 any before it.
    """

    stream: int
    up: Said | None = None
    down: tuple[Heard, ...] = ()

    def __str__(self) -> str:
        if self.up is not None:
            return f"{type(self.up).__name__} from {'ab'[self.stream % 2]}"
        names = "+".join(type(message).__name__ for message in self.down)
        return f"{names} to {'ab'[self.stream % 2]}"


class Violation(Exception):
    """An invariant does not hold after a step; `event` is that step."""

    def __init__(self, sentence: str, event: Any) -> None:
        super().__init__(sentence)
        self.event = event


class Change(NamedTuple):
    """What became of a sidecar, and which packets it has sent. Each has a number of its own.

    `moved`: its stream is another than before, or none. `ends`: what it has sent says that its
    stream is over. `reported`: it has sent a report.
    """

    number: int
    after: int
    said: tuple[int, ...]
    moved: bool
    ends: bool
    reported: bool


class Decision(NamedTuple):
    """What became of the controller, and each packet that it says with its stream."""

    after: int
    answers: tuple[tuple[int, int], ...]


class Parts:
    """The tables of one small world."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.controllers: Kept[SmallController] = Kept()
        self.sidecars: Kept[SmallSidecar] = Kept()
        self.packets: Kept[Packet] = Kept()
        self._moves: dict[tuple[int, bool], tuple[Move, ...]] = {}
        self._moved: dict[tuple[int, Move], Change] = {}
        self._heard: dict[tuple[int, int], Change] = {}
        self._decided: dict[tuple[int, int], Decision] = {}
        self._taken_over: dict[tuple[int, int], int] = {}
        self._aged: dict[int, int] = {}
        self._pairs: set[int] = set()
        self._bills: set[int] = set()
        self._changes = 0
        self.streams: list[int | None] = []
        """The stream of each sidecar."""

    def first(self) -> tuple[int, int, int]:
        """A new controller and two new sidecars."""
        return self.numbers(*self.live())

    def live(self) -> tuple[SmallController, tuple[SmallSidecar, SmallSidecar]]:
        """The same, to work on."""
        charges = tuple(Charge(pool, "") for pool in self._bounds.limits)
        a, b = (SmallSidecar(side, charges, self._bounds) for side in (0, 1))
        return SmallController(self._bounds), (a, b)

    def numbers(
        self, controller: SmallController, sidecars: tuple[SmallSidecar, SmallSidecar]
    ) -> tuple[int, int, int]:
        """The numbers of live parts."""
        a, b = sidecars
        return self.controllers.number(controller), self._number(a), self._number(b)

    def _number(self, sidecar: SmallSidecar) -> int:
        number = self.sidecars.number(sidecar)
        if number == len(self.streams):
            self.streams.append(sidecar.stream)
        return number

    def moves(self, sidecar: int, *, deaf: bool) -> tuple[Move, ...]:
        """All that a sidecar may do or suffer by itself."""
        known = self._moves.get((sidecar, deaf))
        if known is None:
            known = tuple(self.sidecars[sidecar].moves(deaf=deaf))
            self._moves[sidecar, deaf] = known
        return known

    def moved(self, sidecar: int, move: Move, event: Any) -> Change:
        """A sidecar does it."""
        known = self._moved.get((sidecar, move))
        if known is None:
            live = self.sidecars.copy(sidecar)
            said = live.make(move)
            known = self._moved[sidecar, move] = self._change(sidecar, live, said, event)
        return known

    def heard(self, sidecar: int, packet: int, event: Any) -> Change:
        """A sidecar reads a packet."""
        known = self._heard.get((sidecar, packet))
        if known is None:
            live = self.sidecars.copy(sidecar)
            said = live.hear(self.packets[packet].down)
            known = self._heard[sidecar, packet] = self._change(sidecar, live, said, event)
        return known

    def _change(self, before: int, live: SmallSidecar, said: list[Said], event: Any) -> Change:
        old, packets = self.sidecars[before].stream, []
        for message in said:
            on = old if isinstance(message, StreamEnd) else live.stream
            assert on is not None, "a sidecar speaks on its stream"
            numbered = replace(message, seq=0) if isinstance(message, Report) else message
            packets.append(self.packets.number(Packet(stream=on, up=numbered)))
        after = self._number(live)
        _hold(invariants.purse_is_sound(live), event)
        self._changes += 1
        return Change(
            number=self._changes,
            after=after,
            said=tuple(packets),
            moved=live.stream != old,
            ends=any(isinstance(message, StreamEnd) for message in said),
            reported=any(isinstance(message, Report) for message in said),
        )

    def decided(self, controller: int, packet: int, event: Any) -> Decision:
        """The controller hears a packet, or what stands in place of one."""
        known = self._decided.get((controller, packet))
        if known is None:
            live = self.controllers.copy(controller)
            answers = self.let(live, packet)
            said = tuple(
                (stream, self.packets.number(Packet(stream=stream, down=part)))
                for stream, messages in answers.items()
                for part in ([messages] if self._bounds.whole else [(one,) for one in messages])
            )
            known = Decision(self._keep(controller, live, event), said)
            self._decided[controller, packet] = known
        return known

    def let(self, live: SmallController, packet: int) -> Answers:
        """Let a live controller hear it."""
        if packet == CLOCK:
            return live.tick()
        if packet == LOWER:
            return live.lower()
        said = self.message(packet)
        assert said is not None, "only a packet is left"
        return live.hear(*said)

    def name_of(self, packet: int) -> str:
        """A packet, or what stands in place of one, in words."""
        names = {CLOCK: "the controller's clock goes on", LOWER: "the limits fall", NO_LAST: ""}
        return str(self.packets[packet]) if packet >= 0 else names[packet]

    def message(self, packet: int) -> tuple[int, Said] | None:
        """What a controller is told last: the stream and the message."""
        if packet == NO_LAST:
            return None
        heard = self.packets[packet]
        assert heard.up is not None, "controllers do not talk to each other"
        return heard.stream, heard.up

    def taken_over(self, controller: int, last: int, event: Any) -> int:
        """Another controller takes over while the old one still decides about its last packet."""
        known = self._taken_over.get((controller, last))
        if known is None:
            live = self.controllers.copy(controller)
            wrote = live.fail_over(self.message(last))
            _hold("I7: a deposed controller has written" if wrote else "", event)
            known = self._taken_over[controller, last] = self._keep(controller, live, event)
        return known

    def _keep(self, before: int, live: SmallController, event: Any) -> int:
        limits = self._bounds.limits_now(lowered=live.lowered)
        was = invariants.committed_in(self.controllers[before])
        _hold(invariants.limits_kept(was, invariants.committed_in(live), limits), event)
        _hold(invariants.books_agree(live), event)
        return self.controllers.number(live)

    def aged(self, packet: int) -> int:
        """A packet once its sidecar has sent another report."""
        known = self._aged.get(packet)
        if known is None:
            old = self.packets[packet]
            up = replace(old.up, seq=-1) if isinstance(old.up, Report) else old.up
            down = tuple(
                replace(one, seq=-1) if isinstance(one, ReportAck) else one for one in old.down
            )
            known = self._aged[packet] = self.packets.number(replace(old, up=up, down=down))
        return known

    def check(self, controller: int, a: int, b: int, event: Any) -> None:
        """What must hold between parts; looked at once for each two of them."""
        pairs = self._pairs
        for sidecar in (a, b):
            if controller << 20 | sidecar not in pairs:
                live, known = self.sidecars[sidecar], self.controllers[controller]
                _hold(invariants.holder_is_known(known, live), event)
                pairs.add(controller << 20 | sidecar)
        if a << 20 | b not in self._bills:
            pair = (self.sidecars[a], self.sidecars[b])
            _hold(invariants.bills_fit(pair, self._bounds.limits), event)
            self._bills.add(a << 20 | b)


def _hold(sentence: str, event: Any) -> None:
    if sentence:
        raise Violation(sentence, event)
