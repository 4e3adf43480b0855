"""How often holders report, how long a report lets them spend, and which reports are answered.

The more holders there are, the less often each of them reports, within bounds. The one rule: no
holder is told anything that makes its own deadline later than the one that is kept of it here. This
module must not know money.
"""

from controller.events import Draft
from controller.outlook import outlooks_of
from controller.terms import Beat
from controller.world import Holder, World
from farebox.core.instant import BootMs, UtcMs
from farebox.wire.messages import Grant, Report, ReportAck


def beat_of(world: World) -> Beat:
    """How often each of those reports who are connected now."""
    return world.terms.beat(len(world.streams))


def renew(world: World, holder: Holder, boot_ms: BootMs) -> None:
    """Let a holder spend for as long as its message is worth now, and no shorter than before.

    Whatever is said to it until its next message is worth the same, from when it sent this one.
    """
    holder.boot_ms, holder.heard_at = boot_ms, world.now
    holder.ttl = beat_of(world).ttl
    holder.deadline = max(holder.deadline, UtcMs(world.now + holder.ttl))
    holder.spends_until = max(holder.spends_until, BootMs(boot_ms + holder.ttl))


def acknowledge(world: World, draft: Draft, holder: Holder, report: Report) -> None:
    """Answer a report if nothing else has, and its holder waits for that.

    A report that wants nothing and repeats the number of the last one tells something between two
    heartbeats: nobody waits for an answer. A grant says all that an acknowledgement would.
    """
    is_numbered, holder.seq = report.seq != holder.seq, report.seq
    if draft.says(holder.stream, Grant) or not (report.wants or is_numbered):
        return
    draft.send(
        holder.stream,
        ReportAck(
            epoch=world.epoch,
            seq=report.seq,
            echo_boot_ms=report.boot_ms,
            ttl=holder.ttl,
            outlooks=outlooks_of(world, holder, report.leases),
        ),
    )
