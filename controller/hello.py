"""The start of a stream: who is it, does its journal agree with the ledger, what does it not know.

The one rule: a holder whose journal tells less than the ledger has heard from it is a copy or went
back in time; it gets nothing, and its leases are frozen. Where it is known which pod speaks, a
holder is that pod's for ever. This module must not know what the holder wants.
"""

from controller.beats import beat_of
from controller.closing import settle, settle_last_word
from controller.events import Draft, StreamId
from controller.policies import push_policies
from controller.presence import forget_if_gone, hear
from controller.reports import is_closed_unspent, is_lent_by_no_bucket, merge, remind
from controller.store.protocol import PutHolder
from controller.world import Cell, Entry, Holder, World
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO
from farebox.wire.messages import Counters, Hello, Welcome

_OLDER_JOURNAL = (
    "This journal is older than what its holder has reported before (a restored or copied file): "
    "remove it, and the sidecar starts as a new holder."
)

_FOREIGN_JOURNAL = (
    "This journal is another pod's: remove it, and the sidecar starts as a new holder."
)

_WRITTEN_OFF = (
    "This holder was away for so long that its money counts as spent: the sidecar starts as a new "
    "holder."
)


def greet(world: World, draft: Draft, stream: StreamId, hello: Hello) -> tuple[Cell, ...]:
    """Accept or refuse a holder; returns the cells where its coming may free money for others."""
    known = world.holders.get(hello.holder)
    if known is not None and known.workload.uid != hello.workload.uid:
        return _turn_down(world, draft, stream, known, hello)
    if known is not None and known.poisoned:
        return _refuse_for_good(world, draft, stream, known, hello)
    if known is not None and _is_older(known, hello):
        return _refuse(world, draft, stream, known, hello)
    if any(is_lent_by_no_bucket(world, known, item) for item in hello.leases):
        _send_off(world, draft, stream, _WRITTEN_OFF)
        return ()
    if any(is_closed_unspent(world, known, item) for item in hello.leases):
        return _refuse(world, draft, stream, known, hello)
    holder = known or _newcomer(world, draft, hello)
    _connect(world, draft, stream, holder, hello)
    draft.send(stream, _welcome(world))
    listed = {item.lease: item for item in hello.leases}
    merge(world, draft, holder, listed.values())
    for entry in tuple(holder.leases.values()):
        _reconcile(world, draft, entry, listed=entry.lease in listed)
    holder.policy = None
    push_policies(world, draft, (holder,))
    return tuple(world.cells[entry.home] for entry in holder.leases.values())


def _turn_down(
    world: World, draft: Draft, stream: StreamId, holder: Holder, hello: Hello
) -> tuple[Cell, ...]:
    """Refuse a pod that calls itself what another one is called; to that one nothing happens."""
    stranger, rightful = hello.workload, holder.workload
    draft.warnings.append(
        f"pod {stranger.namespace}/{stranger.name} came as holder {holder.uid}, which belongs to "
        f"another pod ({rightful.namespace}/{rightful.name}): refused"
    )
    _send_off(world, draft, stream, _FOREIGN_JOURNAL)
    return ()


def _is_older(holder: Holder, hello: Hello) -> bool:
    """Whether a Hello tells less than its holder told before; an unlisted lease stands at 0."""
    listed: dict[LeaseId, Counters] = {item.lease: item for item in hello.leases}
    if hello.boot_seq < holder.boot_seq:
        return True
    for lease, entry in holder.leases.items():
        told = listed.get(lease) or Counters(lease=lease)
        # Of a lease that is not told any more nobody knows what was spent.
        forgot = told.granted < entry.known
        if forgot or told.returned < entry.returned or told.spent < entry.spent:
            return True
    return False


def _refuse(
    world: World, draft: Draft, stream: StreamId, holder: Holder | None, hello: Hello
) -> tuple[Cell, ...]:
    before = ""
    if holder is not None:
        # Of one that was forgotten nothing is left to freeze.
        holder.frozen = True
        world.refresh_all(holder)
        before = f" after {holder.boot_seq}"
    draft.warnings.append(
        f"holder {hello.holder} came with an older journal (boot {hello.boot_seq}{before}): "
        "refused, its leases are frozen"
    )
    _send_off(world, draft, stream, _OLDER_JOURNAL)
    return ()


def _refuse_for_good(
    world: World, draft: Draft, stream: StreamId, holder: Holder, hello: Hello
) -> tuple[Cell, ...]:
    """Refuse a holder that was written off; what it says of its other leases may be its last word.

    It is when by its own clock its deadline is over, as that is told again to nobody who is not
    accepted. A controller that never heard it can't tell.
    """
    _send_off(world, draft, stream, _WRITTEN_OFF)
    heard = holder.heard_at > 0
    if not heard or hello.boot_ms < holder.spends_until or _is_older(holder, hello):
        return ()
    merge(world, draft, holder, [item for item in hello.leases if item.lease in holder.leases])
    cells = settle_last_word(world, draft, holder)
    forget_if_gone(world, draft, holder)
    return cells


def _send_off(world: World, draft: Draft, stream: StreamId, refusal: str) -> None:
    draft.send(stream, _welcome(world, refusal=refusal))
    draft.ended.append(stream)


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
    hear(world, holder, hello.boot_ms)
    holder.seq = None
    world.refresh_all(holder)


def _reconcile(world: World, draft: Draft, entry: Entry, *, listed: bool) -> None:
    """Repeat a grant that never arrived, or close it when its window is over and it was no use.

    Whatever the journal was at the start: a holder is named when its journal begins, so that it
    lists all that it ever had.
    """
    if entry.known >= entry.granted:
        return
    never_had = not listed and entry.spent == ZERO
    if never_had and world.cells[entry.home].over_at(draft.now):
        settle(world, draft, entry)
        return
    remind(world, draft, entry)


def _welcome(world: World, *, refusal: str = "") -> Welcome:
    beat = beat_of(world)
    return Welcome(
        epoch=world.epoch,
        accepted=not refusal,
        heartbeat=beat.heartbeat,
        ttl=beat.ttl,
        drift_ppm=world.terms.drift_ppm,
        refusal=refusal,
    )
