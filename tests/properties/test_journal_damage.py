"""A journal cut or changed at any place gives exactly the money of that moment, or none at all."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.core.ledger import Held
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.wire.messages import JournalState
from sidecar.journal import Journal
from sidecar.purse import Purse
from tests.support.disks import MemoryFile
from tests.support.money import ANA, FOREVER, ORG, TEAM, granted, lease_id

BOOT = "boot-1"
NOW = BootMs(0)
CHARGES = (ORG, TEAM, ANA)
steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90), st.integers(0, 60)), max_size=25)

Money = dict[LeaseId, tuple[int, int, int]]


def money_of(purse: Purse) -> Money:
    """Granted, returned and the most that may have been spent of every lease."""
    return {
        lease.id: (lease.granted, lease.returned, lease.spent + lease.reserved)
        for lease in purse.leases()
    }


def story(file: MemoryFile, plan: list[tuple[int, int, int]]) -> Iterator[tuple[int, Money]]:
    """Live through a plan; after each step the length of the file and the money there was."""
    purse = Purse(Journal(file, boot_id=BOOT))
    purse.renew(FOREVER)
    yield len(file.content), money_of(purse)
    open_holds = []
    for total, (kind, amount, cost) in enumerate(plan, start=1):
        charge = CHARGES[amount % 3]
        if kind <= 1:
            purse.take_grant(granted(charge, 100 * total))
        elif kind <= 3:
            held = purse.hold(CHARGES[: 1 + amount % 3], Nanos(amount), NOW)
            open_holds += [held.hold] if isinstance(held, Held) else []
        elif kind == 4 and open_holds:
            purse.settle(open_holds.pop(0), Nanos(cost), Reason.USAGE_REPORTED)
        elif kind == 5:
            purse.give_back(lease_id(charge), keep=Nanos(cost))
        yield len(file.content), money_of(purse)


@settings(max_examples=40, deadline=None)
@given(plan=steps)
def test_cut_anywhere_it_is_as_it_was_then(plan: list[tuple[int, int, int]]) -> None:
    file = MemoryFile()
    moments = list(story(file, plan))
    whole = bytes(file.content)
    for length in range(len(whole) + 1):
        cut = MemoryFile(whole[:length])
        purse = Purse(Journal(cut, boot_id=BOOT))
        if purse.journal_state is JournalState.OK:
            assert money_of(purse) == [money for end, money in moments if end <= length][-1]
        else:
            assert money_of(purse) == {}
            assert length < moments[0][0]


@settings(max_examples=15, deadline=None)
@given(plan=steps, flip=st.integers(1, 255))
def test_changed_anywhere_it_is_lost(plan: list[tuple[int, int, int]], flip: int) -> None:
    file = MemoryFile()
    list(story(file, plan))
    whole = bytes(file.content)
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= flip
        purse = Purse(Journal(MemoryFile(bytes(changed)), boot_id=BOOT))
        assert purse.journal_state is JournalState.LOST
        assert money_of(purse) == {}


@pytest.mark.parametrize("boot", ["boot-2", ""])
def test_after_a_reboot_there_is_nothing(boot: str) -> None:
    file = MemoryFile()
    list(story(file, [(0, 0, 0), (2, 0, 0)]))
    assert money_of(Purse(Journal(file, boot_id=boot))) == {}
