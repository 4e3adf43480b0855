"""Writes the statuses of the four kinds, as long as this controller leads.

By server-side apply, so that fields of others stay. The one rule: what a status needs never holds
up the money: it is made in short rounds, at a bounded rate, and whatever goes wrong with one is
logged and tried again later. This module must not know what a status says.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from controller.engine import Engine
from controller.kube.client import KubeError, path
from controller.kube.conditions import Seen
from controller.kube.drafts import OWN_CONDITIONS, Drafting
from controller.kube.happenings import About, Happenings, News, news_of
from controller.kube.plan import Draft, Plan
from controller.kube.resources import PLURALS
from farebox.core.budgets import PoolUid
from farebox.core.instant import BootMs
from farebox.manifests.reading import API_VERSION
from farebox.manifests.resources import Kind
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import first_of

_LOG = logging.getLogger(__name__)

ROUND_MS: Final = 500
"""Statuses are made anew so often; with a second's rest, figures are shown within 2 s."""

ROUND_PART: Final = 20
"""Making them takes at most one part in so many of the time: a large world has fewer rounds."""

STEPS_AT_ONCE: Final = 32
"""After so many resources whatever else waits has its turn: a few milliseconds."""

ROUND_STRETCH_MAX: Final = 10
"""But a round is never longer than so many usual ones."""

WRITES_PER_SECOND_MAX: Final = 50
"""Of all resources together. Where more than these change, each takes its turn."""

BURST_MS: Final = 1_000
"""Who has written nothing for so long may write as much at once."""

WRITES_UNDER_WAY_MAX: Final = 8
AWAY_MS_MIN: Final = 500
AWAY_MS_MAX: Final = 30_000
"""So long nothing is written when the API server can't be reached, or asks to be left alone."""

UNFIT_MS: Final = 60_000
"""So long at least a resource rests whose status is refused for what it says, or for no right."""

_ASKS_FOR_REST: Final = (0, 429, 503, 504)
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_NO_RIGHT: Final = (401, 403)


class Resources(Protocol):
    """The resources of all four kinds as the API server has them."""

    def seen(self) -> Iterable[Seen]:
        """All of them now, each once."""


class Applies(Protocol):
    """The part of the client that is needed."""

    async def apply(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        """Apply fields as the controller's, over whoever had them. Raises KubeError."""


class Statuses:
    """The writer. `run` as long as the process lives; it writes only while there is an engine."""

    def __init__(
        self,
        resources: Resources,
        engine: Callable[[], Engine | None],
        api: Applies,
        clock: Clock,
        *,
        happenings: Happenings | None = None,
        bare_pods: Callable[[], Mapping[PoolUid, int]] = dict,
        round_ms: int = ROUND_MS,
    ) -> None:
        """Write nothing yet.

        `engine` is that of the present reign. `bare_pods`: for each pool how many pods its selector
        matches that have no sidecar; a pool of which that is not known is not in it.
        """
        self._resources = resources
        self._engine = engine
        self._api = api
        self._clock = clock
        self._happenings = happenings
        self._bare_pods = bare_pods
        self._round_ms = round_ms
        self._reign: Engine | None = None
        self._plan = Plan(OWN_CONDITIONS)
        self._drafting = Drafting()
        self._queue: deque[Draft] = deque()
        self._filled = asyncio.Event()
        self._next_at = 0
        self._rests_until = BootMs(0)
        self._away = 0
        self._without_right: set[Kind] = set()

    async def run(self) -> None:
        """Write for ever."""
        writers = (self._write_queued() for _ in range(WRITES_UNDER_WAY_MAX))
        await first_of(self._rounds(), *writers)

    async def look(self) -> None:
        """Look at all resources once, and queue what is to be written now."""
        engine = self._engine()
        if engine is not self._reign:
            self._reign, self._plan, self._drafting = engine, Plan(OWN_CONDITIONS), Drafting()
        self._queue.clear()
        if engine is None or self._rests():
            return
        seen = [self._plan.standing(one) for one in self._resources.seen()]
        self._plan.forget_but(one.id for one in seen)
        drafts = []
        steps = self._drafting.drafts(engine, seen, self._bare_pods())
        for number, draft in enumerate(steps, start=1):
            if draft is not None:
                drafts.append(draft)
            if number % STEPS_AT_ONCE == 0:
                await asyncio.sleep(0)
                if self._engine() is not engine:
                    return
        for draft in drafts:
            self._tell(draft, draft.news)
        self._queue.extend(self._plan.due(drafts, self._clock.boot()))
        self._filled.set()

    async def _rounds(self) -> None:
        while True:
            began = self._clock.boot()
            try:
                await self.look()
            except Exception:  # noqa: BLE001  money goes on being lent, whatever a status does
                _LOG.exception("statuses can't be made now")
            took = self._clock.boot() - began
            longest = ROUND_STRETCH_MAX * self._round_ms
            await asyncio.sleep(min(longest, max(self._round_ms, ROUND_PART * took)) / 1000)

    async def _write_queued(self) -> None:
        while True:
            while not self._queue:
                self._filled.clear()
                await self._filled.wait()
            try:
                await self._write_next(self._queue.popleft())
            except Exception:  # noqa: BLE001  money goes on being lent, whatever a status does
                _LOG.exception("a status is not written")

    async def _write_next(self, draft: Draft) -> None:
        reign, plan = self._reign, self._plan
        if not plan.begin(draft):
            return
        await asyncio.sleep(self._turn_in_ms() / 1000)
        if reign is None or self._engine() is not reign or self._rests():
            plan.drop(draft)
        else:
            await self._write(plan, draft)

    def _rests(self) -> bool:
        return self._clock.boot() < self._rests_until

    def _turn_in_ms(self) -> int:
        """When the next write may begin, so that all together keep to their rate."""
        now = self._clock.boot()
        at = max(self._next_at, now - BURST_MS)
        self._next_at = at + 1_000 // WRITES_PER_SECOND_MAX
        return max(0, at - now)

    async def _write(self, plan: Plan, draft: Draft) -> None:
        try:
            answer = await self._api.apply(path_of_status(draft.seen), body_of(draft))
        except KubeError as error:
            self._failed(plan, draft, error)
            return
        except Exception as error:  # noqa: BLE001  a writer that dies would end the process
            _LOG.exception("%s: its status is not written", draft.seen.id)
            plan.failed(draft, str(error), self._clock.boot(), wait_ms=UNFIT_MS)
            return
        status = answer.get("status")
        plan.written(draft, status if isinstance(status, dict) else {}, self._clock.boot())
        self._without_right.discard(draft.seen.id.kind)
        if self._away:
            self._away = 0
            _LOG.info("statuses are written again")
        self._tell(draft, news_of(draft.before, draft.status))

    def _failed(self, plan: Plan, draft: Draft, error: KubeError) -> None:
        now, seen = self._clock.boot(), draft.seen
        if error.status in _ASKS_FOR_REST:
            self._rest(now, error)
            plan.failed(draft, str(error), now)
        elif error.status in (_NOT_FOUND, _CONFLICT):
            # It is gone or made anew, and the mirror will say so.
            if plan.failed(draft, str(error), now):
                _LOG.info("%s: %s", seen.id, error)
        elif error.status in _NO_RIGHT:
            plan.failed(draft, str(error), now, wait_ms=UNFIT_MS)
            if seen.id.kind not in self._without_right:
                self._without_right.add(seen.id.kind)
                _LOG.error("no status of a %s can be written: %s", seen.id.kind, error)
        elif plan.failed(draft, str(error), now, wait_ms=0 if error.is_passing else UNFIT_MS):
            _LOG.error("%s: its status is not written: %s", seen.id, error)

    def _rest(self, now: BootMs, error: KubeError) -> None:
        """Write nothing for a while; what was under way when that began makes it no longer."""
        if self._rests():
            return
        if not self._away:
            _LOG.warning("statuses rest: %s", error)
        rest = min(AWAY_MS_MAX, AWAY_MS_MIN * 2 ** min(self._away, 16))
        asked = int((error.retry_after_s or 0) * 1000)
        self._away += 1
        self._rests_until = BootMs(now + max(rest, min(asked, AWAY_MS_MAX)))

    def _tell(self, draft: Draft, news: Iterable[News]) -> None:
        if self._happenings is None:
            return
        id_, uid = draft.seen.id, draft.seen.uid
        for one in news:
            self._happenings.tell(About(API_VERSION, id_.kind, id_.namespace, id_.name, uid), one)


def path_of_status(seen: Seen) -> str:
    """The path of a resource's status."""
    return path(API_VERSION, PLURALS[seen.id.kind], seen.id.namespace, seen.id.name, sub="status")


def body_of(draft: Draft) -> dict[str, Any]:
    """What is applied.

    Without the uid, which the API server does not compare for a status: one that was made for a
    resource of the same name before is written over when the mirror has the new one.
    """
    seen = draft.seen
    metadata = {"name": seen.id.name}
    if seen.id.namespace:
        metadata["namespace"] = seen.id.namespace
    return {
        "apiVersion": API_VERSION,
        "kind": str(seen.id.kind),
        "metadata": metadata,
        "status": dict(draft.status),
    }
