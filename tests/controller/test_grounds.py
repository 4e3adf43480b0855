"""A folder as ground: everything is there at once, and nobody has to show who he is."""

from pathlib import Path

from controller.grounds import Ground, folder
from controller.lease_server import LeaseServer
from farebox.core.budgets import PoolUid
from farebox.core.instant import DurationMs
from farebox.manifests.resources import Resources
from tests.support.clocks import ManualClock
from tests.support.manifests import write_pool
from tests.support.peers import eventually
from tests.support.tasks import beside


async def test_a_folder_is_known_at_once_and_followed(tmp_path: Path) -> None:
    write_pool(tmp_path, "1.00")
    ground: Ground = folder(tmp_path, ManualClock(), variables={}, interval=DurationMs(10))
    told: list[Resources] = []

    async def changed(resources: Resources) -> None:
        told.append(resources)

    assert list(ground.loaded.resources.pools) == [PoolUid("acme/org")]
    assert (ground.missing(), ground.authenticate) == ("", None)
    assert await ground.secured() is None, "loopback is served in clear"
    assert LeaseServer(authenticate=ground.authenticate) is not None
    await ground.ready()
    assert await ground.renewed() == ""
    following = beside(ground.follow(changed))
    write_pool(tmp_path, "2.00")
    await eventually(lambda: len(told) == 1)
    assert ground.loaded.resources is told[0]
    following.cancel()
    await ground.stop()
