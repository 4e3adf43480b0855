"""A folder of manifests as nobody runs it: read to ask what it would do, or what it says.

The one rule: nothing is called, so whatever a baseURL leaves open may stay open. This module must
not know receipts.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from farebox.after.problems import AfterError
from farebox.core.budgets import pools_of_pod, with_reserves
from farebox.core.instant import UtcMs
from farebox.core.policy import Policy
from farebox.core.tasks import RoutingPolicy
from farebox.manifests.folder import load_folder
from farebox.manifests.resources import Resources

NOWHERE: Final = "http://127.0.0.1:9"
"""What stands for every `${NAME}` in a baseURL: a port that discards."""


class _Nowhere(Mapping[str, str]):
    """Has a value for every name."""

    def __getitem__(self, name: str) -> str:
        return NOWHERE

    def __iter__(self) -> Iterator[str]:
        return iter(("",))

    def __len__(self) -> int:
        return 1


def read_offline(folder: Path, *, now: UtcMs) -> Resources:
    """Read a folder. Raises AfterError for any problem in it."""
    loaded = load_folder(folder, None, now=now, variables=_Nowhere())
    if loaded.problems:
        raise AfterError("\n".join(str(problem) for problem in loaded.problems))
    return loaded.resources


def policy_of(resources: Resources, *, namespace: str, labels: Mapping[str, str]) -> Policy:
    """The policy that a pod would get."""
    return Policy(
        pools=pools_of_pod(with_reserves(resources.pools), namespace=namespace, labels=labels),
        catalogue=resources.catalogue,
        tasks=resources.tasks.get(namespace, ()),
        routing=resources.routing.get(namespace, RoutingPolicy()),
    )
