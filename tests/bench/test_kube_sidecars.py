"""One of the many sidecars: what it says of a policy, and that it spends only what it was lent."""

import json

import pytest

from bench.kube_sidecars import CALL_COST, Setting, Sidecar
from farebox.core.budgets import Charge, Pool, PoolUid
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import NANOS_PER_DOLLAR, Nanos
from farebox.core.policy import Policy
from farebox.core.windows import LIFETIME
from farebox.runtime.clock import SystemClock
from farebox.wire.messages import Grant, Welcome

POOL = Pool(
    uid=PoolUid("default/team"),
    namespace="default",
    name="team",
    generation=1,
    limit=Nanos(NANOS_PER_DOLLAR),
    window=LIFETIME,
    selector={},
)
SETTING = Setting(port=1, name="farebox-controller", authorities="", tokens=["a", "b"])


def test_a_policy_is_told_with_its_limits_and_when_it_was_in_force(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Sidecar(1, SETTING)._take(Policy(pools=(POOL,)))
    told = json.loads(capsys.readouterr().out)
    assert told.pop("at") > 0
    assert told == {"sidecar": 1, "limits": {"default/team": NANOS_PER_DOLLAR}, "prices": []}


def test_calls_ask_first_and_spend_what_was_lent_after() -> None:
    sidecar, now, long = Sidecar(0, SETTING), SystemClock().boot(), DurationMs(60_000)
    sidecar.call()
    assert sidecar.refused == 0, "without a policy there is nothing to call with"
    sidecar._take(Policy(pools=(POOL,)))
    sidecar._leasing.hello(now)
    welcome = Welcome(epoch=1, accepted=True, heartbeat=long, ttl=long, drift_ppm=0)
    sidecar._leasing.hear(welcome, now)
    sidecar.call()
    assert (sidecar.refused, sidecar.spent) == (1, 0)
    (want,) = sidecar._leasing.report(now).wants
    lease = LeaseId(Charge(POOL.uid, ""), 0)
    assert want.charge == lease.charge
    grant = Grant(epoch=1, lease=lease, granted=want.want, ttl=long, echo_boot_ms=now)
    sidecar._leasing.hear(grant, now)
    sidecar.call()
    assert (sidecar.refused, sidecar.spent) == (1, CALL_COST)
