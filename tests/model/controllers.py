"""The controller of the small world: the real engine over the real store in memory.

Each event is decided, committed and answered in one move: what the engine decides before a commit
is seen by nobody until after it, so several events in one commit make no other world. The one rule:
nothing that was decided is sent when its commit fails. This module must not know sidecars.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

from controller.engine import Engine
from controller.events import Event, Received, ResourcesChanged, StreamClosed, Tick
from controller.store.memory import MemoryStore, Tables
from controller.store.protocol import Fenced
from farebox.core.instant import UtcMs
from farebox.wire.messages import FromController, PolicyPush
from tests.model.bounds import START, TERMS, Bounds
from tests.model.sidecars import Said, StreamEnd

_Result = TypeVar("_Result")
Answers = dict[int, tuple[FromController | StreamEnd, ...]]
"""What is said on each stream."""


class SmallController:
    """The present leader and the ledger, which outlives it."""

    def __init__(self, bounds: Bounds) -> None:
        """A leader over an empty ledger."""
        self.now, *self.moments_left = bounds.moments[0]
        self.lowered = False
        self.may_lower = bounds.lowered is not None
        self.tables = Tables()
        self._resources = bounds.resources()
        self._lower = bounds.resources(lowered=True)
        self._open()

    def _open(self) -> None:
        self.store = MemoryStore(self.tables)
        self.engine = Engine(
            done(self.store.open()), terms=TERMS, resources=self._resources, now=self._utc
        )

    @property
    def _utc(self) -> UtcMs:
        return UtcMs(START + self.now)

    def hear(self, stream: int, message: Said) -> Answers:
        """A message of a sidecar, or the end of its stream."""
        return self._decide(_event(stream, message))

    def tick(self) -> Answers:
        """The clock goes on."""
        self.now = self.moments_left.pop(0)
        return self._decide(Tick())

    def lower(self) -> Answers:
        """The limits fall."""
        self.may_lower = False
        self.lowered = True
        self._resources = self._lower
        return self._decide(ResourcesChanged(self._resources))

    def fail_over(self, last: tuple[int, Said] | None = None) -> bool:
        """Another controller takes over while this one still decides about its last message.

        Says whether the store has let the old one write after that.
        """
        old = self.store
        writes = () if last is None else self.engine.step(_event(*last), self._utc).writes
        self._open()
        if not writes:
            return False
        try:
            done(old.commit(writes))
        except Fenced:
            return False
        return True

    def _decide(self, event: Event) -> Answers:
        step = self.engine.step(event, self._utc)
        done(self.store.commit(step.writes))
        said: dict[int, list[FromController | StreamEnd]] = {}
        for send in step.sends:
            # A policy brings no money: nothing of it is looked at here.
            if not isinstance(send.message, PolicyPush):
                said.setdefault(send.stream, []).append(send.message)
        for stream in step.ended:
            said.setdefault(stream, []).append(StreamEnd())
        return {stream: tuple(messages) for stream, messages in said.items()}


def _event(stream: int, message: Said) -> Event:
    return StreamClosed(stream) if isinstance(message, StreamEnd) else Received(stream, message)


def done(work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        result: _Result = end.value
        return result
    raise AssertionError("the store in memory has waited for something")
