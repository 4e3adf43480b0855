"""The start of a stream: who is it, does its journal agree with the ledger, what does it not know.

The one rule: a holder whose journal tells less than the ledger has heard from it is a copy or went
back in time; it gets nothing, and its leases are frozen. This module must not know what the holder
wants.
"""

from controller.events import Draft, StreamId
from controller.policies import push_policies
from controller.presence import hear
from controller.reports import merge, remind, settle
from controller.store.protocol import PutHolder
from controller.world import Cell, Entry, Holder, World
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO
from farebox.wire.messages import Counters, Hello, JournalState, Welcome

_OLDER_JOURNAL = (
    "This journal is older than what its holder has reported before (a restored or copied file): "
    "remove it, and the sidecar starts as a new holder."
)


def greet(world: World, draft: Draft, stream: StreamId, hello: Hello) -> tuple[Cell, ...]:
    """Accept or refuse a holder; returns the cells where its coming may free money for others."""
    known = world.holders.get(hello.holder)
    if known is not None and _is_older(known, hello):
        return _refuse(world, draft, stream, known, hello)
    holder = known or _newcomer(world, draft, hello)
    _connect(world, draft, stream, holder, hello)
    draft.send(stream, _welcome(world))
    listed = {item.lease: item for item in hello.leases}
    merge(world, draft, holder, listed.values())
    for entry in tuple(holder.leases.values()):
        _reconcile(world, draft, entry, listed=entry.lease in listed, journal=hello.journal)
    holder.policy = None
    push_policies(world, draft, (holder,))
    return tuple(world.cells[lease] for lease in holder.leases)


def _is_older(holder: Holder, hello: Hello) -> bool:
    """Whether a Hello tells less than its holder told before; an unlisted lease stands at 0."""
    listed: dict[LeaseId, Counters] = {item.lease: item for item in hello.leases}
    if hello.boot_seq < holder.boot_seq:
        return True
    for lease, entry in holder.leases.items():
        told = listed.get(lease) or Counters(lease=lease)
        if told.returned < entry.returned or told.spent < entry.spent:
            return True
    return False


def _refuse(
    world: World, draft: Draft, stream: StreamId, holder: Holder, hello: Hello
) -> tuple[Cell, ...]:
    holder.frozen = True
    world.refresh_all(holder)
    draft.warnings.append(
        f"holder {holder.uid} came with an older journal (boot {hello.boot_seq} after "
        f"{holder.boot_seq}): refused, its leases are frozen"
    )
    draft.send(stream, _welcome(world, refusal=_OLDER_JOURNAL))
    draft.ended.append(stream)
    return ()


def _newcomer(world: World, draft: Draft, hello: Hello) -> Holder:
    holder = Holder(
        uid=hello.holder,
        # Below any real one, so that the first Hello is written to the ledger.
        boot_seq=-1,
        workload=hello.workload,
        deadline=UtcMs(draft.now + world.terms.ttl),
    )
    world.add_holder(holder)
    return holder


def _connect(world: World, draft: Draft, stream: StreamId, holder: Holder, hello: Hello) -> None:
    if holder.stream is not None and holder.stream != stream:
        world.streams.pop(holder.stream, None)
        draft.ended.append(holder.stream)
    holder.stream = stream
    world.streams[stream] = holder.uid
    if (holder.boot_seq, holder.workload) != (hello.boot_seq, hello.workload):
        holder.boot_seq, holder.workload = hello.boot_seq, hello.workload
        draft.writes.append(
            PutHolder(holder=holder.uid, boot_seq=hello.boot_seq, workload=hello.workload)
        )
    for charge in tuple(holder.wants):
        world.stop_waiting(holder, charge)
    for entry in holder.leases.values():
        entry.recall = entry.rests_until = None
    hear(world, draft, holder, hello.boot_ms)
    world.refresh_all(holder)


def _reconcile(
    world: World, draft: Draft, entry: Entry, *, listed: bool, journal: JournalState
) -> None:
    """Repeat a grant that never arrived, or close it when its window is over and it was no use."""
    cell = world.cells[entry.lease]
    if entry.known >= entry.granted:
        return
    never_had = not listed and journal is JournalState.OK and entry.spent == ZERO
    if never_had and cell.window_ends is not None and cell.over_at(draft.now):
        settle(world, draft, cell, entry, ends=cell.window_ends)
        return
    remind(world, draft, entry)


def _welcome(world: World, *, refusal: str = "") -> Welcome:
    terms = world.terms
    return Welcome(
        epoch=world.epoch,
        accepted=not refusal,
        heartbeat=terms.heartbeat,
        ttl=terms.ttl,
        drift_ppm=terms.drift_ppm,
        refusal=refusal,
    )
