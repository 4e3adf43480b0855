"""Every resource with what became of it, as its status is made from it.

The one rule: all of one look belongs to one reading, so that no status speaks of a version that was
not judged yet. This module must not know what a status says.
"""

from collections.abc import Iterator

from controller.kube.client import Object
from controller.kube.conditions import Seen
from controller.kube.resources import KubeWatch
from farebox.manifests.adoption import Loaded
from farebox.manifests.resources import Problem, ResourceId


class Standing:
    """What the watch knows, resource by resource."""

    def __init__(self, watch: KubeWatch) -> None:
        self._watch = watch
        self._loaded: Loaded | None = None
        self._problems: dict[str, tuple[Problem, ...]] = {}

    def seen(self) -> Iterator[Seen]:
        """All resources now; none before they have been read for the first time."""
        watch = self._watch
        if not watch.ready.is_set():
            return
        if watch.loaded is not self._loaded:
            self._loaded, self._problems = watch.loaded, _by_resource(watch.loaded)
        for id_, thing in watch.objects.items():
            yield self._seen(id_, thing)

    def _seen(self, id_: ResourceId, thing: Object) -> Seen:
        metadata = thing["metadata"]
        source = self._watch.loaded.sources.get(id_)
        return Seen(
            id=id_,
            uid=str(metadata["uid"]),
            generation=metadata.get("generation") or 1,
            version=str(metadata.get("resourceVersion", "")),
            in_force=self._watch.in_force.get(id_),
            value=None if source is None else source.value,
            problems=self._problems.get(str(id_), ()),
            spec=thing["spec"],
            status=thing["status"],
        )


def _by_resource(loaded: Loaded) -> dict[str, tuple[Problem, ...]]:
    found: dict[str, list[Problem]] = {}
    for problem in loaded.problems:
        found.setdefault(problem.resource, []).append(problem)
    return {resource: tuple(problems) for resource, problems in found.items()}
