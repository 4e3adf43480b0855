"""Who of several controllers leads: one key in the ledger's own etcd, held by a session.

Winning creates the key and raises the epoch in one transaction; every transaction of the ledger
then compares when that key was created, so whoever led before can write nothing more. The session
only says who is alive. Renewals go on in a thread of their own, if there are connections for that,
for as long as the event loop is alive: a thousand sidecars that come back at once keep it busy. The
one rule: a leader that could not renew its session for the session's whole time, by its own clock,
says nothing more to anybody. This module must not know what the ledger keeps.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import msgspec

from controller.store.etcd_layout import Keys, Reign
from controller.store.kv import CreatedAt, Kv, KvError, KvRefused, Page, Put, ValueIs
from controller.store.protocol import Fenced
from farebox.core.instant import BootMs
from farebox.runtime.apart import run_apart
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import Jobs, first_of

_LOG = logging.getLogger(__name__)

TTL_S: Final = 5
"""How long a leader that says nothing more stays leader. etcd may make it longer, never shorter."""

RENEWALS_PER_TTL: Final = 3
SLACK_PPM: Final = 20_000
"""How far this machine's clock may run off against etcd's."""

MARGIN_MS: Final = 250
POLL_S_MIN: Final = 0.2
POLL_S_MAX: Final = 0.5
"""How often a controller that stands by looks whether somebody leads."""

RETRY_S: Final = 0.2
ATTEMPTS_MAX: Final = 64
"""Renewals under way at a time; each ends by itself within seconds."""

BUSY_MS_MAX: Final = 8_000
"""An event loop that did nothing for so long is stuck: then another controller had better lead."""

ALIVE_S: Final = 0.25
"""How often the event loop shows that it is not."""

RESIGN_S_MAX: Final = 2.0


class Leader(msgspec.Struct, frozen=True):
    """The value of the leader key: who leads and where its sidecars connect."""

    name: str
    address: str
    campaign: str
    session: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a controller says of itself: a name for people, an address for sidecars."""

    name: str
    address: str


class Renewals(Protocol):
    """What a leader needs to stay leader; a `Kv` can do it as well."""

    async def renew_session(self, session: int) -> int:
        """Begin the session's time anew; returns the seconds it now has, 0 when it is over."""

    async def read(self, key: bytes) -> Page:
        """Read a key."""

    async def close(self) -> None:
        """Let go of the connections."""


Apart: TypeAlias = Callable[[], Renewals]
"""Makes connections of its own for another thread's event loop, in which it is called."""


class Tenure:
    """A won election, from now until it is lost or given up."""

    def __init__(
        self,
        kv: Kv,
        reign: Reign,
        clock: Clock,
        *,
        ttl_s: int,
        since: BootMs,
        apart: Apart | None = None,
    ) -> None:
        """`since`: the session's time began then or later. Without `apart` all is done here."""
        self.reign = reign
        self._kv = kv
        self._apart = apart
        self._alive_at: BootMs | None = None
        self._clock = clock
        self._ttl_s = ttl_s
        self._until = BootMs(0)
        self._lost = ""
        self._extend(since, ttl_s)

    def may_speak(self) -> bool:
        """Whether nobody else can have become leader yet. Asked before anything is said."""
        return not self._lost and self._clock.boot() < self._until

    async def keep(self) -> None:
        """Renew the session for ever. Raises Fenced when the leadership is lost."""
        if self._apart is None:
            await self._keep(self._kv)
        else:
            self._alive_at = self._clock.boot()
            await first_of(self._show_life(), run_apart("renewals", self._keep_apart))

    async def _keep_apart(self) -> None:
        assert self._apart is not None
        renewals = self._apart()
        try:
            await self._keep(renewals)
        finally:
            await renewals.close()

    async def _show_life(self) -> None:
        while True:
            self._alive_at = self._clock.boot()
            await asyncio.sleep(ALIVE_S)

    async def _keep(self, renewals: Renewals) -> None:
        """A renewal that takes long does not hold up the next: another member may answer that."""
        attempts = Jobs(jobs_max=ATTEMPTS_MAX)
        try:
            while self.may_speak() and not self._is_stuck():
                attempt = attempts.start("renewal", self._renew(renewals))
                await asyncio.wait([attempt], timeout=self._pause_s())
                if attempt.done():
                    await asyncio.sleep(self._pause_s() if attempt.result() else RETRY_S)
            raise Fenced(
                self._lost or f"the leadership could not be renewed within {self._ttl_s} s"
            )
        finally:
            await attempts.finish(grace_s=0)

    def _is_stuck(self) -> bool:
        """Whether the event loop has done nothing for so long that another had better lead."""
        if self._alive_at is None or self._clock.boot() - self._alive_at <= BUSY_MS_MAX:
            return False
        self._lost = f"the leadership is given up: nothing was done for {BUSY_MS_MAX} ms"
        return True

    def _pause_s(self) -> float:
        """Between two renewals; never beyond the time at which this leader falls silent."""
        left_s = max(0, self._until - self._clock.boot()) / 1000
        return min(self._ttl_s / RENEWALS_PER_TTL, left_s)

    async def resign(self) -> None:
        """Let another controller lead at once. What etcd does not hear ends with the session."""
        self._lost = "the leadership was given up"
        try:
            async with asyncio.timeout(RESIGN_S_MAX):
                await self._kv.end_session(self.reign.session)
        except (KvError, TimeoutError) as error:
            _LOG.info("the leadership ends with its session: %s", error)

    async def _renew(self, renewals: Renewals) -> bool:
        """Renew once, and look whether the key is still ours. Says whether etcd answered."""
        sent = self._clock.boot()
        try:
            # At the same time: a busy process comes to each answer late. The client bounds both.
            left_s, page = await asyncio.gather(
                renewals.renew_session(self.reign.session), renewals.read(self.reign.leader)
            )
        except KvError as error:
            _LOG.warning("the leadership is not renewed, asking again: %s", error)
            return False
        if left_s <= 0 or not page.rows or page.rows[0].created != self.reign.created:
            self._lost = "the leadership is lost: its session is over"
        else:
            self._extend(sent, min(left_s, self._ttl_s))
        return True

    def _extend(self, sent: BootMs, ttl_s: int) -> None:
        """Count from when the renewal was sent: the session's time begins no earlier."""
        ttl_ms = ttl_s * 1_000
        until = BootMs(sent + ttl_ms - ttl_ms * SLACK_PPM // 1_000_000 - MARGIN_MS)
        self._until = max(self._until, until)


class Election:
    """One controller's part in it; `leader` is who led when it last looked."""

    def __init__(
        self,
        kv: Kv,
        keys: Keys,
        clock: Clock,
        candidate: Candidate,
        *,
        ttl_s: int = TTL_S,
        dice: random.Random | None = None,
        apart: Apart | None = None,
    ) -> None:
        """Stand by. `apart` is the tenure's."""
        self.leader: Leader | None = None
        self._kv = kv
        self._apart = apart
        self._keys = keys
        self._clock = clock
        self._candidate = candidate
        self._ttl_s = ttl_s
        self._dice = dice or random.Random()  # noqa: S311  it spreads requests, no secrets

    async def campaign(self) -> Tenure:
        """Wait until this controller leads."""
        me = Leader(
            name=self._candidate.name,
            address=self._candidate.address,
            campaign=uuid.UUID(int=self._dice.getrandbits(128)).hex,
        )
        session = 0
        while True:
            try:
                session, tenure = await self._try(me, session)
            except KvRefused as error:
                # The session is over, or what we may do has changed: begin again.
                _LOG.warning("etcd refused the campaign: %s", error)
                session, tenure = 0, None
            except KvError as error:
                _LOG.info("etcd does not answer the campaign: %s", error)
                tenure = None
            if tenure is not None:
                return tenure
            await asyncio.sleep(self._dice.uniform(POLL_S_MIN, POLL_S_MAX))

    async def _try(self, me: Leader, session: int) -> tuple[int, Tenure | None]:
        """Look who leads; if nobody does, stand. Returns the session, and the tenure if won."""
        page = await self._kv.read(self._keys.leader)
        if not page.rows:
            self.leader = None
            if not session:
                session = await self._kv.open_session(self._ttl_s)
            await self._stand(msgspec.structs.replace(me, session=session))
            page = await self._kv.read(self._keys.leader)
        if not page.rows:
            return session, None
        self.leader = msgspec.json.decode(page.rows[0].value, type=Leader)
        if self.leader.campaign != me.campaign:
            if session:
                await self._kv.end_session(session)
            return 0, None
        session = self.leader.session
        return session, await self._begin(session, page.rows[0].created)

    async def _stand(self, me: Leader) -> None:
        """Create the leader key and raise the epoch, unless somebody was faster."""
        found = await self._kv.read(self._keys.epoch)
        epoch = found.rows[0].value if found.rows else None
        await self._kv.transact(
            (
                CreatedAt(self._keys.leader, 0),
                CreatedAt(self._keys.epoch, 0)
                if epoch is None
                else ValueIs(self._keys.epoch, epoch),
            ),
            (
                Put(self._keys.leader, msgspec.json.encode(me), me.session),
                Put(self._keys.epoch, b"%d" % (int(epoch or 0) + 1)),
            ),
        )

    async def _begin(self, session: int, created: int) -> Tenure | None:
        since = self._clock.boot()
        left_s = await self._kv.renew_session(session)
        found = await self._kv.read(self._keys.epoch)
        if left_s <= 0 or not found.rows:
            return None
        epoch = int(found.rows[0].value)
        reign = Reign(epoch=epoch, leader=self._keys.leader, created=created, session=session)
        _LOG.info("this controller leads now", extra={"epoch": epoch})
        ttl_s = min(left_s, self._ttl_s)
        return Tenure(self._kv, reign, self._clock, ttl_s=ttl_s, since=since, apart=self._apart)
