"""What comes into the engine and what goes out of it.

The one rule: what a step sends may leave only after what it (and every step before it) writes is
committed. This module must not know how either is done.
"""

from dataclasses import dataclass, field

from controller.store.protocol import Write
from farebox.core.instant import UtcMs
from farebox.manifests.resources import Resources
from farebox.wire.messages import FromController, FromSidecar, Workload

StreamId = int
"""Numbers the streams of one controller process; a holder that reconnects has a new one."""


@dataclass(frozen=True, slots=True)
class Received:
    """A sidecar has said something. The first message of a stream is a Hello."""

    stream: StreamId
    message: FromSidecar


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """A stream is over, in whatever way; nothing can be sent on it any more."""

    stream: StreamId


@dataclass(frozen=True, slots=True)
class WorkloadChanged:
    """The pod at the other end of a stream is this from now on: its labels have changed."""

    stream: StreamId
    workload: Workload


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class ResourcesChanged:
    """Other resources are in force from now on."""

    resources: Resources


Event = Received | StreamClosed | WorkloadChanged | Tick | ResourcesChanged


@dataclass(frozen=True, slots=True)
class Send:
    """Say something to the sidecar at the other end of a stream."""

    stream: StreamId
    message: FromController


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one event leads to: first `writes`, then `sends`, then the ends of streams.

    `warnings` are sentences for the log about what should not happen.
    """

    writes: tuple[Write, ...] = ()
    sends: tuple[Send, ...] = ()
    ended: tuple[StreamId, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Draft:
    """A step in the making. `now` is the engine's time, which never goes back."""

    now: UtcMs
    writes: list[Write] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    ended: list[StreamId] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def send(self, stream: StreamId | None, message: FromController) -> None:
        """Send on a stream; to a holder that is away (None) nothing can be said."""
        if stream is not None:
            self.sends.append(Send(stream, message))

    def says(self, stream: StreamId | None, kind: type[FromController]) -> bool:
        """Whether a message of a kind goes out on a stream."""
        return any(send.stream == stream and isinstance(send.message, kind) for send in self.sends)

    def finish(self) -> Step:
        """The step as a value."""
        return Step(
            writes=tuple(self.writes),
            sends=tuple(self.sends),
            ended=tuple(self.ended),
            warnings=tuple(self.warnings),
        )
