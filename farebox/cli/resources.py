"""The manifests as the command line needs them: which models to simulate, which pools to judge.

The one rule: the controller enforces them; what is read here only starts things and judges them.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

import yaml

from farebox.cli.fleet import Pod
from farebox.core.budgets import Pool, pools_of_pod
from farebox.core.money import NANOS_PER_DOLLAR, Nanos, divide_up, format_dollars, parse_dollars
from farebox.manifests.folder import load_folder, manifest_files
from farebox.manifests.resources import Kind, Resources
from farebox.runtime.clock import SystemClock

_NANOS_PER_CENT: Final = NANOS_PER_DOLLAR // 100


class ManifestError(Exception):
    """Manifests cannot be used for a run; the text has one line per problem."""


def read_resources(manifests: Path, *, variables: Mapping[str, str] | None = None) -> Resources:
    """Read a folder, with what stands for `${NAME}`. Raises ManifestError for any problem in it."""
    loaded = load_folder(manifests, None, now=SystemClock().utc(), variables=variables)
    if loaded.problems:
        raise ManifestError("\n".join(str(problem) for problem in loaded.problems))
    return loaded.resources


def copy_scaled(source: Path, target: Path, *, share: Fraction) -> None:
    """Copy manifests with the limit of every pool times `share`, rounded up to a cent.

    The folder must be free of problems (`read_resources`).
    """
    target.mkdir()
    for file in manifest_files(source):
        documents = [one for one in yaml.safe_load_all(file.read_text("utf-8")) if one]
        for document in documents:
            if document["kind"] == Kind.BUDGET_POOL:
                spec = document["spec"]
                spec["limit"] = _scaled(str(spec["limit"]), share)
        (target / file.name).write_text(yaml.safe_dump_all(documents, sort_keys=False), "utf-8")


def _scaled(limit: str, share: Fraction) -> str:
    exact = parse_dollars(limit) * share
    cents = divide_up(exact.numerator, exact.denominator * _NANOS_PER_CENT)
    return format_dollars(Nanos(cents * _NANOS_PER_CENT), 2)


def pools_of(pod: Pod, resources: Resources) -> tuple[Pool, ...]:
    """The pools that every call of a pod draws on."""
    return pools_of_pod(resources.pools, namespace=pod.namespace, labels=pod.labels)
