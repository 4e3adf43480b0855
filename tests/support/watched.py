"""A controller that watches tasks, for tests: what it says once sidecars have told something."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.events import ResourcesChanged, Tick
from controller.task_status import tasks_view
from farebox.core.tallies import Tally
from farebox.core.tasks import TaskProfile
from farebox.core.tiers import Catalogue
from farebox.wire.messages import Report
from tests.support.policies import TIERS
from tests.support.scenes import Scene
from tests.support.tallies import BASELINE, profile, told

CATALOGUE = Catalogue(tiers=TIERS)
MEASURED = profile(baseline=replace(BASELINE, catalogue=CATALOGUE.version))


def scene_of(*tasks: TaskProfile) -> Scene:
    """A controller that knows these tasks of the namespace acme."""
    scene = Scene()
    scene.step(
        ResourcesChanged(replace(scene.resources, catalogue=CATALOGUE, tasks={"acme": tasks}))
    )
    return scene


def view_after(tally: Tally, *, task: str = "intent") -> Mapping[str, Any]:
    """What the controller's /v1/tasks says once a sidecar has told this."""
    scene = scene_of(MEASURED)
    sidecar = scene.connect("a")
    sidecar.say(Report(seq=1, boot_ms=scene.boot, tallies=told(tally, task=task)))
    scene.step(Tick())
    return tasks_view(scene.engine.watching)
