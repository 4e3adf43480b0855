"""What is in force for one pod: the pools that its calls draw on, its leases, the models it has.

The one rule: the sidecar says what it follows and the controller what there is of the money, and
where one of them can't be asked the rest is shown all the same. This module must not know clusters.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from farebox.cli.admin import AdminError, get_json
from farebox.cli.records import PoolLine, read_pools, understood
from farebox.cli.tables import dollars, make_console, sheet
from farebox.core.money import Nanos, parse_dollars

if TYPE_CHECKING:
    from rich.table import Table

DECIMALS: Final = 4
READY: Final = ".ready"
_NOT_PODS: Final = frozenset({"controller", "provider"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What was told of a pod: /v1/policy and /v1/leases of its sidecar, /v1/pools; None: unasked.

    `remarks` are sentences that come first.
    """

    title: str
    policy: Mapping[str, Any] | None
    leases: Mapping[str, Any] | None
    pools: Sequence[PoolLine]
    remarks: Sequence[str] = ()


async def ask(
    title: str, *, sidecar: str, controller: str, remarks: Sequence[str] = ()
) -> PodFacts:
    """Ask both admin servers; "" or one that does not answer is left out, and that is said."""
    said = list(remarks)
    policy = await _asked(f"{sidecar}/v1/policy" if sidecar else "", said)
    leases = await _asked(f"{sidecar}/v1/leases" if sidecar else "", said)
    pools = await _asked(f"{controller}/v1/pools" if controller else "", said)
    return PodFacts(
        title=title,
        policy=policy,
        leases=leases,
        pools=[] if pools is None else read_pools(pools),
        remarks=said,
    )


async def run_explain(
    pod: str | None, *, state: Path, sidecar: str | None, controller: str | None
) -> int:
    """`farebox explain`: of `farebox up`'s pod, or of the sidecar named by its address."""
    if sidecar is None:
        pod, sidecar = _sidecar_in(state, pod)
        controller = controller or _address(state / f"controller{READY}")
    show(await ask(pod or sidecar, sidecar=sidecar, controller=controller or ""))
    return 0


def show(facts: PodFacts) -> None:
    """Print what is in force for a pod. Raises RecordError."""
    console = make_console()
    for line in understood("a sidecar's answer", lambda: list(sentences(facts))):
        console.print(line, markup=False)
    for table in understood("a sidecar's answer", lambda: list(sheets(facts))):
        console.print(table)


def sentences(facts: PodFacts) -> Iterator[str]:
    """What there is to say before the figures."""
    yield f"Pod {facts.title}"
    yield from facts.remarks
    policy, leases = facts.policy, facts.leases
    if leases is not None:
        link = "connected to the controller" if leases["connected"] else "cut off from it"
        yield f"Its sidecar is {link}; holder {leases['holder']}."
    if policy is None:
        return
    if policy["generation"] is None:
        yield "It has no policy from the controller yet, and refuses every call."
        return
    weights = policy["weights"]
    used = f" with the weights {weights['in_use']}" if weights["in_use"] else ""
    yield (
        f"It follows policy {policy['generation']} and classifies by {policy['classifier']}{used}."
    )
    if weights["problem"]:
        yield f"Its weights: {weights['problem']}"
    if not policy["pools"]:
        yield "NO CAP: no BudgetPool selects this pod; see spec.selector and the pod's labels."


def sheets(facts: PodFacts) -> Iterator["Table"]:
    """Pools, leases and models; what is empty is left out."""
    if facts.policy is not None and facts.policy["pools"]:
        yield sheet(
            "Pools that every call draws on",
            ("pool", "for each", ">limit", ">settled", ">headroom", "until"),
            _pool_rows(facts.policy["pools"], facts.pools),
        )
    if facts.leases is not None and facts.leases["leases"]:
        yield sheet(
            "Lent to this pod",
            ("pool [key]", ">lent", ">spent", ">held by calls", ">left here"),
            [_lease_row(one) for one in facts.leases["leases"]],
        )
    if facts.policy is not None and facts.policy["models"]:
        rows = [(one["tier"] or "-", one["model"]) for one in facts.policy["models"]]
        yield sheet("Models that may serve", ("tier", "model"), rows)


def _pool_rows(
    drawn: Sequence[Mapping[str, Any]], pools: Sequence[PoolLine]
) -> Iterator[tuple[object, ...]]:
    """A pool's figures where it is one pool for all; sub-pools are in `top`."""
    shared = {line.pool: line for line in pools if not line.key}
    for one in drawn:
        line = shared.get(one["pool"])
        yield (
            one["pool"],
            "-" if one["per"] == "Shared" else str(one["per"]).lower(),
            _dollars(one["limit_usd"]),
            "" if line is None else dollars(line.settled, DECIMALS),
            "" if line is None else dollars(line.headroom, DECIMALS),
            "" if line is None else line.window_ends or "for good",
        )


def _lease_row(one: Mapping[str, Any]) -> tuple[object, ...]:
    title = f"{one['pool']} [{one['key']}]" if one["key"] else one["pool"]
    lent = parse_dollars(one["granted_usd"]) - parse_dollars(one["returned_usd"])
    left = _dollars(one["headroom_usd"])
    return (
        title,
        dollars(Nanos(lent), DECIMALS),
        _dollars(one["spent_usd"]),
        _dollars(one["held_usd"]),
        left,
    )


def _dollars(text: str) -> str:
    return dollars(parse_dollars(text), DECIMALS)


async def _asked(url: str, said: list[str]) -> Any:
    if not url:
        return None
    try:
        return await get_json(url)
    except AdminError as error:
        said.append(str(error))
        return None


def _sidecar_in(state: Path, pod: str | None) -> tuple[str, str]:
    """Name and admin address of a sidecar of `farebox up`. Raises AdminError."""
    names = sorted(
        path.name.removesuffix(READY)
        for path in state.glob(f"*{READY}")
        if path.name.removesuffix(READY) not in _NOT_PODS
    )
    if pod is None and len(names) == 1:
        pod = names[0]
    if pod is None or pod not in names:
        there = f"there are {', '.join(names)}" if names else "`farebox up` starts one"
        raise AdminError(
            f"Which pod of the state folder {state}? Name one: {there}; or name its sidecar with "
            "--sidecar-admin URL."
        )
    return pod, _address(state / f"{pod}{READY}")


def _address(ready: Path) -> str:
    """The admin address in a ready file, "" when nothing is ready."""
    try:
        return f"http://127.0.0.1:{json.loads(ready.read_text())['admin']}"
    except (OSError, ValueError, KeyError):
        return ""
