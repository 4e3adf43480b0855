"""A ledger in a file belongs to one process; one in etcd to whoever won it."""

from pathlib import Path

import pytest

from controller.etcd_options import EtcdOptions
from controller.leadership import Candidate
from controller.ledgers import LocalLedger, SharedLedger, shared_ledger
from controller.store.protocol import Fenced
from farebox.runtime.clock import SystemClock
from tests.controller.store.test_protocol import account
from tests.support.kv import SimulatedEtcd, SimulatedKv
from tests.support.stores import KEYS


async def test_a_file_is_won_at_once_and_let_go(tmp_path: Path) -> None:
    ledger = LocalLedger(tmp_path / "ledger")
    for epoch in (1, 2):
        holding = await ledger.win()
        assert (await holding.store.open()).epoch == epoch
        assert holding.may_speak()
        await holding.let_go()
    assert (ledger.shared, ledger.leader_name(), ledger.leader_address()) == (False, "", "")
    await ledger.close()


async def test_what_is_shared_is_won_by_election_and_won_again() -> None:
    etcd = SimulatedEtcd()
    ledger = SharedLedger(
        SimulatedKv(etcd), KEYS, SystemClock(), Candidate(name="me", address="127.0.0.1:1")
    )
    assert (ledger.leader_name(), ledger.leader_address()) == ("", "")
    first = await ledger.win()
    await first.store.open()
    await first.store.commit([account()])
    assert (ledger.leader_name(), ledger.leader_address()) == ("me", "127.0.0.1:1")
    await first.let_go()
    assert not first.may_speak()
    assert (ledger.leader_name(), ledger.leader_address()) == ("", ""), "it sends nobody here"

    second = await ledger.win()
    assert (await second.store.open()).accounts == (account(),)
    etcd.drop_session(etcd.keys[KEYS.leader].session)
    with pytest.raises(Fenced):
        await second.keep()
    await ledger.close()


async def test_options_make_a_ledger_that_is_reached_later() -> None:
    ledger = shared_ledger(
        EtcdOptions(endpoints=("127.0.0.1:9",)), SystemClock(), name="", address="127.0.0.1:1"
    )
    assert ledger.shared
    assert ledger.leader_name() == ""
    await ledger.close()
