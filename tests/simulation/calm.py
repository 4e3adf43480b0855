"""After the faults: everything heals, and what was promised must come about in bounded time.

The one rule: liveness is judged here only, safety goes on being judged all the time. This module
must not know which faults there were.
"""

from collections.abc import Callable
from typing import Final

from farebox.core.budgets import Charge, Keys, Per, Pool, Priority
from farebox.core.call import Call, Identity
from farebox.core.leases import LeaseId
from farebox.core.reasons import Reason
from farebox.core.tasks import AUTO_MODEL
from farebox.core.windows import CalendarUnit, WindowType
from tests.simulation.limits import inflows_of, sizes_of
from tests.simulation.oracle import Violation
from tests.simulation.provider import Manners
from tests.simulation.sidecars import Sidecar
from tests.simulation.world import World

STEP_S: Final = 0.5
"""How often it is looked whether what is awaited has come."""

CONNECTED_S_MAX: Final = 14.0
"""By then every sidecar is welcome: a session of etcd, an election, and the longest backoff."""

TRAFFIC_S: Final = 1.0
QUIET_S_MAX: Final = 12.0
"""By then all money is back: the last call has its answer, and some heartbeats have passed."""

PROBE_S_MAX: Final = 6.0
"""A call that its pools can pay for is sent within this, or this after the next window began."""

PROBE_WORST: Final = 70_000
"""More than the probe may cost, in n$."""

_DEFINITE: Final = frozenset({Reason.POOL_EXHAUSTED, Reason.REQUEST_TOO_LARGE})


class Calm:
    """The second part of a seed."""

    def __init__(self, world: World) -> None:
        self._world = world

    def judge(self) -> None:
        """Heal everything, wait, and look whether money is where it belongs and can be had."""
        world = self._world
        world.calm_down(Manners(answer_max=0.3))
        self._await(CONNECTED_S_MAX * world.options.slower, self._not_connected)
        self._run(TRAFFIC_S)
        for sidecar in world.sidecars.values():
            sidecar.traffic.on = False
        beats = 5 * world.options.heartbeat_ms_max / 1000
        self._await(QUIET_S_MAX + beats, lambda: self._busy() or self._leak())
        self._check_books()
        self._probe(_call(200, 40), self._is_feasible, "L1", frozenset())
        self._probe(_call(6_000, 2_000), self._is_definite, "L3", _DEFINITE)

    def _run(self, seconds: float) -> None:
        self._world.loop.run_until(self._world.loop.now + seconds)

    def _await(self, seconds: float, missing: Callable[[], str]) -> None:
        """Let time pass until nothing is missing. Raises Violation after `seconds`."""
        end = self._world.loop.now + seconds
        while found := missing():
            if self._world.loop.now >= end:
                raise Violation(found)
            self._run(STEP_S)

    def _not_connected(self) -> str:
        """L4: every living sidecar is welcome somewhere and has a policy."""
        world = self._world
        if not world.sidecars or any(name not in world.sidecars for name in world.pods()):
            return "L4: a sidecar does not come back"
        for sidecar in world.sidecars.values():
            if sidecar.process.stopped:
                return f"L4: the machine of {sidecar.process.name} sleeps on after the faults"
            if sidecar.leaving:
                return f"L4: {sidecar.process.name} does not end after the faults"
            if not sidecar.leasing.connected or sidecar.policies.current is None:
                return f"L4: {sidecar.process.name} is not connected after the faults"
        return ""

    def _busy(self) -> str:
        for sidecar in self._world.sidecars.values():
            if sidecar.lines.waiting:
                return f"L2: {sidecar.process.name} still has {sidecar.lines.waiting} calls in line"
            if sidecar.open:
                return f"L2: {sidecar.process.name} still has {len(sidecar.open)} holds"
        return ""

    def _leak(self) -> str:
        """L2: of every lease of a living holder nothing is out but what is spent."""
        world = self._world
        living = {one.purse.holder: one.process.name for one in world.sidecars.values()}
        for cell in world.oracle.cells.values():
            for (lease, holder), kept in cell.open.items():
                if (lease, holder) in world.oracle.counted_again:
                    continue
                if holder in living and kept.granted - kept.returned > kept.spent:
                    return (
                        f"L2: {living[holder]} keeps {kept.granted - kept.returned - kept.spent} "
                        f"n$ of {lease}: {kept}"
                    )
        return ""

    def _check_books(self) -> None:
        """L2: a purse has spent what its calls cost, or may have cost where nobody knows."""
        world = self._world
        if world.forgets_ends:
            return
        for sidecar in world.sidecars.values():
            holder = sidecar.purse.holder
            if holder in world.oracle.lost:
                continue
            for lease in sidecar.purse.leases():
                truth = world.truth[lease.id, holder]
                if lease.spent != truth:
                    raise Violation(
                        f"L2: {sidecar.process.name} has spent {lease.spent} n$ of {lease.id}, its "
                        f"calls {truth}"
                    )

    # Calls that must be served, or refused for good.

    def _probe(
        self, call: Call, fits: Callable[[], bool], name: str, enough: frozenset[Reason]
    ) -> None:
        """Each sidecar serves a call, or refuses it with `enough` of a reason, in bounded time."""
        if not fits():
            return
        world = self._world
        bound = PROBE_S_MAX + world.options.period_ms / 1000
        if enough:
            # The dead fall silent, and what they were lent is gone, by the controller's time.
            bound += catches_up_in(world)
        done: dict[str, bool] = {}

        async def serve(sidecar: Sidecar) -> None:
            while sidecar.process.name not in done:
                reason = await sidecar.make_call(call)
                if reason is None or reason in enough:
                    done[sidecar.process.name] = True

        asked = dict(world.sidecars)
        for sidecar in asked.values():
            sidecar.process.start(serve(sidecar))

        def missing() -> str:
            late = [one for one in asked if one not in done and asked[one].process.alive]
            return f"{name}: {late} can't serve a call of {call.body_bytes} bytes" if late else ""

        self._await(bound, missing)

    def _is_feasible(self) -> bool:
        chain = self._world.chain()
        return self._time_goes_on(chain) and all(self._has_room(pool) for pool in chain)

    def _time_goes_on(self, chain: list[Pool]) -> bool:
        """Whether windows move on as they should.

        A controller whose clock was set back waits until it has caught up with itself.
        """
        kinds = {pool.window.type for pool in chain}
        return not self._world.clocks_are_set or kinds == {WindowType.LIFETIME}

    def _has_room(self, pool: Pool) -> bool:
        """Whether a pool has the money for a probe of each sidecar, now or in its next window."""
        world = self._world
        need = PROBE_WORST * len(world.sidecars)
        free = sizes_of(pool)[0] - need
        charge = Charge(pool.uid, "user-0" if pool.per is Per.USER else "")
        cell = world.oracle.cells[LeaseId(charge, 0)]
        match pool.window.type:
            case WindowType.FIXED if isinstance(pool.window.period, CalendarUnit):
                return free >= world.oracle.cells[LeaseId(charge, self._calendar_window())].worst
            case WindowType.FIXED:
                return free >= 0
            case WindowType.LIFETIME:
                return free >= cell.worst
            case WindowType.TOKEN_BUCKET:
                # What was spent beyond the bucket has to flow in before anything else.
                used = cell.outstanding + world.oracle.beyond(LeaseId(charge, 0))
                return free >= used and inflows_of(pool)[0] * PROBE_S_MAX / 2 >= need
            case WindowType.SLIDING:
                # What still counts of older windows is not worked out here.
                counted = (
                    one.worst for lease, one in world.oracle.cells.items() if lease.charge == charge
                )
                return free >= sum(counted)

    def _calendar_window(self) -> int:
        """The start of the calendar window that is now; the next is far away."""
        calendar = self._world.options.calendar
        assert calendar is not None, "there is a window of one"
        return max(start for start in calendar.starts if start <= self._world.utc_ms)

    def _is_definite(self) -> bool:
        """Whether an answer does not depend on money that flows in."""
        chain = self._world.chain()
        kinds = {pool.window.type for pool in chain}
        return self._time_goes_on(chain) and kinds <= {WindowType.FIXED, WindowType.LIFETIME}


def catches_up_in(world: World) -> float:
    """For how many seconds yet the time of who leads stands still, as its clock was set back."""
    now, leading = world.loop.now, world.controllers.values()
    ahead = (one.engine.now - one.process.host.utc_ms(now) for one in leading if one.engine)
    return max((0, *ahead)) / 1000


def _call(body_bytes: int, output_tokens: int) -> Call:
    """A call of high priority, which no reserve is kept from."""
    return Call(
        path="/v1/chat/completions",
        model=AUTO_MODEL,
        identity=Identity(keys=Keys(user="user-0"), task="classification", priority=Priority.HIGH),
        body_bytes=body_bytes,
        output_tokens=output_tokens,
    )
