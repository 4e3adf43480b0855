"""The store over a simulated etcd: fencing, unclear outcomes, large commits, takeovers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest

from controller.store import etcd as module
from controller.store.etcd import EtcdStore
from controller.store.etcd_layout import Keys
from controller.store.etcd_plan import OPS_MAX
from controller.store.kv import Compare, KvRefused, Op, Put
from controller.store.protocol import Fenced, PutAccount, StoreError, Write
from tests.controller.store.test_protocol import account
from tests.support.kv import Fault, Plan, SimulatedEtcd, SimulatedKv
from tests.support.stores import KEYS, ElectedStore

MANY: list[Write] = [account(holder=f"h{number}") for number in range(400)]


def quick_etcd() -> SimulatedEtcd:
    """An etcd whose clients lose patience soon."""
    return SimulatedEtcd(timeout_s=0.001, late_s=0.002)


class ScriptedKv(SimulatedKv):
    """A client whose transactions meet the given faults, one each, and none afterwards."""

    def __init__(self, etcd: SimulatedEtcd, *faults: Fault) -> None:
        super().__init__(etcd, self._next)
        self._faults: Iterator[Fault] = iter(())
        self.script = faults
        self.transactions: list[tuple[Op, ...]] = []

    def begin(self) -> None:
        """Have the faults begin now."""
        self._faults = iter(self.script)

    def _next(self, name: str) -> Fault:
        return next(self._faults, Fault.NONE) if name == "transact" else Fault.NONE

    async def transact(self, compares: Sequence[Compare], ops: Sequence[Op]) -> bool:
        self.transactions.append(tuple(ops))
        return await super().transact(compares, ops)


async def opened(kv: SimulatedKv) -> ElectedStore:
    store = ElectedStore(kv)
    await store.open()
    return store


async def found(etcd: SimulatedEtcd) -> set[PutAccount]:
    """What a successor finds, once etcd has noticed that its predecessor is gone."""
    for session in tuple(etcd.sessions):
        etcd.drop_session(session)
    return set((await ElectedStore(SimulatedKv(etcd)).open()).accounts)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_an_unclear_commit_is_made_exactly_once(fault: Fault, times: int) -> None:
    etcd = quick_etcd()
    kv = ScriptedKv(etcd, *[fault] * times)
    store = await opened(kv)
    before = _batch(etcd)
    kv.begin()
    await store.commit([account(granted=30)])
    await store.commit([account(granted=40)])

    assert etcd.happened[fault] >= 1
    assert _batch(etcd) == before + 2
    assert await found(etcd) == {account(granted=40)}


def _batch(etcd: SimulatedEtcd) -> int:
    return int(etcd.keys[KEYS.batch].value)


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.REQUEST_LOST, Fault.LATE])
async def test_whose_commit_is_unclear_and_who_is_deposed_meanwhile_hears_so(fault: Fault) -> None:
    etcd = quick_etcd()
    kv = ScriptedKv(etcd, fault)
    store = await opened(kv)
    kv.begin()
    assert store.tenure is not None
    commit = store.commit([account()])
    if fault is Fault.LATE:
        etcd.drop_session(store.tenure.reign.session)
        successor = await opened(SimulatedKv(etcd))
        await successor.commit([account(holder="b")])
        with pytest.raises(Fenced):
            await commit
        assert await found(etcd) == {account(holder="b")}, "what was late came to nothing"
        return

    def depose_before_it_reads(name: str) -> Fault:
        if name == "read":
            etcd.drop_session(1)
        return Fault.NONE if name == "read" else fault

    kv.plan = depose_before_it_reads
    with pytest.raises(Fenced):
        await commit


async def test_a_commit_is_all_or_nothing_wherever_its_writer_dies() -> None:
    """Every transaction of a large commit is the last one that a controller makes, in turn."""
    outcomes = []
    for transactions in range(9):
        etcd = quick_etcd()
        kv = SimulatedKv(etcd)
        store = await opened(kv)
        await store.commit([account(holder="before")])
        kv.plan = _dying_after(transactions)
        with suppress(StoreError):
            await store.commit(MANY)
        accounts = await found(etcd)
        outcomes.append(accounts == {account(holder="before"), *MANY})
        assert outcomes[-1] or accounts == {account(holder="before")}
        assert not [key for key in etcd.keys if key.startswith(KEYS.redo)]
    assert outcomes == [False] + [True] * 8


def _dying_after(transactions: int) -> Plan:
    """Lets so many transactions through and then refuses everything."""
    left = transactions

    def plan(name: str) -> Fault:
        nonlocal left
        left -= name == "transact"
        if left < 0:
            raise KvRefused("this controller is dead")
        return Fault.NONE

    return plan


async def test_no_transaction_is_larger_than_etcd_takes() -> None:
    etcd = SimulatedEtcd()
    kv = ScriptedKv(etcd)
    store = await opened(kv)
    await store.commit(MANY)

    assert max(map(len, kv.transactions)) <= OPS_MAX
    assert await found(etcd) == set(MANY)


async def test_a_refused_commit_ends_the_store() -> None:
    etcd = SimulatedEtcd()
    kv = SimulatedKv(etcd)
    store = await opened(kv)

    def refuse(_: str) -> Fault:
        raise KvRefused("request is too large")

    kv.plan = refuse
    with pytest.raises(StoreError, match="etcd refused a commit: request is too large"):
        await store.commit([account()])
    kv.plan = lambda _: Fault.NONE
    with pytest.raises(StoreError, match="is closed"):
        await store.commit([account()])


async def test_a_commit_without_an_outcome_gives_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "COMMIT_S_MAX", 0.02)
    kv = SimulatedKv(quick_etcd())
    store = await opened(kv)
    kv.plan = lambda _: Fault.UNREACHABLE
    with pytest.raises(StoreError, match="did not tell within"):
        await store.commit([account()])


async def test_somebody_else_who_writes_is_noticed() -> None:
    etcd = SimulatedEtcd()
    store = await opened(SimulatedKv(etcd))
    await SimulatedKv(etcd).transact((), (Put(KEYS.batch, b"77"),))

    with pytest.raises(StoreError, match="someone else writes to the ledger"):
        await store.commit([account()])


async def test_compaction_while_the_ledger_is_read_begins_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS_MAX", 100)
    etcd = SimulatedEtcd()
    await (await opened(SimulatedKv(etcd))).commit(MANY)
    reads = 0

    def compact_during_the_third(name: str) -> Fault:
        nonlocal reads
        reads += name == "read"
        if reads == 8:
            etcd.transact((), (Put(b"/elsewhere", b""),))
            etcd.compact()
        return Fault.NONE

    etcd.drop_session(1)
    snapshot = await ElectedStore(SimulatedKv(etcd, compact_during_the_third)).open()
    assert set(snapshot.accounts) == set(MANY)
    assert reads > 10


async def test_endless_compaction_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS_MAX", 100)
    etcd = SimulatedEtcd()
    await (await opened(SimulatedKv(etcd))).commit(MANY)

    def compact(_: str) -> Fault:
        etcd.transact((), (Put(b"/elsewhere", b""),))
        etcd.compact()
        return Fault.NONE

    etcd.drop_session(1)
    with pytest.raises(StoreError, match="compacts faster than the ledger can be read"):
        await ElectedStore(SimulatedKv(etcd, compact)).open()


async def test_who_was_deposed_before_it_opened_opens_nothing() -> None:
    etcd = SimulatedEtcd()
    kv = SimulatedKv(etcd)
    first = await opened(kv)
    assert first.tenure is not None
    etcd.drop_session(first.tenure.reign.session)
    await opened(kv)

    with pytest.raises(Fenced, match="another controller leads"):
        await EtcdStore(kv, KEYS, first.tenure.reign).open()


async def test_two_prefixes_are_two_ledgers() -> None:
    etcd = SimulatedEtcd()
    one = await opened(SimulatedKv(etcd))
    await one.commit([account()])
    other = ElectedStore(SimulatedKv(etcd), keys=Keys("/other"))

    assert (await other.open()).accounts == ()
    assert etcd.keys[KEYS.epoch].value == b"1"
