"""The trouble of one seed: a loop that makes one of the seed's faults after another.

The one rule: each fault that really happened is counted where it happens; one that could not be
made now is passed over. This module must not know what is judged.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from farebox.core.instant import UtcMs
from tests.simulation.options import Fault
from tests.simulation.pools import again, overridden, reparented, with_limit, without
from tests.simulation.sidecars import Copy, Sidecar
from tests.simulation.world import CONTROLLERS, ETCD, World

SIDECARS_MAX: Final = 4
DOWN_S_MAX: Final = 3.0
STOP_TTLS: Final = 1.5
CLOCK_MS_MAX: Final = 15_000


class Trouble:
    """Makes faults until it is told to end them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self._pods = world.options.sidecars
        self._deleted = 0
        self._copies: dict[str, Copy] = {}
        world.sidecar_left = self._left
        makers: dict[Fault, Callable[[], bool]] = {
            Fault.KILL_SIDECAR: self._kill_sidecar,
            Fault.LOSE_POD: self._lose_pod,
            Fault.REBOOT: self._reboot,
            Fault.ROLL_BACK: self._roll_back,
            Fault.TEAR: self._tear,
            Fault.COPY: self._copy,
            Fault.STOP_SIDECAR: self._stop_sidecar,
            Fault.SUSPEND: self._suspend,
            Fault.KILL_CONTROLLER: self._kill_controller,
            Fault.STOP_CONTROLLER: self._stop_controller,
            Fault.TAKE_OVER: self._take_over,
            Fault.CUT: self._cut,
            Fault.RESET: self._reset,
            Fault.SET_CLOCK: self._set_clock,
            Fault.ETCD_LEADER: self._etcd_leader,
            Fault.ETCD_FULL: self._etcd_full,
            Fault.ETCD_COMPACT: self._etcd_compact,
            Fault.ETCD_SESSION: self._etcd_session,
            Fault.DISK_FULL: self._disk_full,
            Fault.LOWER: lambda: self._change_limit(self._rng.choice((0.0, 0.3, 0.7))),
            Fault.RAISE: lambda: self._change_limit(self._rng.choice((1.5, 3.0))),
            Fault.DELETE: self._delete,
            Fault.REPARENT: self._reparent,
            Fault.OVERRIDE: self._override,
            Fault.GOODBYE: self._leave,
        }
        # In the order of the enumeration: that of a set would differ between runs.
        self._makers = [
            (fault, makers[fault])
            for fault in Fault
            if fault in world.options.faults and fault in makers
        ]

    async def make(self) -> None:
        """Make faults for ever."""
        world = self._world
        if Fault.DRIFT in world.options.faults:
            world.counts[Fault.DRIFT] += len(world.hosts)
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / world.options.fault_pause_s))
            if not self._makers:
                continue
            fault, make = self._rng.choice(self._makers)
            world.note(f"fault: {fault}")
            if make():
                world.counts[fault] += 1

    def keep_controllers(self) -> None:
        """Start a controller a while after one has died, for ever."""
        self._world.controller_died = self._start_later

    def _start_later(self) -> None:
        wait = 0.1 + self._rng.uniform(0.0, DOWN_S_MAX)
        self._world.loop.after(wait, self._start_controller, None)

    def _start_controller(self) -> None:
        world = self._world
        down = [name for name in CONTROLLERS if name not in world.controllers]
        if len(world.controllers) < (2 if world.options.shared else 1):
            world.start_controller(self._rng.choice(down))

    # Sidecars.

    def _pick(self) -> Sidecar | None:
        names = sorted(self._world.sidecars)
        return self._world.sidecars[self._rng.choice(names)] if names else None

    def _restart_later(self, name: str, *, after_s: float | None = None) -> None:
        world = self._world
        wait = self._rng.uniform(0.05, DOWN_S_MAX) if after_s is None else after_s

        world.loop.after(wait, lambda: world.restart_sidecar(name), None)

    def _kill_sidecar(self) -> bool:
        found = self._pick()
        if found is None:
            return False
        self._world.kill(found.process)
        self._restart_later(found.process.name)
        return True

    def _leave(self) -> bool:
        """A sidecar is asked to end; it is counted when it has."""
        found = self._pick()
        if found is not None:
            found.leave()
        return False

    def _lose_pod(self) -> bool:
        """The machine is gone with its journal; a new pod comes elsewhere."""
        found = self._pick()
        if found is None:
            return False
        self._lose(found, silently=self._rng.random() < 0.7)
        self._add_pod()
        return True

    def _add_pod(self) -> None:
        self._pods += 1
        self._world.add_host(f"pod-{self._pods}")
        self._restart_later(f"pod-{self._pods}")

    def _left(self, sidecar: Sidecar) -> None:
        """A sidecar has ended as it was asked to: it starts again, or its pod goes for good."""
        self._world.loop.after(0.0, sidecar.process.kill, None)
        if self._rng.random() < 0.5:
            self._restart_later(sidecar.process.name)
        else:
            del self._world.hosts[sidecar.process.name]
            self._add_pod()

    def _lose(self, sidecar: Sidecar, *, silently: bool) -> None:
        world = self._world
        del world.hosts[sidecar.process.name]
        world.kill(sidecar.process, silently=silently)

    def _reboot(self) -> bool:
        """The machine fails; the end of the journal may not have been on its disk yet."""
        found = self._pick()
        if found is None:
            return False
        world, name = self._world, found.process.name
        world.kill(found.process, silently=True)
        content = world.disk.content(name)
        left = content[: max(0, len(content) - self._rng.randrange(200))]
        world.disk.restore(name, left, same_file=True)
        found.process.host.reboot(world.loop.now)
        self._restart_later(name)
        return True

    def _roll_back(self) -> bool:
        """A journal comes back that is older than what its holder has reported."""
        found = self._pick()
        if found is None:
            return False
        world, name = self._world, found.process.name
        copy = self._copies.get(name)
        if copy is None or copy.holder != found.purse.holder or not world.is_older(copy):
            self._copies.setdefault(name, found.copy())
            return False
        world.kill(found.process)
        world.oracle.lost.add(copy.holder)
        world.disk.restore(name, copy.content, same_file=self._rng.random() < 0.7)
        del self._copies[name]
        self._restart_later(name)
        return True

    def _tear(self) -> bool:
        """The next record is the last: its process dies when a part of it is written."""
        found = self._pick()
        if found is None:
            return False
        name = found.process.name
        self._world.disk.tear_next(name, self._rng.randrange(100))
        found.process.at_death.append(lambda: self._restart_later(name))
        return True

    def _copy(self) -> bool:
        """The journal of a living sidecar turns up on another machine, which runs it as well."""
        found = self._pick()
        world = self._world
        if found is None or len(world.sidecars) > SIDECARS_MAX:
            return False
        self._pods += 1
        host = world.add_host(f"pod-{self._pods}")
        world.disk.restore(host.name, found.copy().content, same_file=False)
        world.start_sidecar(host)
        world.loop.after(self._rng.uniform(1.0, 10.0), lambda: self._lose_copy(host.name), None)
        return True

    def _lose_copy(self, name: str) -> None:
        found = self._world.sidecars.get(name)
        if found is not None and name in self._world.hosts:
            self._lose(found, silently=False)
        else:
            self._world.hosts.pop(name, None)

    def _stop_sidecar(self) -> bool:
        found = self._pick()
        if found is None or found.process.stopped:
            return False
        longest = STOP_TTLS * self._world.options.ttl_ms / 1000
        self._world.stop(found.process, self._rng.uniform(0.01, longest))
        return True

    def _suspend(self) -> bool:
        found = self._pick()
        if found is None or found.process.stopped or found.process.host.sleeps:
            return False
        world, host, process = self._world, found.process.host, found.process
        seconds = self._rng.uniform(0.1, STOP_TTLS * world.options.ttl_ms / 1000)
        host.fall_asleep(world.loop.now)
        process.stop()

        def wake() -> None:
            host.wake(world.loop.now)
            process.go_on()

        world.loop.after(seconds, wake, None)
        return True

    # Controllers.

    def _pick_controller(self) -> str | None:
        names = sorted(self._world.controllers)
        return self._rng.choice(names) if names else None

    def _kill_controller(self) -> bool:
        name = self._pick_controller()
        if name is None:
            return False
        dead = self._world.controllers[name].process
        self._world.kill(dead, silently=self._rng.random() < 0.2)
        return True

    def _stop_controller(self) -> bool:
        name = self._pick_controller()
        if name is None or self._world.controllers[name].process.stopped:
            return False
        longest = STOP_TTLS * self._world.options.ttl_ms / 1000
        self._world.stop(self._world.controllers[name].process, self._rng.uniform(0.01, longest))
        return True

    def _take_over(self) -> bool:
        world = self._world
        names = [name for name in CONTROLLERS if name not in world.controllers]
        if world.options.shared or not names or not world.controllers:
            return False
        world.start_controller(self._rng.choice(names))
        return True

    def _set_clock(self) -> bool:
        name = self._rng.choice(sorted(self._world.hosts))
        self._world.hosts[name].set_utc(self._rng.randint(-CLOCK_MS_MAX, CLOCK_MS_MAX))
        return True

    # The machine's disk, and etcd.

    def _disk_full(self) -> bool:
        disk = self._world.disk
        if disk.full:
            return False
        disk.full = True

        def clean() -> None:
            disk.full = False

        self._world.loop.after(self._rng.uniform(0.05, 2.0), clean, None)
        return True

    def _etcd_leader(self) -> bool:
        cluster = self._world.cluster
        if not self._world.options.shared or cluster.pause():
            return False
        cluster.slow_until = self._world.loop.now + self._rng.uniform(0.2, 4.0)
        cluster.elect_leader()
        return True

    def _etcd_full(self) -> bool:
        if not self._world.options.shared:
            return False
        self._world.cluster.full_until = self._world.loop.now + self._rng.uniform(0.2, 6.0)
        return True

    def _etcd_compact(self) -> bool:
        if not self._world.options.shared:
            return False
        self._world.cluster.compact()
        return True

    def _etcd_session(self) -> bool:
        sessions = sorted(self._world.cluster.sessions)
        if not sessions:
            return False
        self._world.cluster.drop_session(self._rng.choice(sessions))
        return True

    # The network.

    def _cut(self) -> bool:
        world = self._world
        pod = self._rng.choice([name for name in world.hosts if name.startswith("pod")])
        controller = self._rng.choice(CONTROLLERS)
        ways = self._rng.choice((((0, 1),), ((1, 0),), ((0, 1), (1, 0))))
        ends = (ETCD if self._rng.random() < 0.4 else pod, controller)
        for sender, receiver in ways:
            world.network.cut(ends[sender], ends[receiver])
        longest = 2 * STOP_TTLS * world.options.ttl_ms / 1000
        world.loop.after(self._rng.uniform(0.1, longest), world.network.heal, None)
        return True

    def _reset(self) -> bool:
        streams = self._world.network.streams
        if not streams:
            return False
        for stream in tuple(streams):
            if self._rng.random() < 0.6:
                stream.reset()
        return True

    # The pools.

    def _change_limit(self, factor: float) -> bool:
        world = self._world
        if not world.pools:
            return False
        uid = self._rng.choice(sorted(world.pools))
        world.change_pools(with_limit(world.pools, uid, factor))
        return True

    def _override(self) -> bool:
        """Another limit for a while, by the clock."""
        world = self._world
        if not world.pools:
            return False
        uid = self._rng.choice(sorted(world.pools))
        factor = self._rng.choice((0.0, 0.3, 3.0))
        lasts_ms = int(1000 * world.options.slower * self._rng.uniform(0.2, 6.0))
        until = UtcMs(world.utc_ms + lasts_ms)
        world.change_pools(overridden(world.pools, uid, factor, until))
        return True

    def _delete(self) -> bool:
        """Delete a pool, and make it again under the same name a while later."""
        world = self._world
        if len(world.pools) < 2:
            return False
        gone = world.pools[self._rng.choice(sorted(world.pools))]
        world.change_pools(without(world.pools, gone.uid))
        self._deleted += 1
        number = self._rng.choice((0, self._deleted))

        def make_again() -> None:
            if gone.uid not in world.pools:
                world.change_pools(again(world.pools, gone, number=number))

        world.loop.after(self._rng.uniform(0.5, 8.0), make_again, None)
        return True

    def _reparent(self) -> bool:
        world = self._world
        if len(world.pools) < 2:
            return False
        world.change_pools(reparented(world.pools, self._rng))
        return True
