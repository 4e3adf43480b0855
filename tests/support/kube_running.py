"""A container of a pod over its restarts: what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farebox.core.instant import UtcMs
from tests.support.kube_containers import Container


@dataclass(slots=True, kw_only=True)
class Running:
    """`first`: an init container; `beside`: one that runs beside the others.

    `held`: it is not started again for now. `status`: the exit status of its last process, None
    while there is none.
    """

    spec: Mapping[str, Any]
    first: bool = False
    container: Container | None = None
    began: UtcMs = UtcMs(0)
    started: bool = False
    ready: bool = False
    restarts: int = 0
    status: int | None = None
    refusals: int = 0
    held: bool = False

    @property
    def beside(self) -> bool:
        return self.first and self.spec.get("restartPolicy") == "Always"
