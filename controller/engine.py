"""The controller's decisions, without any I/O.

One writer takes events one by one; each is decided against the world as the one before left it, so
that no two of them count the same money. The one rule: the same world, event and instant lead to
the same step. This module must not know streams, stores or clocks.
"""

from collections.abc import Iterable
from typing import assert_never

from controller.beats import acknowledge
from controller.belonging import change_workload, own_wants
from controller.changes import change_resources
from controller.events import (
    Draft,
    Event,
    Received,
    ResourcesChanged,
    Step,
    StreamClosed,
    StreamId,
    Tick,
    WorkloadChanged,
)
from controller.grants import answer, reconsider
from controller.hello import greet
from controller.lines import replace_wants
from controller.passing import pass_time
from controller.pregrants import lend_ahead
from controller.presence import hear, leave
from controller.recalls import recover_excess
from controller.reports import merge, remind
from controller.restoring import restore
from controller.store.protocol import Snapshot
from controller.terms import Terms
from controller.watching import Watching
from controller.world import Cell, Holder, World
from farebox.core.instant import UtcMs
from farebox.manifests.resources import Resources
from farebox.wire.messages import FromSidecar, Goodbye, Hello, Report


class Engine:
    """The world and what happens to it. `world` is for reading only."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        terms: Terms,
        resources: Resources,
        now: UtcMs,
        watching: Watching | None = None,
    ) -> None:
        self._now = max(now, snapshot.clock_floor)
        self.watching = watching or Watching()
        self.world: World = restore(snapshot, terms=terms, resources=resources, now=self._now)

    @property
    def now(self) -> UtcMs:
        """The engine's time: that of the last event, or later when the clock went back since."""
        return self._now

    def step(self, event: Event, now: UtcMs) -> Step:
        """Decide what an event leads to.

        Time never goes back here, not even when the machine's clock does: a window in which a lease
        was closed is over for good.
        """
        self._now = self.world.now = max(self._now, now)
        draft = Draft(now=self._now)
        match event:
            case Received():
                self._receive(draft, event.stream, event.message)
            case StreamClosed():
                leave(self.world, draft, event.stream)
            case WorkloadChanged():
                change_workload(self.world, draft, event.stream, event.workload)
            case Tick():
                pass_time(self.world, draft)
                self.watching.review(self.world)
            case ResourcesChanged():
                change_resources(self.world, draft, event.resources)
            case _:
                assert_never(event)
        return draft.finish()

    def _receive(self, draft: Draft, stream: StreamId, message: FromSidecar) -> None:
        world = self.world
        if isinstance(message, Hello):
            self._settle(draft, greet(world, draft, stream, message))
            return
        holder = world.holder_on(stream)
        if holder is None:
            # The stream was refused or replaced while this message was on its way.
            return
        self.watching.hear(holder.workload.namespace, message.tallies, self._now)
        match message:
            case Report():
                self._report(draft, holder, message)
            case Goodbye():
                moved = merge(world, draft, holder, message.leases)
                leave(world, draft, stream)
                # The end of the stream tells the holder that its last word is committed.
                draft.ended.append(stream)
                self._settle(draft, moved)
            case _:
                assert_never(message)

    def _report(self, draft: Draft, holder: Holder, report: Report) -> None:
        world = self.world
        homes = [entry.home for entry in holder.leases.values()] if holder.frozen else []
        revived = {home: world.cells[home] for home in homes}
        hear(world, holder, report.boot_ms)
        moved = {cell.lease: cell for cell in merge(world, draft, holder, report.leases)}
        for item in report.leases:
            entry = holder.leases.get(item.lease)
            if entry is not None and entry.finished and entry.known < entry.granted:
                remind(world, draft, entry)
        wanted = replace_wants(world, holder, own_wants(world, draft, holder, report.wants))
        # Who waited longer for what came free is served before the one who brought it.
        self._settle(draft, {**revived, **moved}.values(), but=holder.uid)
        answer(world, draft, holder, wanted)
        lend_ahead(world, draft, holder)
        acknowledge(world, draft, holder, report)

    def _settle(self, draft: Draft, cells: Iterable[Cell], *, but: str = "") -> None:
        """Where money moved: recover what is lent beyond the limit, then serve who waits."""
        for cell in cells:
            recover_excess(self.world, draft, cell)
            reconsider(self.world, draft, cell.lease.charge, but=but)
