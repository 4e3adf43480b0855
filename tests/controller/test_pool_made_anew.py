"""A pool that is deleted and made anew goes on with what it has spent.

So deleting a pool loses no money that is counted, and nothing has to hold the deletion up.
"""

import pytest

from farebox.core.budgets import Charge, Pool
from farebox.core.leases import LeaseId
from farebox.core.windows import WindowSpec, window_at
from farebox.wire.messages import Grant
from tests.support.scenes import (
    HOURLY,
    MINUTE,
    ORG,
    TEN_MINUTES,
    Scene,
    Sidecar,
    has,
    per_user,
    pool,
    wants,
)

ANA = Charge(per_user().uid, "ana")


def spend(scene: Scene, sidecar: Sidecar, amount: int, of: Charge, window: WindowSpec) -> None:
    """Borrow an amount and spend it."""
    sidecar.report(want=wants(amount, of=of))
    lease = LeaseId(of, window_at(window, scene.now).id)
    sidecar.report(has(lease, granted=amount, spent=amount))


def lent(scene: Scene, of: Charge) -> int:
    """What a newcomer is lent that takes whatever there is."""
    newcomer = scene.connect("newcomer")
    newcomer.report(want=wants(100, least=1, of=of))
    return sum(grant.granted for grant in newcomer.got(Grant))


@pytest.mark.parametrize("restarted", [False, True], ids=["", "and the controller restarts"])
@pytest.mark.parametrize(
    ("it", "of"),
    [
        (pool(limit=100), ORG),
        (pool(limit=100, window=MINUTE), ORG),
        (pool(limit=100, window=TEN_MINUTES), ORG),
        (pool(limit=100, window=HOURLY), ORG),
        (per_user(limit=100), ANA),
    ],
    ids=["lifetime", "fixed", "sliding", "token bucket", "split by user"],
)
def test_what_was_spent_still_counts(it: Pool, of: Charge, restarted: bool) -> None:
    scene = Scene(it, pool("other"))
    spend(scene, scene.connect("a"), 70, of, it.window)
    scene.change(pool("other"))
    scene.pass_time(1_000)
    if restarted:
        scene.restart()
    scene.change(it, pool("other"))
    assert lent(scene, of) == 30


def test_money_that_pods_had_of_it_still_counts() -> None:
    scene = Scene(pool(limit=100), pool("other"))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(70))
    scene.change(pool("other"))
    sidecar.leave()
    scene.pass_time(scene.terms.ttl + 1)
    scene.change(pool(limit=100), pool("other"))
    assert lent(scene, ORG) == 30


def test_what_is_spent_while_it_is_gone_counts_too() -> None:
    scene = Scene(pool(limit=100, window=MINUTE), pool("other"))
    sidecar, lease = scene.connect("a"), LeaseId(ORG, window_at(MINUTE, scene.now).id)
    sidecar.report(want=wants(70))
    scene.change(pool("other"))
    sidecar.report(has(lease, granted=70, returned=20, spent=50, finished=True))
    scene.change(pool(limit=100, window=MINUTE), pool("other"))
    assert lent(scene, ORG) == 50
