"""Leases for tests of the sidecar's money: a purse in a folder, with what was granted to it."""

from pathlib import Path

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.core.ledger import Granted
from farebox.core.money import Nanos
from sidecar.journal import Journal
from sidecar.purse import Purse

ORG = Charge(pool=PoolUid("acme/org"), key="")
TEAM = Charge(pool=PoolUid("acme/team"), key="")
ANA = Charge(pool=PoolUid("acme/people"), key="ana")
FOREVER = BootMs(10**12)


def lease_id(charge: Charge, window: int = 1) -> LeaseId:
    """The lease of a (sub-)pool in a window."""
    return LeaseId(charge=charge, window=window)


def granted(
    charge: Charge, amount: int, *, window: int = 1, window_ends: int | None = None
) -> Granted:
    """A grant as the journal records it."""
    ends = None if window_ends is None else BootMs(window_ends)
    return Granted(lease=lease_id(charge, window), granted=Nanos(amount), window_ends=ends)


def make_purse(folder: Path, *grants: Granted, deadline: BootMs = FOREVER) -> Purse:
    """A purse on a new or existing journal, with grants taken and its deadline far away."""
    purse = Purse(Journal(folder / "journal"))
    for grant in grants:
        purse.take_grant(grant)
    purse.renew(deadline)
    return purse
