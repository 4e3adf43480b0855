"""What only the ledger in memory can show. The rest is in test_protocol."""

import pytest

from controller.store.memory import MemoryStore, Tables
from controller.store.protocol import Fenced
from tests.controller.store.test_protocol import account


async def test_the_same_tables_outlive_their_controller() -> None:
    tables = Tables()
    first = MemoryStore(tables)
    await first.open()
    await first.commit([account()])
    await first.close()

    assert (await MemoryStore(tables).open()).accounts == (account(),)


async def test_nothing_is_committed_after_closing() -> None:
    store = MemoryStore()
    await store.open()
    await store.close()

    with pytest.raises(Fenced):
        await store.commit([account()])
