"""Many sidecars in one process, without what serves calls: `python -m bench.kube_sidecars FILE`.

Each is the real purse, leasing and lease client, with a connection of its own by TLS and the token
of its own pod. On stdin: "spend" and "rest", "stop" and its end. On stdout a JSON line for each
policy, with the time at which it was in force, and one for each order once it is carried out. The
one rule: nothing here decides about money. This module must not know what is measured.
"""

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any, Final

import grpc.aio
import msgspec

from bench.leases_journal import MemoryJournal
from farebox.core.budgets import Charge, Keys, charges_of
from farebox.core.ledger import Shortfall
from farebox.core.money import NANOS_PER_DOLLAR, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.runtime.clock import SystemClock
from farebox.wire.messages import Workload
from sidecar.lease_client import LeaseClient
from sidecar.leasing import Leasing
from sidecar.purse import Purse
from sidecar.wants import Waiting

CALL_COST: Final = Nanos(NANOS_PER_DOLLAR // 1_000)
CALL_WORST: Final = Nanos(4 * CALL_COST)
CALL_EVERY_S: Final = 1.0
USERS: Final = 3
START_SPREAD_S: Final = 5.0
LINE_BYTES_MAX: Final = 64 * 1024


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says. `name` is the one that the controller's certificate is made out to."""

    port: int
    name: str
    authorities: str
    tokens: list[str]


class _Client(LeaseClient):
    """The lease client, with a token in memory and a controller on loopback."""

    setting: Setting
    token: str

    def _open(self, target: str) -> tuple[grpc.aio.Channel, tuple[tuple[str, str], ...]]:
        credentials = grpc.ssl_channel_credentials(self.setting.authorities.encode())
        options = (
            ("grpc.ssl_target_name_override", self.setting.name),
            ("grpc.use_local_subchannel_pool", 1),
        )
        channel = grpc.aio.secure_channel(target, credentials, options)
        return channel, (("authorization", f"Bearer {self.token}"),)


class Sidecar:
    """One of them. `spent` is what its calls have cost."""

    def __init__(self, number: int, setting: Setting) -> None:
        self.number = number
        self.spent = 0
        self.refused = 0
        self._clock = SystemClock()
        self._purse = Purse(MemoryJournal(f"{number:08x}{random.getrandbits(96):024x}"))
        self._leasing = Leasing(
            self._purse, Workload(namespace="default", name=f"sidecar-{number}")
        )
        self._policy: Policy | None = None
        self._asked: tuple[Charge, ...] = ()
        self.client = _Client(
            f"127.0.0.1:{setting.port}",
            self._leasing,
            self._clock,
            on_policy=self._take,
            notify=lambda _: None,
        )
        self.client.setting, self.client.token = setting, setting.tokens[number]

    def _take(self, policy: Policy) -> None:
        at = self._clock.boot()
        self._policy = policy
        limits = {str(pool.uid): int(pool.limit) for pool in policy.pools}
        prices = [str(one.price) for tier in policy.catalogue.tiers for one in tier.models]
        _say({"sidecar": self.number, "at": at, "limits": limits, "prices": prices})

    async def run(self) -> None:
        """Be connected for ever."""
        await asyncio.sleep(random.uniform(0, START_SPREAD_S))
        await self.client.run()

    def call(self) -> None:
        """Hold and settle at once for one call, or ask for the money that it lacks."""
        if self._policy is None or not self._leasing.connected:
            return
        keys = Keys(user=f"user-{random.randrange(USERS)}")
        charges, now = charges_of(self._policy.pools, keys), self._clock.boot()
        for charge in self._asked:
            self._leasing.stop_waiting(charge, 1)
        self._asked = ()
        held = self._purse.hold(charges, CALL_WORST, now)
        if isinstance(held, Shortfall) or held.headroom is None:
            self._asked = charges
            self.refused += 1
            for charge in charges:
                self._leasing.ask(charge, 1, Waiting(need=CALL_WORST, least=CALL_WORST))
        else:
            self._purse.settle(held.hold, CALL_COST, Reason.USAGE_REPORTED)
            self._leasing.note_hold(charges, CALL_WORST, held.headroom, now)
            self.spent += CALL_COST
        if self._leasing.report_is_due:
            self.client.wake()


class Crowd:
    """All of them."""

    def __init__(self, setting: Setting) -> None:
        self.sidecars = [Sidecar(number, setting) for number in range(len(setting.tokens))]
        self._spends = asyncio.Event()

    async def calls(self, sidecar: Sidecar) -> None:
        """Let one sidecar make calls for ever while they are asked for."""
        while True:
            await self._spends.wait()
            await asyncio.sleep(random.uniform(0, 2 * CALL_EVERY_S))
            if self._spends.is_set():
                sidecar.call()

    async def obey(self) -> None:
        """Do as is said on stdin, until it ends."""
        reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while (order := (await reader.readline()).decode().strip()) not in {"", "stop"}:
            if order == "spend":
                self._spends.set()
            else:
                self._spends.clear()
            spent = sum(one.spent for one in self.sidecars)
            refused = sum(one.refused for one in self.sidecars)
            _say({"order": order, "spent": spent, "refused": refused})


async def main(setting: Setting) -> None:
    """Be all of them until stdin ends."""
    crowd = Crowd(setting)
    async with asyncio.TaskGroup() as group:
        works = [
            group.create_task(work)
            for sidecar in crowd.sidecars
            for work in (sidecar.run(), crowd.calls(sidecar))
        ]
        await crowd.obey()
        for work in works:
            work.cancel()


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Setting)))
