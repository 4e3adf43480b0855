"""What a fake API server keeps: objects, their versions, and the events that led to them.

The one rule: a change either happens whole, with a new resourceVersion and one event, or is refused
with the Status that a real API server gives. It knows no HTTP and validates no schema.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Collection:
    """One kind as it is served."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_status: bool = True


FAREBOX: Final = "farebox.dev/v1alpha1"
COLLECTIONS: Final = (
    Collection(FAREBOX, "budgetpools", "BudgetPool"),
    Collection(FAREBOX, "modeltiers", "ModelTier", namespaced=False),
    Collection(FAREBOX, "taskprofiles", "TaskProfile"),
    Collection(FAREBOX, "routingpolicies", "RoutingPolicy"),
    Collection("v1", "pods", "Pod"),
    Collection("v1", "namespaces", "Namespace", namespaced=False),
    Collection("v1", "secrets", "Secret", has_status=False),
    Collection("v1", "configmaps", "ConfigMap", has_status=False),
    Collection("events.k8s.io/v1", "events", "Event", has_status=False),
    Collection(
        "rbac.authorization.k8s.io/v1",
        "clusterroles",
        "ClusterRole",
        namespaced=False,
        has_status=False,
    ),
    Collection(
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        namespaced=False,
        has_status=False,
    ),
)


class Refused(Exception):
    """A request that is answered with a Status of this code and reason."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class At(NamedTuple):
    """Where an object is."""

    collection: Collection
    namespace: str
    name: str


class Event(NamedTuple):
    """One change; `thing` is the object after it (as it was, when it was deleted)."""

    version: int
    kind: str
    at: At
    thing: Object


@dataclass
class KubeStore:
    """All objects of a cluster."""

    version: int = 100
    oldest: int = 0
    objects: dict[At, Object] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    applied: dict[tuple[At, str, str], Object] = field(default_factory=dict)

    def in_collection(self, collection: Collection, namespace: str) -> list[tuple[At, Object]]:
        """Objects of a kind in a namespace ("": in all), by namespace and name."""
        found = [
            (at, thing)
            for at, thing in self.objects.items()
            if at.collection == collection and namespace in {"", at.namespace}
        ]
        return sorted(found, key=lambda one: one[0][1:])

    def read(self, at: At) -> Object:
        """One object. Raises Refused 404."""
        try:
            return self.objects[at]
        except KeyError:
            raise Refused(
                404, "NotFound", f'{at.collection.plural} "{at.name}" not found'
            ) from None

    def create(self, at: At, body: Object) -> Object:
        """Make an object. Raises Refused 409."""
        if at in self.objects:
            raise Refused(409, "AlreadyExists", f'{at.collection.plural} "{at.name}" exists')
        thing = copy.deepcopy(body)
        metadata = thing.setdefault("metadata", {})
        metadata.update(name=at.name, uid=f"uid-{self.version + 1}", generation=1)
        metadata["creationTimestamp"] = _instant(self.version)
        if at.namespace:
            metadata["namespace"] = at.namespace
        if at.collection.has_status and at.collection.api_version == FAREBOX:
            thing.pop("status", None)
        thing.update(apiVersion=at.collection.api_version, kind=at.collection.kind)
        return self._store("ADDED", at, thing)

    def replace(self, at: At, body: Object, *, sub: str = "") -> Object:
        """Write an object, or only its status. Raises Refused 404, 409."""
        before = self.read(at)
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != before["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified; apply your changes anew")
        return self._write(at, body, sub)

    def delete(self, at: At) -> Object:
        """Delete an object; one with finalizers only begins to be deleted. Raises Refused 404."""
        thing = copy.deepcopy(self.read(at))
        if thing["metadata"].get("finalizers"):
            thing["metadata"].setdefault("deletionTimestamp", _instant(self.version))
            return self._store("MODIFIED", at, thing)
        return self._remove(at, thing)

    def merge(self, at: At, patch: Object, *, sub: str = "") -> Object:
        """A JSON merge patch. Raises Refused 404, 409."""
        return self.replace(at, merged(self.read(at), patch), sub=sub)

    def json_patch(self, at: At, patch: list[Object], *, sub: str = "") -> Object:
        """A JSON patch. Raises Refused 404, 409, 422."""
        thing = copy.deepcopy(self.read(at))
        for step in patch:
            _step(thing, step)
        return self.replace(at, thing, sub=sub)

    def apply(self, at: At, body: Object, manager: str, *, sub: str = "") -> Object:
        """Server-side apply: what a manager no longer gives goes, lists are taken whole.

        Conditions are merged by their type.
        """
        fields = {name: value for name, value in body.items() if name not in _IDENTITY}
        metadata = body.get("metadata", {})
        kept = {name: metadata[name] for name in metadata.keys() & _APPLIED_METADATA}
        fields |= {"metadata": kept} if kept else {}
        if at not in self.objects:
            if sub:
                self.read(at)
            self.applied[at, manager, sub] = copy.deepcopy(fields)
            return self.create(at, body)
        before = self.applied.get((at, manager, sub), {})
        thing = _without(copy.deepcopy(self.read(at)), before, fields)
        self.applied[at, manager, sub] = copy.deepcopy(fields)
        wanted = metadata.get("resourceVersion")
        thing = _applied(thing, fields)
        if wanted is not None:
            thing["metadata"]["resourceVersion"] = wanted
        return self.replace(at, thing, sub=sub)

    def since(self, version: int) -> list[Event]:
        """The events after a version. Raises Refused 410 when some of them are forgotten."""
        if version < self.oldest:
            raise Refused(410, "Expired", f"too old resource version: {version} ({self.oldest})")
        return [event for event in self.events if event.version > version]

    def compact(self) -> None:
        """Forget all events so far."""
        self.version += 1
        self.oldest = self.version
        self.events.clear()

    def _write(self, at: At, body: Object, sub: str) -> Object:
        before = self.objects[at]
        thing = copy.deepcopy(before if sub == "status" else body)
        if sub == "status":
            thing["status"] = copy.deepcopy(body.get("status", {}))
        elif at.collection.has_status and at.collection.api_version == FAREBOX:
            thing["status"] = before.get("status", {})
        metadata, old = thing["metadata"], before["metadata"]
        for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "namespace"):
            if name in old:
                metadata[name] = old[name]
        thing.update(apiVersion=at.collection.api_version, kind=at.collection.kind)
        if thing.get("spec") != before.get("spec"):
            metadata["generation"] = old["generation"] + 1
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            return self._remove(at, thing)
        metadata["resourceVersion"] = old["resourceVersion"]
        if thing == before:
            return before  # as a real API server: what changes nothing is no event
        return self._store("MODIFIED", at, thing)

    def _store(self, kind: str, at: At, thing: Object) -> Object:
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.objects[at] = thing
        self.events.append(Event(self.version, kind, at, thing))
        return thing

    def _remove(self, at: At, thing: Object) -> Object:
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        del self.objects[at]
        self.applied = {key: value for key, value in self.applied.items() if key[0] != at}
        self.events.append(Event(self.version, "DELETED", at, thing))
        return thing


_IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata"})
_APPLIED_METADATA: Final = frozenset({"labels", "annotations", "finalizers", "ownerReferences"})


def _instant(version: int) -> str:
    minutes, seconds = divmod(version, 60)
    hours, minutes = divmod(minutes, 60)
    return f"2026-01-{1 + hours // 24:02}T{hours % 24:02}:{minutes:02}:{seconds:02}Z"


def merged(thing: Any, patch: Any) -> Any:
    """A JSON merge patch's result."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(thing) if isinstance(thing, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _applied(thing: Any, fields: Any) -> Any:
    if isinstance(fields, dict):
        result = dict(thing) if isinstance(thing, dict) else {}
        return result | {name: _applied(result.get(name), one) for name, one in fields.items()}
    if _are_keyed(fields):
        rest = {one["type"]: one for one in thing or []}
        return list((rest | {one["type"]: one for one in fields}).values())
    return copy.deepcopy(fields)


def _without(thing: Any, before: Any, now: Any) -> Any:
    """Take out what a manager gave before and gives no more."""
    if _are_keyed(before):
        gone = {one["type"] for one in before} - {one["type"] for one in now or []}
        return [one for one in thing or [] if one["type"] not in gone]
    if not isinstance(before, dict) or not isinstance(thing, dict):
        return thing
    for name, value in before.items():
        if name in thing and not (isinstance(now, dict) and name in now):
            del thing[name]
        elif name in thing:
            thing[name] = _without(thing[name], value, now[name])
    return thing


def _are_keyed(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, Mapping) and {"type", "status"} <= one.keys() for one in value
    )


def _step(thing: Object, step: Object) -> None:
    *parents, last = [
        part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]
    ]
    inside: Any = thing
    try:
        for part in parents:
            inside = inside[int(part)] if isinstance(inside, list) else inside[part]
        _do(inside, last, step)
    except (KeyError, IndexError, ValueError):
        raise Refused(422, "Invalid", f"the patch does not fit at {step['path']}") from None


def _do(inside: Any, last: str, step: Object) -> None:
    place: Any = last
    if isinstance(inside, list):
        place = len(inside) if last == "-" else int(last)
    match step["op"]:
        case "test" if inside[place] != step["value"]:
            raise Refused(422, "Invalid", f"the test at {step['path']} fails")
        case "remove":
            del inside[place]
        case "add" if isinstance(inside, list):
            inside.insert(place, step["value"])
        case "add" | "replace":
            inside[place] = step["value"]


def selects(query: Mapping[str, str], thing: Object) -> bool:
    """Whether the selectors of a request (equality only, or a label that exists) take an object."""
    metadata = thing["metadata"]
    labels = metadata.get("labels") or {}
    for selector in _parts(query.get("labelSelector", "")):
        name, equals, value = selector.partition("=")
        if name not in labels or (equals and labels[name] != value.removeprefix("=")):
            return False
    for selector in _parts(query.get("fieldSelector", "")):
        name, _, value = selector.partition("=")
        if metadata.get(name.removeprefix("metadata.")) != value:
            return False
    return True


def _parts(text: str) -> Iterator[str]:
    return (part for part in text.split(",") if part)
