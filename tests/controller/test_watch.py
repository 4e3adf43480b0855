"""The folder of manifests is followed by its content."""

import asyncio
import logging
from pathlib import Path

import pytest

from controller.watch import Watch, fingerprint_of
from farebox.core.budgets import PoolUid
from farebox.core.instant import DurationMs
from farebox.manifests.resources import Resources
from tests.support.clocks import ManualClock
from tests.support.manifests import write_pool
from tests.support.tasks import beside

ORG = PoolUid("acme/org")
SOON = DurationMs(10)
PATIENCE_S = 60


def watch_of(folder: Path) -> Watch:
    return Watch(folder=folder, clock=ManualClock())


def test_the_fingerprint_is_that_of_names_and_contents(tmp_path: Path) -> None:
    file = write_pool(tmp_path, "1.00")
    first = fingerprint_of(tmp_path)
    file.write_bytes(file.read_bytes())
    assert fingerprint_of(tmp_path) == first, "written anew, and the same"

    write_pool(tmp_path, "2.00")
    second = fingerprint_of(tmp_path)
    file.rename(tmp_path / "other.yaml")
    third = fingerprint_of(tmp_path)
    (tmp_path / "notes.txt").write_text("not a manifest")

    assert len({first, second, third}) == 3
    assert fingerprint_of(tmp_path) == third
    assert fingerprint_of(tmp_path / "gone") != third


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path) -> None:
    write_pool(tmp_path, "1.00")
    watch = watch_of(tmp_path)

    assert watch.load()
    assert not watch.load()
    write_pool(tmp_path, "2.00")
    assert watch.load()
    assert watch.loaded.resources.pools[ORG].limit == 2_000_000_000


def test_a_folder_is_read_again_when_a_price_changes(tmp_path: Path) -> None:
    write_pool(tmp_path, "1.00")
    clock = ManualClock(utc=1_000_000_000_000)
    watch = Watch(folder=tmp_path, clock=clock)
    watch.load()
    changes_at = watch.loaded.prices_change_at
    assert changes_at is not None, "the built-in price book has prices dated after 2001"

    clock.advance(changes_at - clock.utc() - 1)
    assert not watch.load()
    clock.advance(1)
    assert watch.load()


def test_a_bad_manifest_leaves_the_last_good_one_in_force_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pool(tmp_path, "1.00")
    watch = watch_of(tmp_path)
    watch.load()
    with caplog.at_level(logging.ERROR):
        write_pool(tmp_path, "much")
        watch.load()
        write_pool(tmp_path, "5.00", name="team")
        watch.load()

    assert watch.loaded.resources.pools[ORG].limit == 1_000_000_000
    assert PoolUid("acme/team") in watch.loaded.resources.pools
    assert len(caplog.records) == 1
    assert "spec.limit" in caplog.text


async def test_who_follows_hears_of_other_resources(tmp_path: Path) -> None:
    write_pool(tmp_path, "1.00")
    watch = watch_of(tmp_path)
    watch.load()
    heard: asyncio.Queue[Resources] = asyncio.Queue()
    following = beside(watch.follow(heard.put, interval=SOON))

    file = tmp_path / "org.yaml"
    file.write_text(f"# a comment changes nothing\n{file.read_text()}")
    write_pool(tmp_path, "3.00")
    async with asyncio.timeout(PATIENCE_S):
        resources = await heard.get()
    assert resources.pools[ORG].limit == 3_000_000_000

    file.unlink()
    async with asyncio.timeout(PATIENCE_S):
        assert (await heard.get()).pools == {}

    following.cancel()
    await asyncio.wait([following])
    assert heard.empty()
