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

from farebox.wire.messages import Workload

STREAMS_PER_POD_MAX: Final = 4
"""A pod has one sidecar; one that comes again may be quicker than the news of its last end."""

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

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
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

    def enter(self, workload: Workload) -> Guest:
        """Let a stream of a pod in. Raises TurnedAway when it has too many."""
        guests = self._guests.setdefault(workload.uid, set())
        if len(guests) >= STREAMS_PER_POD_MAX:
            raise TurnedAway(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"pod {workload.namespace}/{workload.name} has {STREAMS_PER_POD_MAX} streams "
                "already; end one of them",
            )
        guest = Guest(workload)
        guests.add(guest)
        return guest

    def leave(self, guest: Guest) -> None:
        """A stream is over."""
        guests = self._guests[guest.workload.uid]
        guests.remove(guest)
        if not guests:
            del self._guests[guest.workload.uid]

    def change(self, uid: str, labels: Mapping[str, str] | None) -> None:
        """A pod has other labels, or (None) is gone."""
        for guest in self._guests.get(uid, ()):
            guest.change(labels)
