"""Who comes in by whose word: streams whose pod the API server has vouched for.

A pod may change while its stream stands (its labels), or go. The one rule: what a stream may have
follows from what its pod is now, not from what it was when it came, nor from what it says of
itself. This module must not know how a pod shows who it is, nor what it wants.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from controller.pace import Pace
from farebox.wire.messages import Workload

STREAMS_PER_POD_MAX: Final = 4
"""A pod has one sidecar; one that comes again may be quicker than the news of its last end."""

PACES_MAX: Final = 1_024
"""When so many more than before are remembered of pods that have left, the rested are forgotten."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

Authenticate = Callable[[Context], Awaitable[Workload]]
"""Says whose stream it is, with the pod's uid; raises TurnedAway."""


class TurnedAway(Exception):
    """Somebody is not let in; the text is a sentence for him, without anything secret."""

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Guest:
    """One stream of a pod. `workload` is what the pod is now; `gone`: there is no such pod."""

    def __init__(self, workload: Workload, pace: Pace) -> None:
        self.workload = workload
        self.pace = pace
        self.gone = False
        self._changed = asyncio.Event()

    def change(self, labels: Mapping[str, str] | None) -> None:
        """Its pod has other labels, or (None) is gone."""
        if labels is None:
            self.gone = True
        elif labels != self.workload.labels:
            self.workload = replace(self.workload, labels=labels)
        else:
            return
        self._changed.set()

    async def news(self) -> Workload | None:
        """What the pod has become, once it changes; None when it is gone."""
        await self._changed.wait()
        self._changed.clear()
        return None if self.gone else self.workload


class Guests:
    """All streams of pods, by the pod's uid."""

    def __init__(self) -> None:
        self._guests: dict[str, set[Guest]] = {}
        self._paces: dict[str, Pace] = {}
        self._tidy_at = PACES_MAX

    def enter(self, workload: Workload) -> Guest:
        """Let a stream of a pod in. Raises TurnedAway when it has too many, or comes too often."""
        guests = self._guests.setdefault(workload.uid, set())
        if len(guests) >= STREAMS_PER_POD_MAX:
            raise TurnedAway(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"pod {workload.namespace}/{workload.name} has {STREAMS_PER_POD_MAX} streams "
                "already; end one of them",
            )
        pace, now = self._pace_of(workload.uid), asyncio.get_running_loop().time()
        if not pace.may_come(now):
            self._drop_if_empty(workload.uid)
            raise TurnedAway(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"pod {workload.namespace}/{workload.name} comes too often; wait some seconds",
            )
        guest = Guest(workload, pace)
        guests.add(guest)
        return guest

    def _pace_of(self, uid: str) -> Pace:
        """A pod's pace outlives its streams: it can't make a new one by coming again."""
        if len(self._paces) >= self._tidy_at:
            now = asyncio.get_running_loop().time()
            kept = {
                uid: pace
                for uid, pace in self._paces.items()
                if uid in self._guests or not pace.is_rested(now)
            }
            self._paces, self._tidy_at = kept, len(kept) + PACES_MAX
        return self._paces.setdefault(uid, Pace())

    def leave(self, guest: Guest) -> None:
        """A stream is over."""
        self._guests[guest.workload.uid].remove(guest)
        self._drop_if_empty(guest.workload.uid)

    def _drop_if_empty(self, uid: str) -> None:
        if not self._guests[uid]:
            del self._guests[uid]

    def change(self, uid: str, labels: Mapping[str, str] | None) -> None:
        """A pod has other labels, or (None) is gone."""
        for guest in self._guests.get(uid, ()):
            guest.change(labels)
