"""Keys: one for each thing, no two things on one key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.store.etcd_layout import Keys, Reign
from controller.store.kv import CreatedAt, end_of
from farebox.core.budgets import Charge, PoolUid
from farebox.core.leases import LeaseId

KEYS = Keys("/farebox/")
names = st.text(st.characters(codec="utf-8"), max_size=5)
leases = st.builds(
    lambda pool, key, window: LeaseId(Charge(PoolUid(pool), key), window),
    names,
    names,
    st.integers(0, 10**13),
)


@pytest.mark.parametrize(
    ("key", "want"),
    [
        (KEYS.leader, b"/farebox/leader"),
        (KEYS.redo_part(7), b"/farebox/redo/part/000007"),
        (
            KEYS.account(LeaseId(Charge(PoolUid("acme/org"), "ana ✓"), 60), "h1"),
            b"/farebox/acct/acme%2Forg/ana%20%E2%9C%93/60/h1",
        ),
        (KEYS.charge(KEYS.buckets, Charge(PoolUid("a"), "")), b"/farebox/bucket/a/"),
        (KEYS.holder(KEYS.poisoned, "h/1"), b"/farebox/poison/h%2F1"),
    ],
)
def test_keys_can_be_read_by_people(key: bytes, want: bytes) -> None:
    assert key == want


@given(leases, names, leases, names)
def test_two_things_never_share_a_key(
    one: LeaseId, holder: str, other: LeaseId, another: str
) -> None:
    same = (one, holder) == (other, another)
    assert (KEYS.account(one, holder) == KEYS.account(other, another)) == same
    assert (KEYS.lease(KEYS.closed, one) == KEYS.lease(KEYS.closed, other)) == (one == other)


@given(leases, leases, names)
def test_a_window_is_wiped_without_touching_another(
    one: LeaseId, other: LeaseId, holder: str
) -> None:
    start = KEYS.accounts_of(one)
    assert (start <= KEYS.account(other, holder) < end_of(start)) == (one == other)


def test_everything_lies_below_the_prefix() -> None:
    assert Keys("/a").root == Keys("/a/").root == b"/a/"
    assert all(
        key.startswith(KEYS.root)
        for key in (KEYS.leader, KEYS.epoch, KEYS.batch, KEYS.format, KEYS.floor, KEYS.redo_count)
    )


def test_a_reign_is_compared_by_when_its_key_was_created() -> None:
    reign = Reign(epoch=3, leader=KEYS.leader, created=41, session=7)
    assert reign.compare() == CreatedAt(KEYS.leader, 41)
