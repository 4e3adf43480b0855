"""What is written to etcd reads back as the tables that it was made of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.store.etcd_layout import Keys
from controller.store.etcd_plan import carry_out, plan
from controller.store.etcd_rows import read_tables
from controller.store.memory import Tables
from controller.store.protocol import (
    CloseAccount,
    ForgetHolder,
    ForgetWindow,
    PoisonHolder,
    PutAccount,
    PutBucket,
    PutHolder,
    StoreError,
    Write,
)
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload
from tests.controller.store.test_protocol import account

KEYS = Keys("/t")
charges = st.builds(
    Charge, st.sampled_from([PoolUid("acme/org"), PoolUid("b")]), st.sampled_from(["", "ana/b ✓"])
)
leases = st.builds(LeaseId, charges, st.sampled_from([0, 60_000]))
holders = st.sampled_from(["a", "b", "c/d"])
amounts = st.integers(0, 2**63 - 1).map(Nanos)
instants = st.integers(0, 10**13).map(UtcMs)
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(
        PutAccount,
        lease=leases,
        holder=holders,
        granted=amounts,
        returned=amounts,
        spent=amounts,
        state=st.sampled_from(LeaseState),
        window_ends=st.none() | instants,
    ),
    st.builds(
        CloseAccount, lease=leases, holder=holders, spent=amounts, window_ends=st.none() | instants
    ),
    st.builds(
        PutHolder,
        holder=holders,
        boot_seq=st.integers(1, 9),
        workload=st.builds(
            Workload,
            namespace=st.just("acme"),
            name=st.text(max_size=3),
            labels=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        ),
    ),
    st.builds(ForgetHolder, holder=holders),
    st.builds(PoisonHolder, holder=holders),
    st.builds(ForgetWindow, lease=leases, window_ends=instants),
    st.builds(PutBucket, charge=charges, level=st.integers(-9, 9).map(Nanos), at=instants),
)


@given(st.lists(st.lists(writes, max_size=12), max_size=4))
def test_etcd_has_what_a_store_in_memory_has(commits: list[list[Write]]) -> None:
    tables, rows = Tables(epoch=5), dict[bytes, bytes]()
    for commit in commits:
        carry_out(rows, plan(KEYS, tables, commit))

    assert read_tables(KEYS, rows, epoch=5) == tables


def test_a_value_says_everything_in_words() -> None:
    rows: dict[bytes, bytes] = {}
    carry_out(rows, plan(KEYS, Tables(), [account()]))

    assert [json.loads(value) for value in rows.values()] == [
        {
            "pool": "acme/org",
            "key": "",
            "window": 60_000,
            "holder": "a",
            "granted": 30,
            "returned": 5,
            "spent": 10,
            "state": "active",
            "window_ends": 120_000,
        }
    ]


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        ({KEYS.format: b"9"}, "has format 9 and this controller reads 1"),
        ({KEYS.accounts + b"x": b"{}"}, "/t/acct/x can't be read: .*missing required field"),
        ({KEYS.holders + b"x": b"?"}, "/t/holder/x can't be read"),
    ],
)
def test_what_cannot_be_read_is_told(rows: dict[bytes, bytes], want: str) -> None:
    with pytest.raises(StoreError, match=want):
        read_tables(KEYS, rows, epoch=1)
