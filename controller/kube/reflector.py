"""One kind of object, kept as a mirror: listed in pages, then watched from where the list ended.

The one rule: what counts is the mirror's content, not the events that led to it; while the API
server can't be reached the mirror stays as it is. A watch that is cut off in silence tells nothing,
so who must know that the mirror is not old has it listed anew. This module must not know what the
objects mean.

    pods = Reflector(kube, path("v1", "pods"), keep=pod_of, changed=on_change)
    tasks.start("pods", pods.run())
    await pods.synced.wait()
    await pods.listed(pods.list_anew(), quiet_s_max=5.0)
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from controller.kube.client import KubeClient, KubeError, Object, error_of
from farebox.runtime.tasks import first_of

_LOG = logging.getLogger(__name__)

PAGE_OBJECTS_MAX: Final = 500
OBJECTS_AT_ONCE: Final = 32
"""After so many of a page whatever else waits has its turn: a few milliseconds."""

PAGES_MAX: Final = 400
"""200,000 objects: more than a cluster may have pods."""

WATCH_S_MIN: Final = 120
WATCH_S_MAX: Final = 180
"""Short enough that a connection that died in silence is noticed; a new watch costs one request."""

LIST_ANEW_S: Final = 1_800.0
"""Listed again so often, whatever the watch says: a restored etcd tells a watch nothing."""

PAUSE_S_MIN: Final = 0.1
PAUSE_S_MAX: Final = 10.0
FAILURES_BEFORE_LIST: Final = 5
"""After so many failures in a row the place where a watch would go on is doubted."""

Kept = TypeVar("Kept")


class Key(NamedTuple):
    """Names an object of its kind; `namespace` is "" where the kind has none."""

    namespace: str
    name: str


Changed = Callable[[Key, Kept | None, Kept | None], None]
"""Told the key, what was there, and what is there now; never the same twice."""


class BackOff:
    """How long to wait after failures in a row: doubling, with jitter, between named bounds."""

    def __init__(self, *, least_s: float = PAUSE_S_MIN, most_s: float = PAUSE_S_MAX) -> None:
        self.failures = 0
        self._least_s = least_s
        self._most_s = most_s

    def calm(self) -> float:
        """The pause after something went well."""
        self.failures = 0
        return random.uniform(0.0, self._least_s)  # noqa: S311

    def next(self, asked_s: float | None = None) -> float:
        """The pause after one more failure; at least what the other end asked for."""
        whole = min(self._least_s * 2 ** min(self.failures, 16), self._most_s)
        self.failures += 1
        return max(random.uniform(whole / 2, whole), asked_s or 0.0)  # noqa: S311


class Reflector(Generic[Kept]):
    """The mirror of one kind. `items` is what is known, `synced` set once all was listed."""

    def __init__(
        self,
        kube: KubeClient,
        at: str,
        *,
        keep: Callable[[Object], Kept | None],
        changed: Changed[Kept] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Mirror the collection `at`, narrowed by `query` (labelSelector, fieldSelector).

        `keep` takes what is needed from an object, None to leave it out; `changed` is called with
        each change, and must neither fail nor wait.
        """
        self.synced = asyncio.Event()
        self.trouble = ""
        self.lists = 0
        self._items: dict[Key, Kept] = {}
        self._kube = kube
        self._at = at
        self._keep = keep
        self._changed = changed
        self._query = dict(query or {})
        self._version = ""
        self._list_at = 0.0
        self._back_off = BackOff()
        self._asked = asyncio.Event()
        self._heard = asyncio.Event()
        self._begun = 0
        self._finished = 0

    @property
    def items(self) -> Mapping[Key, Kept]:
        """What is known, by namespace and name."""
        return self._items

    async def run(self) -> None:
        """For ever. `trouble` says in a sentence why the mirror may be old, "" while it is not."""
        while True:
            # What is under way may never end: who asks for a list does not wait for it.
            await first_of(self._go_on(), self._asked.wait())
            if self._asked.is_set():
                self._asked.clear()
                self._version = ""
                self._back_off.calm()

    def list_anew(self) -> int:
        """Have all of it listed at once, whatever is under way; returns what `listed` takes."""
        self._asked.set()
        return self._begun

    async def listed(self, asked: int, *, quiet_s_max: float) -> None:
        """Wait until a list that began after `list_anew` was taken in.

        Raises KubeError when the API server gives no page of it for `quiet_s_max`.
        """
        while self._finished <= asked:
            self._heard.clear()
            try:
                async with asyncio.timeout(quiet_s_max):
                    await self._heard.wait()
            except TimeoutError:
                said = self.trouble or f"LIST {self._at}: no answer within {quiet_s_max:g} s"
                raise KubeError(said) from None

    async def _go_on(self) -> None:
        """List if that is due, follow one watch to its end, and pause."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
            pause = self._back_off.calm()
        except KubeError as error:
            pause = self._failed(error)
        await asyncio.sleep(pause)

    def _failed(self, error: KubeError) -> float:
        if error.is_expired or (self._back_off.failures + 1) % FAILURES_BEFORE_LIST == 0:
            self._version = ""
        pause = self._back_off.next(error.retry_after_s)
        if not error.is_expired or self._back_off.failures > 1:
            if not self.trouble:
                _LOG.warning("%s; what is known of it stays in force", error)
            self.trouble = str(error)
        return pause

    def _answered(self) -> None:
        if self.trouble:
            _LOG.info("the API server answers again", extra={"path": self._at})
        self.trouble = ""

    async def _list(self) -> None:
        """Read all pages, then make the mirror equal to them. Without a version asked for, the
        answer is of the moment that it is asked at or later, never of an older one.
        """
        self._begun += 1
        number = self._begun
        found: dict[Key, Kept] = {}
        query = {**self._query, "limit": str(PAGE_OBJECTS_MAX)}
        for _ in range(PAGES_MAX):
            page = await self._kube.page(self._at, query)
            self._heard.set()
            for number_in_page, item in enumerate(page.objects(), start=1):
                key, kept = self._read(item)
                if key is not None and kept is not None:
                    found[key] = kept
                if number_in_page % OBJECTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            metadata = page.metadata
            more = metadata.get("continue")
            if not more:
                break
            query["continue"] = str(more)
        else:
            _LOG.error("%s has over %s objects: the rest is left out", self._at, len(found))
        version = str(metadata.get("resourceVersion") or "")
        if not version:
            raise KubeError(f"GET {self._at}: the answer is not a list of objects", status=500)
        for key in [key for key in self._items if key not in found]:
            self._set(key, None)
        for key, kept in found.items():
            self._set(key, kept)
        self._version = version
        self._list_at = asyncio.get_running_loop().time() + LIST_ANEW_S * random.uniform(0.8, 1.2)  # noqa: S311
        self.lists += 1
        self._finished = number
        self._heard.set()
        self._answered()
        self.synced.set()

    async def _watch(self) -> None:
        """Follow one watch to its end. Raises KubeError."""
        loop = asyncio.get_running_loop()
        if loop.time() > self._list_at:
            self._version = ""
            return
        watch_s = random.randint(WATCH_S_MIN, WATCH_S_MAX)  # noqa: S311
        query = {
            **self._query,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
        }
        began, told = loop.time(), False
        async with self._kube.watch(self._at, query, watch_s=watch_s) as events:
            self._answered()
            async for event in events:
                self._take(event)
                self._back_off.failures, told = 0, True
        if not told and loop.time() - began < WATCH_S_MIN / 2:
            raise KubeError(f"WATCH {self._at}: the API server ends the watch at once")

    def _take(self, event: Object) -> None:
        kind, thing = event.get("type"), _dict_in(event, "object")
        if kind == "ERROR":
            raise error_of(thing, f"WATCH {self._at}")
        version = _dict_in(thing, "metadata").get("resourceVersion")
        if kind in {"ADDED", "MODIFIED", "DELETED"}:
            key, kept = self._read(thing)
            if key is not None:
                self._set(key, None if kind == "DELETED" else kept)
        if isinstance(version, str) and version:
            self._version = version

    def _read(self, thing: Object) -> tuple[Key | None, Kept | None]:
        metadata = _dict_in(thing, "metadata")
        name = metadata.get("name")
        if not isinstance(name, str):
            return None, None
        key = Key(str(metadata.get("namespace") or ""), name)
        try:
            return key, self._keep(thing)
        except Exception:  # noqa: BLE001  one object must not hide all others of its kind
            _LOG.exception("an object can't be read", extra={"path": self._at, "object": name})
            return key, self._items.get(key)

    def _set(self, key: Key, kept: Kept | None) -> None:
        before = self._items.get(key)
        if before == kept:
            return
        if kept is None:
            del self._items[key]
        else:
            self._items[key] = kept
        if self._changed is not None:
            self._changed(key, before, kept)


def _dict_in(thing: Object, name: str) -> Object:
    inner = thing.get(name)
    return inner if isinstance(inner, dict) else {}
