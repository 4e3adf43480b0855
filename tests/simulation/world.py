"""One simulated world: the only place where its parts meet.

Machines, network, ledger, provider, controllers and sidecars of one seed. The one rule: everything
random comes from generators named after the seed. Faults are made by `faults`, judged by `oracle`.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from controller.leadership import Candidate, Election
from controller.ledgers import Ledger, SharedLedger
from controller.store.etcd_layout import Keys
from controller.store.kv import Op
from controller.store.memory import Tables
from controller.terms import Terms
from farebox.core.budgets import Pool, PoolUid, with_reserves
from farebox.core.instant import DurationMs
from farebox.core.leases import Lease, LeaseId
from farebox.core.policy import Policy
from farebox.manifests.resources import Resources
from tests.simulation.bills import Bills
from tests.simulation.books import Rules
from tests.simulation.changes import EtcdReader
from tests.simulation.controllers import Controller
from tests.simulation.disk import Disk
from tests.simulation.etcd import Carried, Cluster, SimKv
from tests.simulation.etcd import Trouble as KvTrouble
from tests.simulation.goings import Goings
from tests.simulation.hosts import ASLEEP_LOOK_S, START_UTC_MS, Host, HostClock
from tests.simulation.kernel import Process, SimLoop
from tests.simulation.links import Network
from tests.simulation.options import Fault, Options
from tests.simulation.oracle import Going, Oracle, Violation
from tests.simulation.pools import first_pools, resources_of
from tests.simulation.provider import Attempt, Manners, Provider
from tests.simulation.sidecars import Copy, Sidecar
from tests.simulation.stores import FlakyStore, OwnLedger

CONTROLLERS: Final = ("controller-1", "controller-2")
KEYS: Final = Keys("/farebox")
ETCD: Final = "etcd"
GAP_S_MAX: Final = 3.0


class World:
    """Everything of one seed."""

    def __init__(self, options: Options, *, say: Callable[[str], None] | None = None) -> None:
        """`say` is told what happens, for a trace."""
        seed = options.seed
        self.options = options
        self.rng = random.Random(f"world-{seed}")
        self.loop = SimLoop()
        self.counts: Counter[str] = Counter()
        self.network = Network(self.loop, random.Random(f"network-{seed}"), options.line)
        self.network.heard = self._heard
        self.provider = Provider(
            self.loop,
            random.Random(f"provider-{seed}"),
            options.manners,
            arrived=self._arrived,
            judge=self._billed,
        )
        self.rules = Rules()
        if options.calendar is not None:
            self.rules.go_by(options.calendar)
        self._honest = not options.faults & {Fault.DRIFT, Fault.SET_CLOCK}
        self.bills = Bills(self.rules, honest=self._honest)
        self.oracle = Oracle(
            self.rules,
            self.bills,
            ttl_s=options.ttl_ms_max / 1000,
            overtaking=options.line.reorder + options.line.repeat > 0,
        )
        self.disk = Disk(self.counts)
        self.tables = Tables()
        self.cluster = Cluster(self.loop)
        self.pools: dict[PoolUid, Pool] = first_pools(options, self.rng)
        self.chains: set[frozenset[str]] = set()
        self.resources: Resources = resources_of(self.pools)
        self.hosts: dict[str, Host] = {}
        self.controllers: dict[str, Controller] = {}
        self.sidecars: dict[str, Sidecar] = {}
        self.graves: list[Process] = []
        self.calls = self.attempts = 0
        self.trouble = 0.05 if Fault.STORE in options.faults else 0.0
        self.calm = False
        self.truth: defaultdict[tuple[LeaseId, str], int] = defaultdict(int)
        self._say = say
        self.controller_died: Callable[[], None] = lambda: None
        self.sidecar_left: Callable[[Sidecar], None] = lambda _: None
        self._goings = Goings()
        self._silent: set[str] = set()
        self._etcd_reader = EtcdReader(KEYS)

    # Making it.

    def begin(self) -> None:
        """Start one controller and all sidecars."""
        self.go_by(self.resources)
        if self.options.calendar is not None:
            after = (self.options.calendar.change - self.utc_ms) / 1000
            self.loop.after(after, self._clocks_are_put, None)
        for name in CONTROLLERS:
            self.add_host(name)
        self.start_controller("controller-1")
        if self.options.shared:
            self.start_controller("controller-2")
        for number in range(self.options.sidecars):
            self.start_sidecar(self.add_host(f"pod-{number + 1}"))

    def add_host(self, name: str) -> Host:
        """A new machine."""
        drift = self.rng.uniform(-0.01, 0.01) if Fault.DRIFT in self.options.faults else 0.0
        host = self.hosts[name] = Host(name, drift=drift, utc_off_ms=self.options.utc_off_ms)
        return host

    def start_controller(self, name: str) -> Controller:
        """Start a controller on its machine."""
        options = self.options
        process = Process(name, self.hosts[name], self.loop)
        terms = Terms(
            heartbeat=DurationMs(options.heartbeat_ms),
            ttl=DurationMs(options.ttl_ms),
            heartbeat_max=DurationMs(options.heartbeat_ms_max),
        )
        self._goings.begin(name, self.resources, self.utc_ms)
        ledger = self._shared(process) if options.shared else self._own(process)
        made = Controller(self, process, ledger, terms, self.resources)
        process.at_death.append(lambda: self._controller_died(made))
        self.controllers[name] = made
        self.counts["controller started"] += 1
        self.note(f"{name} starts")
        made.start(self._controller_ended)
        return made

    def _own(self, process: Process) -> Ledger:
        return OwnLedger(
            FlakyStore(
                self.tables,
                self.rng,
                self.counts,
                trouble=self._trouble_now,
                opened=self.oracle.opened,
                committed=lambda changes: self.oracle.commit(changes, self._going(process)),
            )
        )

    def _shared(self, process: Process) -> Ledger:
        host = process.host.name
        kv = SimKv(
            self.cluster,
            process,
            self.loop,
            self.rng,
            KvTrouble(self.rng, chance=self._trouble_now),
            counts=self.counts,
            cut=lambda there: self.network.is_cut_between(
                *((host, ETCD) if there else (ETCD, host))
            ),
            sending=lambda ops: self._sending(process, ops),
        )
        clock = HostClock(process.host, self.loop)
        candidate = Candidate(name=process.name, address=f"{process.name}:1")
        ledger = SharedLedger(kv, KEYS, clock, candidate)
        ledger._election = Election(
            kv, KEYS, clock, candidate, ttl_s=self.options.election_ttl_s, dice=self.rng
        )
        return ledger

    def _trouble_now(self) -> float:
        return 0.0 if self.calm else self.trouble

    def _sending(self, process: Process, ops: Sequence[Op]) -> Carried:
        going = self._goings.sending(process.name, ops, lambda: self._going(process))
        return lambda done: self._carried(done, going)

    def _carried(self, ops: Sequence[Op], going: Going) -> None:
        epoch = self._etcd_reader.epoch_in(ops)
        if epoch is not None:
            self.oracle.opened(epoch)
        self.oracle.commit(self._etcd_reader.of_ops(ops), going)

    def start_sidecar(self, host: Host) -> None:
        """Start a sidecar on its machine with the journal that is there."""
        process = Process(host.name, host, self.loop)
        try:
            made = Sidecar(self, process)
        except OSError:
            # A container that can't start is started again.
            self.counts["sidecar could not start: disk full"] += 1
            process.kill()
            self.loop.after(0.5, lambda: self.restart_sidecar(host.name), None)
            return
        process.at_death.append(lambda: self._sidecar_died(made))
        self.sidecars[host.name] = made
        self.note(f"{host.name} starts as {made.purse.holder} ({made.purse.journal_state})")
        made.start()

    def restart_sidecar(self, name: str) -> None:
        """Start the sidecar of a machine that is still there and runs none."""
        host = self.hosts.get(name)
        if host is None or name in self.sidecars:
            return
        if host.sleeps:
            self.loop.after(ASLEEP_LOOK_S, lambda: self.restart_sidecar(name), None)
        else:
            self.start_sidecar(host)

    # What happens in it.

    def note(self, text: str) -> None:
        """Add a line to the trace, if there is one."""
        if self._say is not None:
            self._say(f"{self.loop.now:9.3f} {'-':14} {text}")

    def kill(self, process: Process, *, silently: bool = False) -> None:
        """Kill a process; `silently`, its machine is gone and says nothing any more."""
        if silently:
            self._silent.add(process.host.name)
        process.kill()
        self._silent.discard(process.host.name)

    def change_pools(self, pools: dict[PoolUid, Pool]) -> None:
        """Let these pools be in force from now on."""
        self.pools = pools
        for pool in pools.values():
            self.note(f"pool {pool.uid} below {pool.parent}, limit {pool.limit}, {pool.per}")
        self.go_by(resources_of(pools))

    def is_older(self, copy: Copy) -> bool:
        """Whether a journal tells less than its holder has reported and the ledger has."""
        for cell in self.oracle.cells.values():
            for (lease, holder), kept in cell.open.items():
                told = copy.leases.get(lease) or Lease(id=lease)
                older = told.returned < kept.returned or told.spent < kept.spent
                if holder == copy.holder and older:
                    return True
        return False

    def go_by(self, resources: Resources) -> None:
        """Let every controller, present and to come, go by other resources."""
        self.resources = resources
        self.rules.know(with_reserves(resources.pools).values())
        self.chains.add(_chain(self.pools))
        for controller in self.controllers.values():
            wait = self.rng.uniform(0.0, 0.5)
            self.loop.after(wait, partial(self._change, controller), controller.process)

    def chain(self) -> list[Pool]:
        """The pools in force that every pod draws on."""
        return [self.pools[uid] for uid in sorted(self.pools) if uid in _chain(self.pools)]

    def processes(self) -> list[Process]:
        """All that live."""
        controllers = [one.process for one in self.controllers.values()]
        return controllers + [one.process for one in self.sidecars.values()]

    def pods(self) -> list[str]:
        """The machines that are to have a sidecar."""
        return [name for name in self.hosts if name.startswith("pod")]

    def calm_down(self, manners: Manners) -> None:
        """End all faults."""
        self.calm = True
        self.network.calm_down()
        self.cluster.slow_until = self.cluster.full_until = 0.0
        self.disk.calm_down()
        self.provider.manners = manners
        for process in self.processes():
            if process.stopped and not process.host.sleeps:
                process.go_on()
        for name in self.pods():
            self.restart_sidecar(name)

    def gap(self, sidecar: Sidecar) -> float:
        """How long a sidecar is stopped between its last check of a call and the send."""
        chance = 0.05 if Fault.STOP_IN_GAP in self.options.faults and not self.calm else 0.0
        if self.rng.random() >= chance:
            return 0.0
        self.counts[Fault.STOP_IN_GAP] += 1
        pause = self.rng.uniform(0.0, GAP_S_MAX)
        self.stop(sidecar.process, pause)
        return pause

    def stop(self, process: Process, seconds: float) -> None:
        """Stop a process for a while, unless it is stopped already."""
        if not process.stopped:
            process.stop()
            self.loop.after(seconds, process.go_on, None)

    @property
    def utc_ms(self) -> int:
        """The true time."""
        return START_UTC_MS + self.options.utc_off_ms + int(self.loop.now * 1000)

    @property
    def targets(self) -> str:
        """Where sidecars look for a controller: at each, or at whichever there is."""
        return "controller-1:1,controller-2:1" if self.options.shared else "controller:1"

    @property
    def clocks_are_set(self) -> bool:
        """Whether wall clocks jump."""
        return Fault.SET_CLOCK in self.options.faults

    @property
    def stands_still(self) -> bool:
        """Whether a sidecar's time may not pass as the true time does."""
        stops = {Fault.STOP_SIDECAR, Fault.SUSPEND, Fault.STOP_IN_GAP, Fault.DRIFT}
        return bool(self.options.faults & stops)

    @property
    def ends_tell_all(self) -> bool:
        """Whether a stream that a controller ends after a goodbye tells that this is committed.

        A copy of the journal ends it as well, and so does who was thought to be silent.
        """
        return not self.options.faults & {Fault.COPY, Fault.SET_CLOCK, Fault.ROLL_BACK}

    @property
    def forgets_ends(self) -> bool:
        """Whether a sidecar may die with ends of calls that its disk had no room for."""
        return Fault.DISK_FULL in self.options.faults

    @property
    def has_overruns(self) -> bool:
        """Whether calls may cost more than was held for them."""
        return self.options.manners.overrun > 0

    def check_policy(self, policy: Policy) -> None:
        """A sidecar goes by the whole chain of pools of some resources that were in force."""
        if frozenset(pool.uid for pool in policy.pools) not in self.chains:
            raise Violation(f"I10: a policy with the pools {[p.uid for p in policy.pools]}")

    def _sidecar_died(self, dead: Sidecar) -> None:
        del self.sidecars[dead.process.name]
        self._died(dead.process)

    def _controller_died(self, dead: Controller) -> None:
        del self.controllers[dead.process.name]
        self.controller_died()
        self.network.listeners.pop(dead.process.host.name, None)
        self._died(dead.process)

    def _died(self, process: Process) -> None:
        self.note(f"{process.name} dies")
        self._goings.end(process.name)
        self.graves.append(process)
        self.network.break_streams(process, silently=process.host.name in self._silent)

    def _change(self, controller: Controller) -> None:
        self._goings.change(controller.process.name, self.resources)
        controller.change(self.resources)

    def _controller_ended(self, controller: Controller, error: BaseException) -> None:
        self.counts[f"controller ended: {type(error).__name__}"] += 1
        self.loop.after(0.0, controller.process.kill, None)

    def _going(self, process: Process) -> Going:
        """What a controller goes by when it commits; from then on by what it knows now."""
        made = self.controllers.get(process.name)
        engine = made.engine if made is not None and made.process is process else None
        if made is None or engine is None:
            return Going(limits={}, passing=frozenset(), utc_ms=0, epoch=self.oracle.epoch)
        decided, epoch = engine.world.resources, engine.world.epoch
        return self._goings.take(
            process.name, decided, made.resources, utc_ms=engine.now, epoch=epoch
        )

    def _clocks_are_put(self) -> None:
        self.counts["summer time began or ended"] += 1

    def _billed(self, attempt: Attempt) -> None:
        self.bills.add(attempt)
        self.oracle.billed(attempt)

    def _arrived(self, attempt: Attempt) -> None:
        if self._honest and not attempt.late:
            self.oracle.arrived(attempt, self.utc_ms)

    def _heard(self, client: Process) -> None:
        self.oracle.heard[client.name] = self.loop.now


def _chain(pools: dict[PoolUid, Pool]) -> frozenset[str]:
    """The pools that a pod of the namespace draws on: selected ones and all above them."""
    found: set[str] = set()
    for pool in pools.values():
        at: Pool | None = pool if pool.selector is not None else None
        while at is not None:
            found.add(at.uid)
            if at.reserve is not None:
                found.add(f"{at.uid}#normal")
            at = None if at.parent is None else pools.get(at.parent)
    return frozenset(found)
