"""A commit as transactions: bounded, in order, each key once, and written down when large."""

from hypothesis import given
from hypothesis import strategies as st

from controller.store.etcd_layout import Keys
from controller.store.etcd_plan import (
    DATA_OPS_MAX,
    OPS_MAX,
    REDO_BYTES_MAX,
    carry_out,
    plan,
    read_redo,
    redo_parts,
)
from controller.store.etcd_rows import read_tables
from controller.store.kv import Delete, Put
from controller.store.memory import Tables, apply
from controller.store.protocol import ForgetWindow, Write
from tests.controller.store.test_etcd_rows import writes
from tests.controller.store.test_protocol import ANA, ENDS, ORG, account, close
from tests.support.kv import _refuse_overlaps

KEYS = Keys("/t")


@given(st.lists(writes, max_size=30).map(lambda some: some * 9))
def test_every_transaction_is_one_that_etcd_takes(commit: list[Write]) -> None:
    for ops in plan(KEYS, Tables(), commit):
        assert len(ops) <= DATA_OPS_MAX < OPS_MAX <= 126
        _refuse_overlaps(ops)


@given(st.lists(writes, max_size=40))
def test_what_is_done_of_a_commit_is_its_beginning(commit: list[Write]) -> None:
    """Between two transactions etcd has what some number of the writes leads to."""
    stages = []
    tables = Tables()
    for write in commit:
        apply(tables, write)
        stages.append(_frozen(tables))
    rows: dict[bytes, bytes] = {}
    for ops in plan(KEYS, Tables(), commit):
        carry_out(rows, [ops])
        assert not commit or _frozen(read_tables(KEYS, rows, epoch=0)) in stages


def _frozen(tables: Tables) -> str:
    return repr(
        (
            sorted(tables.accounts.values(), key=repr),
            sorted(tables.closed.values(), key=repr),
            sorted(tables.holders.values(), key=repr),
            sorted(tables.buckets.values(), key=repr),
            sorted(tables.poisoned),
            tables.clock_floor,
        )
    )


def test_a_key_that_changes_often_is_written_once() -> None:
    commit = [account(granted=number) for number in range(1_000)]
    ((op,),) = plan(KEYS, Tables(), commit)

    assert isinstance(op, Put)
    assert b'"granted":999' in op.value


def test_a_forgotten_window_is_one_operation_however_many_leases_it_has() -> None:
    tables = Tables()
    plan(KEYS, tables, [account(holder=str(number)) for number in range(1_000)])
    (ops,) = plan(KEYS, tables, [account(), ForgetWindow(lease=ORG, window_ends=ENDS)])

    assert [type(op) for op in ops] == [Delete, Delete, Put]
    assert not tables.accounts


def test_a_large_commit_comes_back_from_its_record() -> None:
    commit: list[Write] = [account(ANA)]
    commit += [account(holder=f"h{number}") for number in range(9_000)]
    commit += [close(f"h{number}", 1) for number in range(0, 9_000, 3)]
    planned = plan(KEYS, Tables(), commit)
    parts = redo_parts(planned)

    assert len(parts) > 1
    assert max(map(len, parts)) < 2 * REDO_BYTES_MAX
    assert [ops for part in parts for ops in read_redo(part)] == planned
