"""The chart as helm renders it.

The one rule: helm itself renders, without a cluster; no template is read here. This module
must not know what the objects mean.
"""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.deploy.chart import CHART
from tests.support.kube_tools import client

NAMESPACE: Final = "money"
SECONDS_MAX: Final = 60

Object = Mapping[str, Any]
NONE: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Rendered:
    """All objects of one rendering, in helm's order."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> tuple[Object, ...]:
        return tuple(one for one in self.objects if one["kind"] == kind)

    def one(self, kind: str, name: str) -> Object:
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def templates(self) -> Iterator[tuple[str, Object]]:
        """The pod templates, each with its owner's name."""
        for owner in self.of("StatefulSet"):
            yield owner["metadata"]["name"], owner["spec"]["template"]


def render(values: Mapping[str, Any] = NONE, *flags: str, namespace: str = NAMESPACE) -> Rendered:
    """What `helm template` makes of these values. AssertionError with what helm said."""
    run = _helm(("template", "farebox", str(CHART), "-n", namespace, *flags), values)
    assert run.returncode == 0, run.stderr
    return Rendered(tuple(one for one in yaml.safe_load_all(run.stdout) if one))


def refusal(values: Mapping[str, Any], *flags: str, namespace: str = NAMESPACE) -> str:
    """Why helm refuses these values. AssertionError when it doesn't."""
    run = _helm(("template", "farebox", str(CHART), "-n", namespace, *flags), values)
    assert run.returncode != 0, "helm took it"
    return run.stderr


def lint(values: Mapping[str, Any]) -> str:
    """What `helm lint --strict` says; AssertionError when it finds a fault."""
    run = _helm(("lint", "--strict", str(CHART), "-n", NAMESPACE), values)
    assert run.returncode == 0, run.stdout
    return run.stdout


def helm(*arguments: str) -> str:
    """Run helm; AssertionError with what it said."""
    run = _helm(arguments, None)
    assert run.returncode == 0, run.stderr
    return run.stdout


def _helm(
    arguments: Iterable[str], values: Mapping[str, Any] | None
) -> subprocess.CompletedProcess[str]:
    given = [] if values is None else ["-f", "-"]
    return subprocess.run(
        [str(client("helm")), *arguments, *given],
        input=None if values is None else yaml.safe_dump(dict(values)),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
