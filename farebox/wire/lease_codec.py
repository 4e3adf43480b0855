"""What several messages of a stream have in common: names of leases, durations, outlooks.

The one rule: as in `codec`, what is read is well-formed throughout or raises CodecError. This
module must not know whole messages.
"""

from farebox.core.budgets import KEY_CHARS_MAX, Charge, PoolUid
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.wire.checks import amount, name, number, present, text
from farebox.wire.messages import Outlook
from farebox.wire.v1 import lease_pb2 as pb


def lease_out(lease: LeaseId) -> pb.LeaseKey:
    return pb.LeaseKey(pool_uid=lease.charge.pool, key=lease.charge.key, window_id=lease.window)


def lease_of(message: pb.LeaseKey, at: str) -> LeaseId:
    return LeaseId(
        charge_of(message.pool_uid, message.key, at), number(message.window_id, f"{at}.window_id")
    )


def charge_of(pool_uid: str, key: str, at: str) -> Charge:
    return Charge(
        PoolUid(name(pool_uid, f"{at}.pool_uid")),
        text(key, f"{at}.key", chars_max=KEY_CHARS_MAX),
    )


def outlook_out(outlook: Outlook) -> pb.Outlook:
    return pb.Outlook(
        lease=lease_out(outlook.lease),
        spent_by_then=outlook.spent_by_then,
        lasts_ms=outlook.lasts,
    )


def outlook_of(message: pb.Outlook, at: str) -> Outlook:
    present(message.HasField("lease"), f"{at}.lease")
    return Outlook(
        lease=lease_of(message.lease, f"{at}.lease"),
        spent_by_then=amount(message.spent_by_then, f"{at}.spent_by_then"),
        lasts=duration_of(message.lasts_ms, f"{at}.lasts_ms"),
    )


def duration_of(value: int, field: str) -> DurationMs:
    return DurationMs(number(value, field))
