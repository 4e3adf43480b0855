"""The end of a range, and that the simulated etcd does what the tests rely on."""

import asyncio

import pytest

from controller.store.kv import (
    CreatedAt,
    Delete,
    KvCompacted,
    KvRefused,
    KvUnclear,
    Put,
    Row,
    ValueIs,
    end_of,
)
from tests.support.kv import Fault, SimulatedEtcd, SimulatedKv
from tests.support.peers import eventually


@pytest.mark.parametrize(
    ("prefix", "end"), [(b"/a/", b"/a0"), (b"a\xff", b"b"), (b"\x00", b"\x01")]
)
def test_a_range_ends_right_after_its_last_key(prefix: bytes, end: bytes) -> None:
    assert end_of(prefix) == end
    assert prefix <= prefix + b"\xff" * 9 < end


async def test_all_or_nothing_by_what_is_compared() -> None:
    kv = SimulatedKv(SimulatedEtcd())
    assert await kv.transact([CreatedAt(b"a", 0)], [Put(b"a", b"1"), Put(b"b", b"1")])
    assert not await kv.transact([CreatedAt(b"a", 0)], [Put(b"a", b"2")])
    assert not await kv.transact([ValueIs(b"c", b"")], [Put(b"a", b"2")])
    assert await kv.transact([ValueIs(b"a", b"1")], [Delete(b"a", b"b"), Put(b"c", b"1")])

    page = await kv.read(b"a", b"z")
    assert page.rows == (Row(b"b", b"1", 2), Row(b"c", b"1", 3))


async def test_pages_are_of_one_revision_until_it_is_compacted() -> None:
    etcd = SimulatedEtcd()
    kv = SimulatedKv(etcd)
    await kv.transact([], [Put(b"a", b"1"), Put(b"b", b"1"), Put(b"c", b"1")])
    first = await kv.read(b"a", b"z", rows_max=2)
    await kv.transact([], [Put(b"c", b"2"), Put(b"d", b"2"), Delete(b"a")])

    rest = await kv.read(b"c", b"z", revision=first.revision, rows_max=2)
    assert (first.more, rest.more) == (True, False)
    assert [row.value for row in (*first.rows, *rest.rows)] == [b"1", b"1", b"1"]

    etcd.compact()
    with pytest.raises(KvCompacted):
        await kv.read(b"c", b"z", revision=first.revision)


async def test_the_keys_of_a_session_end_with_it() -> None:
    etcd = SimulatedEtcd()
    kv = SimulatedKv(etcd)
    session = await kv.open_session(600)
    await kv.transact([], [Put(b"mine", b"", session), Put(b"other", b"")])
    assert await kv.renew_session(session) == 600
    assert (await kv.read(b"mine")).rows

    etcd.sessions[session].ends = asyncio.get_running_loop().time()
    assert (await kv.read(b"mine")).rows == ()
    assert await kv.renew_session(session) == 0
    with pytest.raises(KvRefused, match="not found"):
        await kv.transact([], [Put(b"mine", b"", session)])


@pytest.mark.parametrize(
    "ops",
    [
        [Put(b"a", b"1"), Put(b"a", b"2")],
        [Delete(b"a", b"b"), Put(b"a1", b"2")],
        [Put(b"%d" % number, b"") for number in range(129)],
    ],
    ids=["a key twice", "a key in a range", "too many"],
)
async def test_it_refuses_what_etcd_refuses(ops: list[Put | Delete]) -> None:
    with pytest.raises(KvRefused):
        await SimulatedKv(SimulatedEtcd()).transact([], ops)


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault.UNREACHABLE, False),
        (Fault.REQUEST_LOST, False),
        (Fault.NO_SPACE, False),
        (Fault.ANSWER_LOST, True),
        (Fault.ANSWER_BROKEN, True),
        (Fault.SPACE_AFTER_ALL, True),
        (Fault.LATE, True),
    ],
)
async def test_a_fault_leaves_the_client_in_the_dark(fault: Fault, done: bool) -> None:
    etcd = SimulatedEtcd(timeout_s=0.001, late_s=0.002)
    with pytest.raises(KvUnclear):
        await SimulatedKv(etcd, lambda _: fault).transact([], [Put(b"a", b"1")])

    await eventually(lambda: bool(etcd.keys) == done)
    assert etcd.happened == {fault: 1}
