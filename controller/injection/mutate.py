"""Puts the sidecar into a pod.

The one rule: injecting twice is the same as injecting once, with the settings of the last time, and
whatever somebody else has put into the pod stays as it is: a container of ours that was injected
with the same settings keeps what others have changed in it, as long as it still is a sidecar. This
module must not know why a pod is injected.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.injection.container import CONTAINER, container_of, hash_of, volumes_of
from controller.injection.overrides import RECORD
from controller.injection.patch import is_same
from controller.injection.pods import Object, entries, has
from controller.injection.record import Record
from controller.injection.settings import Settings

_LOCAL: Final = "http://127.0.0.1:"


def inject(pod: Object, settings: Settings, record: Record | None) -> Object:
    """The pod with its sidecar, as a new value. `record` is what an earlier injection has left.

    The pod has no obstacles (see `controller.injection.obstacles`).
    """
    after: Object = copy.deepcopy(pod)
    spec: Object = after["spec"]
    container = container_of(settings, grace_s=spec.get("terminationGracePeriodSeconds"))
    volumes = volumes_of(settings)
    mark = hash_of(container, volumes)
    kept = _kept(spec, container) if record is not None and record.hash == mark else None
    _put_container(spec, kept or container, settings)
    for volume in volumes:
        _put_volume(spec, volume)
    written = Record(
        hash=mark,
        env=_put_base_urls(spec, settings, {} if record is None else record.env),
        pull_secrets=_put_pull_secrets(
            spec, settings.pull_secrets, () if record is None else record.pull_secrets
        ),
    )
    _put_record(after, written.text())
    return after


def takers_of_base_urls(spec: Object, settings: Settings) -> Iterator[Object]:
    """The containers that are told the base URLs: all that start after the sidecar."""
    for container in (*entries(spec, "initContainers"), *entries(spec, "containers")):
        if container.get("name") not in {CONTAINER, *settings.start_after}:
            yield container


def _kept(spec: Object, wanted: Object) -> Object | None:
    """The container that is there, where it is what was injected but for what others may change.

    A record proves nothing, since whoever makes the pod may have copied it.
    """
    for found in entries(spec, "initContainers"):
        if found.get("name") == CONTAINER:
            return found if _is_sidecar(found, wanted) else None
    return None


def _is_sidecar(found: Object, wanted: Object) -> bool:
    """Whether it runs the same program in the same way; its image and resources may be others."""
    same = all(found.get(name) == wanted[name] for name in ("restartPolicy", "command"))
    if not same or any(found.get(name) for name in ("args", "lifecycle", "envFrom")):
        return False
    steering = [one for one in entries(found, "env") if _steers(one, wanted)]
    return len(steering) == len(wanted["env"]) and all(
        any(_covers(one, other) for one in items)
        for items, others in (
            (steering, wanted["env"]),
            (entries(found, "volumeMounts"), wanted["volumeMounts"]),
        )
        for other in others
    )


def _steers(variable: Object, wanted: Object) -> bool:
    """Whether a variable means anything to the sidecar."""
    name = str(variable.get("name"))
    return name.startswith("FAREBOX_") or has(wanted["env"], name)


def _put_container(spec: Object, container: Object, settings: Settings) -> None:
    """First of all, or right after those that make the network."""
    others = [one for one in entries(spec, "initContainers") if one.get("name") != CONTAINER]
    before = [at for at, one in enumerate(others, 1) if one.get("name") in settings.start_after]
    others.insert(max(before, default=0), container)
    spec["initContainers"] = others


def _put_volume(spec: Object, volume: Object) -> None:
    volumes = spec["volumes"] = entries(spec, "volumes")
    for index, found in enumerate(volumes):
        if found.get("name") == volume["name"]:
            if not _covers(found, volume):
                volumes[index] = volume
            return
    volumes.append(volume)


def _covers(found: Any, wanted: Any) -> bool:
    """Whether a value says all that is wanted; the API server fills in defaults beside it."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(key in found and _covers(found[key], wanted[key]) for key in wanted)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_covers, found, wanted))
    return is_same(found, wanted)


def _put_base_urls(
    spec: Object, settings: Settings, recorded: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Returns the variables by container that are ours."""
    wanted = {
        variable: settings.origin + path
        for provider in settings.base_urls
        for variable, path in settings.providers[provider].items()
    }
    ours = {}
    for container in takers_of_base_urls(spec, settings):
        name = str(container.get("name"))
        if put := _put_variables(container, wanted, recorded.get(name, ())):
            ours[name] = put
    return ours


def _put_variables(
    container: Object, wanted: Mapping[str, str], recorded: tuple[str, ...]
) -> tuple[str, ...]:
    """Set the variables that nobody else has set; returns them."""
    env = entries(container, "env")
    before = [one for one in env if _is_ours(one, recorded)]
    others = [one for one in env if not _is_ours(one, recorded)]
    taken = {one.get("name") for one in others}
    put = [{"name": name, "value": url} for name, url in wanted.items() if name not in taken]
    if not is_same(before, put):
        _set_list(container, "env", [*others, *put])
    return tuple(one["name"] for one in put)


def _is_ours(variable: Object, recorded: tuple[str, ...]) -> bool:
    """A variable of the record that somebody has given another value since is theirs."""
    value = variable.get("value")
    return variable.get("name") in recorded and str(value).startswith(_LOCAL)


def _put_pull_secrets(
    spec: Object, wanted: tuple[str, ...], recorded: tuple[str, ...]
) -> tuple[str, ...]:
    """Add the names that are not there; returns those that are ours."""
    found = entries(spec, "imagePullSecrets")
    before = [one for one in found if one.get("name") in recorded]
    others = [one for one in found if one.get("name") not in recorded]
    put = [{"name": name} for name in wanted if not has(others, name)]
    if not is_same(before, put):
        _set_list(spec, "imagePullSecrets", [*others, *put])
    return tuple(one["name"] for one in put)


def _set_list(parent: Object, name: str, items: list[Object]) -> None:
    if items:
        parent[name] = items
    else:
        parent.pop(name, None)


def _put_record(pod: Object, text: str) -> None:
    metadata = pod["metadata"] = pod.get("metadata") or {}
    annotations = metadata["annotations"] = metadata.get("annotations") or {}
    annotations[RECORD] = text
