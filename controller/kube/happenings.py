"""Kubernetes Events: what a person who describes a resource should have been told.

The one rule: an Event is a courtesy. It says no more than the status does, the same one within a
while is counted and not made anew, and when it can't be written it is dropped; nothing waits for
one. This module must not know pools or tasks.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from controller.kube.client import KubeError, path
from controller.kube.conditions import Json, conditions_of
from farebox.core.instant import BootMs, UtcMs
from farebox.runtime.clock import Clock

_LOG = logging.getLogger(__name__)

EVENTS_VERSION: Final = "events.k8s.io/v1"
REPORTER: Final = "farebox.dev/controller"
CLUSTER_NAMESPACE: Final = "default"
"""Events about what has no namespace stand here, as the API server wants it."""

NOTE_CHARACTERS_MAX: Final = 1_000
NAME_CHARACTERS_MAX: Final = 200
INSTANCE_CHARACTERS_MAX: Final = 128
"""Of `reportingInstance`; the API server refuses more."""


SERIES_MAX: Final = 1_024
SERIES_MS: Final = 30 * 60_000
"""What happens again within this time is counted. The API server keeps an Event for an hour."""

COUNT_REST_MS: Final = 60_000
"""A count is written no oftener."""

NEW_REST_MS: Final = 10_000
"""Of one resource and reason there is no other Event so soon, whatever it says."""

ROUND_MS: Final = 1_000
EVENTS_PER_ROUND_MAX: Final = 10
TRIES_MAX: Final = 3


class News(NamedTuple):
    """What has happened: `type` is Normal or Warning, `reason` and `action` are one word each."""

    type: str
    reason: str
    action: str
    note: str


class About(NamedTuple):
    """The resource that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class Writes(Protocol):
    """The part of the client that is needed. Both raise KubeError."""

    async def create(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make an object in a collection."""

    async def merge(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change the given fields of an object."""


class _Turn(NamedTuple):
    """What is told when a condition becomes `status`, from `status_before` where that is given."""

    condition: str
    status: str
    status_before: tuple[str, ...]
    news: tuple[str, str, str]


_NEVER: Final = ""
"""The condition was not there before."""

_WARNED: Final = (
    "Escalating",
    "GatesFailing",
    "SchemaFailing",
    "PromptsDrifted",
    "BaselineStale",
)
_TURNS: Final = (
    _Turn("Ready", "False", (), ("Warning", "Refused", "Adopt")),
    _Turn("Ready", "True", ("False",), ("Normal", "InForce", "Adopt")),
    _Turn("Exhausted", "True", (_NEVER, "False", "Unknown"), ("Warning", "Exhausted", "Lend")),
    _Turn("Exhausted", "False", ("True",), ("Normal", "MoneyBack", "Lend")),
    _Turn("OverCommitted", "True", (_NEVER, "False"), ("Warning", "OverCommitted", "Lend")),
    _Turn("OverCommitted", "False", ("True",), ("Normal", "WithinLimit", "Lend")),
    _Turn("Enforced", "False", ("True",), ("Warning", "NotEnforced", "Enforce")),
    _Turn("Enforced", "True", ("False",), ("Normal", "Enforced", "Enforce")),
    _Turn("Priced", "False", (_NEVER, "True"), ("Warning", "NotPriced", "Price")),
    _Turn("Priced", "True", ("False",), ("Normal", "Priced", "Price")),
    *(
        _Turn(name, "True", (_NEVER, "False", "Unknown"), ("Warning", name, "Watch"))
        for name in _WARNED
    ),
)


def news_of(before: Json, after: Json) -> Iterator[News]:
    """What a person should be told when one status follows another.

    Of a refusal also when its words have changed: somebody has tried again.
    """
    was, is_ = conditions_of(before), conditions_of(after)
    for turn in _TURNS:
        old, new = was.get(turn.condition, {}), is_.get(turn.condition, {})
        if new.get("status") != turn.status:
            continue
        if turn.status_before:
            told = old.get("status", _NEVER) in turn.status_before
        else:
            told = (old.get("status"), old.get("message")) != (turn.status, new.get("message"))
        if told:
            yield News(*turn.news, note=str(new.get("message", "")))


@dataclass(slots=True, kw_only=True)
class _Series:
    """One Event. `name` is "" until it is written; `counted` is what its last writing said."""

    about: About
    news: News
    first: UtcMs
    last: UtcMs
    heard: BootMs
    count: int = 1
    name: str = ""
    counted: int = 0
    written: BootMs = BootMs(0)
    tries: int = 0

    def is_due(self, now: BootMs) -> bool:
        """Whether there is something to write."""
        if not self.name:
            return True
        return self.count > self.counted and now - self.written >= COUNT_REST_MS


_Key = tuple[str, str, str]


class Happenings:
    """The Events of this controller. `tell` never waits; `run` writes for ever."""

    def __init__(self, api: Writes, clock: Clock, *, instance: str) -> None:
        """`instance` names this controller among those that report."""
        self._api = api
        self._clock = clock
        self._instance = instance[:INSTANCE_CHARACTERS_MAX] or REPORTER
        self._series: dict[_Key, _Series] = {}
        self._latest: dict[tuple[str, str], BootMs] = {}
        self._said = ""

    def __len__(self) -> int:
        return len(self._series)

    def tell(self, about: About, news: News) -> None:
        """Have an Event written, or count one that is there."""
        now, utc = self._clock.boot(), self._clock.utc()
        news = news._replace(note=news.note[:NOTE_CHARACTERS_MAX])
        key = (about.uid, news.reason, news.note)
        known = self._series.get(key)
        if known is not None and now - known.heard < SERIES_MS:
            known.count, known.last, known.heard = known.count + 1, utc, now
            return
        latest = self._latest.get(key[:2])
        if latest is not None and now - latest < NEW_REST_MS:
            return
        self._latest.pop(key[:2], None)
        self._latest[key[:2]] = now
        self._series.pop(key, None)
        self._series[key] = _Series(about=about, news=news, first=utc, last=utc, heard=now)
        for table in (self._series, self._latest):
            while len(table) > SERIES_MAX:
                del table[next(iter(table))]  # type: ignore[arg-type]  # each with its own key

    async def run(self) -> None:
        """Write what there is, in rounds."""
        while True:
            try:
                await self.write_due()
            except Exception:  # noqa: BLE001  an Event is a courtesy, whatever goes wrong with one
                _LOG.exception("Events can't be written now")
            await asyncio.sleep(ROUND_MS / 1000)

    async def write_due(self) -> None:
        """Write what is due, so much at a time."""
        now = self._clock.boot()
        for key, one in tuple(self._series.items()):
            if now - one.heard >= SERIES_MS and not one.is_due(now):
                del self._series[key]
        due = [(key, one) for key, one in self._series.items() if one.is_due(now)]
        for key, one in due[:EVENTS_PER_ROUND_MAX]:
            try:
                await self._write(one)
            except KubeError as error:
                self._failed(key, one, error)

    async def _write(self, one: _Series) -> None:
        namespace, count = one.about.namespace or CLUSTER_NAMESPACE, one.count
        if one.name:
            at = path(EVENTS_VERSION, "events", namespace, one.name)
            await self._api.merge(at, {"series": _series(one)})
        else:
            event = event_of(one, self._instance)
            await self._api.create(path(EVENTS_VERSION, "events", namespace), event)
            one.name = event["metadata"]["name"]
        one.counted, one.written, one.tries, self._said = count, self._clock.boot(), 0, ""

    def _failed(self, key: _Key, one: _Series, error: KubeError) -> None:
        one.tries += 1
        if one.name and error.reason == "NotFound":
            # The API server has let it go: it is made anew with all that is counted.
            one.name = ""
        elif not error.is_passing or one.tries >= TRIES_MAX:
            self._series.pop(key, None)
        if str(error.status) != self._said:
            self._said = str(error.status)
            _LOG.warning("an Event is not written: %s", error)


def event_of(one: _Series, instance: str) -> dict[str, Any]:
    """An Event as the API server wants it."""
    about, news = one.about, one.news
    digest = hashlib.sha256("\0".join((about.uid, news.reason, news.note, str(one.last))).encode())
    event: dict[str, Any] = {
        "apiVersion": EVENTS_VERSION,
        "kind": "Event",
        "metadata": {
            "name": f"{about.name[:NAME_CHARACTERS_MAX]}.{digest.hexdigest()[:16]}",
            "namespace": about.namespace or CLUSTER_NAMESPACE,
        },
        "eventTime": micro_time(one.first),
        "reportingController": REPORTER,
        "reportingInstance": instance,
        "action": news.action,
        "reason": news.reason,
        "type": news.type,
        "note": news.note,
        "regarding": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "name": about.name,
            "uid": about.uid,
            **({"namespace": about.namespace} if about.namespace else {}),
        },
    }
    return {**event, "series": _series(one)} if one.count > 1 else event


def micro_time(instant: UtcMs) -> str:
    """An instant with microseconds, as MicroTime has it."""
    seconds = datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{seconds}.{instant % 1000:03d}000Z"


def _series(one: _Series) -> dict[str, Any]:
    return {"count": one.count, "lastObservedTime": micro_time(one.last)}
