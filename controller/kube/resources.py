"""The four kinds as the API server has them, and which of their versions are in force.

The one rule: nothing is in force before every kind was listed once; after that what was known stays
in force until it is seen to have changed; `renew` is for who must know that it is not old. Changes
are taken together, one reading for each short while and not one for each event. This module must
not know what a resource is good for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.kube.client import KubeClient, Object, path
from controller.kube.reflector import Key, Reflector
from farebox.manifests.adoption import Loaded, adopt
from farebox.manifests.objects import id_of, read_object
from farebox.manifests.pricebook import built_in_prices
from farebox.manifests.reading import API_VERSION, Reading
from farebox.manifests.resources import Kind, Problem, ResourceId, Resources
from farebox.manifests.tiers import Surroundings
from farebox.runtime.clock import Clock

_LOG = logging.getLogger(__name__)

PLURALS: Final[Mapping[Kind, str]] = {
    Kind.BUDGET_POOL: "budgetpools",
    Kind.MODEL_TIER: "modeltiers",
    Kind.TASK_PROFILE: "taskprofiles",
    Kind.ROUTING_POLICY: "routingpolicies",
}
GATHER_S: Final = 0.1
"""How long changes are gathered before they are read together."""

QUIET_S_MAX: Final = 5.0
"""An API server that gives no page of a list for so long is held to be out of reach."""

LOOK_S: Final = 60.0
"""How often it is asked at least whether a price of the built-in book has changed."""

Changed = Callable[[Resources], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Read:
    """One object as it was read: `thing` is what is kept of the object."""

    thing: Object
    reading: Reading


@dataclass(frozen=True, slots=True)
class _Adopted:
    """What one reading of everything gave."""

    loaded: Loaded
    reads: Mapping[ResourceId, _Read]
    in_force: Mapping[ResourceId, int]


@dataclass(slots=True, kw_only=True)
class KubeWatch:
    """The resources of a cluster, as last read.

    `loaded` is what is in force, `objects` the objects that it was read from (metadata without
    managedFields, spec, status: of these the newest), and `in_force` the metadata.generation of the
    version of each that is in force; a resource that never was good is not among the latter.
    """

    kube: KubeClient
    clock: Clock
    variables: Mapping[str, str] = field(default_factory=dict)
    loaded: Loaded = field(default_factory=Loaded)
    in_force: Mapping[ResourceId, int] = field(default_factory=dict)
    reflectors: Mapping[Kind, Reflector[Object]] = field(init=False)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _reads: dict[ResourceId, _Read] = field(default_factory=dict)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.reflectors = {
            kind: Reflector(
                self.kube,
                path(API_VERSION, plural),
                keep=kept_of,
                changed=self._follower_of(kind),
            )
            for kind, plural in PLURALS.items()
        }

    @property
    def objects(self) -> Mapping[ResourceId, Object]:
        """The object of each resource, as `loaded` was read from it, with its newest status."""
        return {id_: read.thing for id_, read in self._reads.items()}

    def object_of(self, id_: ResourceId) -> Object | None:
        """One of `objects`."""
        read = self._reads.get(id_)
        return read.thing if read is not None else None

    def trouble(self) -> str:
        """Why what is known may be old, in a sentence; "" while it is not."""
        return next((one.trouble for one in self.reflectors.values() if one.trouble), "")

    def missing(self) -> str:
        """What has never been listed, in a sentence; "" when nothing is in force for want of it."""
        unknown = [
            PLURALS[kind] for kind, one in self.reflectors.items() if not one.synced.is_set()
        ]
        if not unknown:
            return "" if self.ready.is_set() else "the resources have not been read yet"
        said = self.trouble()
        return f"{', '.join(unknown)} have not been listed yet" + (f": {said}" if said else "")

    async def follow(self, changed: Changed) -> None:
        """Take changes into force for ever, and say when other resources are."""
        for reflector in self.reflectors.values():
            await reflector.synced.wait()
        while True:
            self._dirty.clear()
            before = self.loaded.resources
            await self._adopt()
            self.ready.set()
            if self.loaded.resources != before:
                _LOG.info("other resources are in force", extra={"objects": len(self._reads)})
                await changed(self.loaded.resources)
            await self._wait()

    async def renew(self) -> None:
        """Have in force what the API server has now, or had later than now.

        Raises KubeError, with what was known still in force, when that can't be read.
        """
        asked = [(one, one.list_anew()) for one in self.reflectors.values()]
        for one, number in asked:
            await one.listed(number, quiet_s_max=QUIET_S_MAX)
        await self._adopt()

    async def _wait(self) -> None:
        """Until something has changed, or a price has."""
        while not self._dirty.is_set():
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._dirty.wait()
            except TimeoutError:
                if self._is_repriced():
                    return
        await asyncio.sleep(GATHER_S)

    def _is_repriced(self) -> bool:
        changes_at = self.loaded.prices_change_at
        return changes_at is not None and self.clock.utc() >= changes_at

    async def _adopt(self) -> None:
        """Take into force what the mirrors say; when this returns, all that they said before."""
        async with self._reading:
            await self._read()

    async def _read(self) -> None:
        known = set(self.loaded.problems)
        reads = {} if self._is_repriced() else dict(self._reads)
        around = Surroundings(
            prices=built_in_prices(), now=self.clock.utc(), variables=self.variables
        )
        adopted = await asyncio.to_thread(
            _adopted, self._things(), reads, self.loaded, self.in_force, around
        )
        self.loaded, self.in_force = adopted.loaded, adopted.in_force
        self._reads = dict(adopted.reads)
        self._catch_up()
        for problem in self.loaded.problems:
            if problem not in known:
                _log_problem(problem)

    def _things(self) -> dict[ResourceId, Object]:
        return {
            id_of(kind, key.namespace, key.name): thing
            for kind, reflector in self.reflectors.items()
            for key, thing in reflector.items.items()
        }

    def _catch_up(self) -> None:
        """Take in what has changed while a thread was reading."""
        things = self._things()
        for id_ in things.keys() | self._reads.keys():
            self._note(id_, things.get(id_))

    def _follower_of(self, kind: Kind) -> Callable[[Key, Object | None, Object | None], None]:
        return lambda key, _, after: self._note(id_of(kind, key.namespace, key.name), after)

    def _note(self, id_: ResourceId, after: Object | None) -> None:
        """Have everything read again, unless only the status of an object is another."""
        read = self._reads.get(id_)
        if read is None or after is None or not _is_same_version(read.thing, after):
            self._dirty.set()
        else:
            self._reads[id_] = _Read(after, read.reading)


def kept_of(thing: Object) -> Object:
    """An object without what only the API server needs."""
    metadata = {name: value for name, value in thing["metadata"].items() if name != "managedFields"}
    spec, status = thing.get("spec"), thing.get("status")
    return {
        "metadata": metadata,
        "spec": spec if isinstance(spec, dict) else {},
        "status": status if isinstance(status, dict) else {},
    }


def _is_same_version(one: Object, other: Object) -> bool:
    """Whether two states of an object say the same of the resource: the rest is status."""
    return bool(
        one["spec"] == other["spec"]
        and one["metadata"].get("uid") == other["metadata"].get("uid")
        and one["metadata"].get("generation") == other["metadata"].get("generation")
    )


def _adopted(
    things: Mapping[ResourceId, Object],
    known: Mapping[ResourceId, _Read],
    previous: Loaded,
    in_force: Mapping[ResourceId, int],
    around: Surroundings,
) -> _Adopted:
    reads: dict[ResourceId, _Read] = {}
    # The older of two that exclude each other is the one to stand, after every restart the same.
    for id_, thing in sorted(things.items(), key=_by_age):
        before = known.get(id_)
        if before is not None and _is_same_version(before.thing, thing):
            reads[id_] = _Read(thing, before.reading)
        else:
            reads[id_] = _Read(thing, read_object(id_, thing["spec"], around))
    loaded = adopt([read.reading for read in reads.values()], previous, around)
    return _Adopted(loaded, reads, _generations(loaded, reads, in_force))


def _by_age(item: tuple[ResourceId, Object]) -> tuple[str, str, str, str]:
    id_, thing = item
    created = str(thing["metadata"].get("creationTimestamp") or "")
    return created, id_.kind, id_.namespace, id_.name


def _generations(
    loaded: Loaded, reads: Mapping[ResourceId, _Read], before: Mapping[ResourceId, int]
) -> Mapping[ResourceId, int]:
    """The generation of the version of each resource that is in force."""
    found: dict[ResourceId, int] = {}
    for id_, source in loaded.sources.items():
        read = reads.get(id_)
        if read is not None and any(one.value == source.value for one in read.reading.sources):
            generation = read.thing["metadata"].get("generation")
            found[id_] = generation if isinstance(generation, int) else 1
        elif id_ in before:
            found[id_] = before[id_]
    return found


def _log_problem(problem: Problem) -> None:
    _LOG.error("%s", problem)
