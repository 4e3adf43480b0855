"""What statuses are made from and where they go, without an API server: for tests of the writer.

The one rule: as the API server, it gives each write another resourceVersion.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from controller.kube.client import KubeError
from controller.kube.conditions import Seen
from farebox.core.budgets import Pool
from farebox.manifests.resources import Kind, Problem, ResourceId, Value


def id_of(pool: Pool) -> ResourceId:
    """The resource of a pool."""
    return ResourceId(Kind.BUDGET_POOL, pool.namespace, pool.name)


def in_force(id_: ResourceId, value: Value | None, *, generation: int = 1) -> Seen:
    """A resource whose latest version is in force."""
    return Seen(
        id=id_,
        uid=f"uid-of-{id_.name}",
        generation=generation,
        version="1",
        in_force=generation,
        value=value,
    )


@dataclass
class Shelf:
    """The resources as a mirror has them, and the API server that their statuses go to.

    `mirrors`: the mirror sees what is written. `refusals` are raised for a resource's name, one
    after the other; `gate` holds every write up until it is set.
    """

    rows: dict[ResourceId, Seen] = field(default_factory=dict)
    writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, list[Exception]] = field(default_factory=dict)
    mirrors: bool = True
    asked: int = 0
    under_way: int = 0
    under_way_max: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def seen(self) -> Iterator[Seen]:
        """All of them."""
        yield from self.rows.values()

    def put(self, *rows: Seen) -> None:
        """Have these as they are, with the statuses that stand."""
        for row in rows:
            known = self.rows.get(row.id)
            same = known is not None and known.uid == row.uid
            self.rows[row.id] = replace(row, status=known.status) if same and known else row

    def refuse(self, id_: ResourceId, field_: str, message: str) -> None:
        """Have a newer version that is refused."""
        row = self.rows[id_]
        problem = Problem(file="", line=0, resource=str(id_), field=field_, message=message)
        self.rows[id_] = replace(row, generation=row.generation + 1, problems=(problem,))

    def status(self, name: str) -> dict[str, Any]:
        """The status that a resource was given last."""
        return next(body["status"] for _, body in reversed(self.writes) if _name(body) == name)

    def names(self) -> list[str]:
        """Whose statuses were written, in order."""
        return [_name(body) for _, body in self.writes]

    async def apply(self, at: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take a status, or refuse it."""
        self.asked += 1
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        refusals = self.refusals.get(_name(body))
        if refusals:
            raise refusals.pop(0)
        self.writes.append((at, body))
        for id_, row in self.rows.items():
            if id_.name == _name(body) and self.mirrors:
                version = str(int(row.version) + 1)
                self.rows[id_] = replace(row, status=body["status"], version=version)
        return body


def refusal(status: int, *, retry_after_s: float | None = None) -> KubeError:
    """What the client raises for an answer of this status (0: no answer)."""
    return KubeError(f"the API server answers {status}", status=status, retry_after_s=retry_after_s)


def _name(body: dict[str, Any]) -> str:
    name: str = body["metadata"]["name"]
    return name
