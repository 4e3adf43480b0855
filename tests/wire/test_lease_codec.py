"""Names of leases and outlooks: read back as written, or refused with the field's name."""

import pytest

from farebox.core.budgets import KEY_CHARS_MAX, Charge, PoolUid
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.checks import CodecError
from farebox.wire.lease_codec import lease_of, lease_out, outlook_of, outlook_out
from farebox.wire.messages import Outlook
from farebox.wire.v1 import lease_pb2 as pb

LEASE = LeaseId(Charge(PoolUid("default/team"), "ana"), 7)
OUTLOOK = Outlook(lease=LEASE, spent_by_then=Nanos(90), lasts=DurationMs(250))


def test_what_is_written_is_read() -> None:
    assert lease_of(lease_out(LEASE), "lease") == LEASE
    assert outlook_of(outlook_out(OUTLOOK), "outlook") == OUTLOOK


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spent_by_then": -1}, "outlook.spent_by_then is -1 n$"),
        ({"lasts_ms": -1}, "outlook.lasts_ms is -1"),
        ({"lease": pb.LeaseKey(pool_uid="")}, "outlook.lease.pool_uid is empty"),
        (
            {"lease": pb.LeaseKey(pool_uid="a", key="x" * (KEY_CHARS_MAX + 1))},
            "outlook.lease.key has 129 characters",
        ),
    ],
)
def test_what_is_malformed_is_refused_by_its_name(changes: dict[str, object], said: str) -> None:
    written = {"lease": lease_out(LEASE), "spent_by_then": 1, "lasts_ms": 1}
    with pytest.raises(CodecError, match=said.replace("$", r"\$").replace(".", r"\.")):
        outlook_of(pb.Outlook(**{**written, **changes}), "outlook")  # type: ignore[arg-type]  # the table names its fields


def test_an_outlook_without_a_lease_is_refused() -> None:
    with pytest.raises(CodecError, match=r"outlook\.lease"):
        outlook_of(pb.Outlook(spent_by_then=1, lasts_ms=1), "outlook")
