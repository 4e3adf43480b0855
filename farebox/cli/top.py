"""`farebox top`: pools, leases, spend by task and what is wrong, live.

The one rule: it only reads, and a controller that is away for a moment is shown as away, not as an
error that ends the view.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from farebox.cli.admin import AdminError, get_json
from farebox.cli.records import HolderLine, PoolLine, read_holders, read_pools
from farebox.cli.tables import dollars, make_console, sheet
from farebox.cli.task_lines import (
    Tasks,
    alert_rows,
    read_tasks,
    service_rows,
    task_rows,
    window_title,
)
from farebox.core.money import divide_up

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

REFRESH_S: Final = 1
ROWS_MAX: Final = 60
"""More sub-pools than fit a screen are cut, the most used first."""

DECIMALS: Final = 4
_BAR_CELLS: Final = 10


async def run_top(address: str | None, *, state: Path, once: bool) -> int:
    """Show the controller's figures once, or every `REFRESH_S` until Ctrl-C."""
    url = (address or _address_in(state)).rstrip("/")
    return await show_top(lambda: nullcontext(url), once=once)


async def show_top(reach: Callable[[], AbstractAsyncContextManager[str]], *, once: bool) -> int:
    """The same of a controller whose address `reach` gives, and gives anew when it is lost."""
    from rich.live import Live

    console = make_console()
    if once:
        async with reach() as url:
            console.print(await _view(url))
        return 0
    with Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                async with reach() as url:
                    while True:
                        live.update(await _view(url), refresh=True)
                        await asyncio.sleep(REFRESH_S)
            except AdminError as error:
                live.update(str(error), refresh=True)
            await asyncio.sleep(REFRESH_S)


def _address_in(state: Path) -> str:
    """What the controller of `farebox up` wrote when it was ready."""
    ready = state / "controller.ready"
    try:
        return f"http://127.0.0.1:{json.loads(ready.read_text())['admin']}"
    except (OSError, ValueError, KeyError):
        raise AdminError(
            f"No controller has been started with the state folder {state}: start one with "
            "`farebox up`, or name one with --controller-admin URL."
        ) from None


async def _view(url: str) -> "Group":
    from rich.console import Group

    _check_leads(await get_json(f"{url}/v1/leader"))
    pools = read_pools(await get_json(f"{url}/v1/pools"))
    holders = read_holders(await get_json(f"{url}/v1/holders"))
    tasks = read_tasks(await get_json(f"{url}/v1/tasks"))
    return Group(
        sheet(
            "Pools",
            (
                "pool [key]",
                ">limit",
                ">settled",
                ">held",
                ">leased",
                ">headroom",
                ">spend",
                "until",
            ),
            pool_rows(pools),
        ),
        sheet("Sidecars", ("workload", "holder", "is", ">leases"), holder_rows(holders)),
        *_task_sheets(tasks),
    )


def _check_leads(told: Mapping[str, Any]) -> None:
    """Raises AdminError for a controller that stands by, which knows no figures."""
    if told.get("role") == "standby":
        who = f"{told['leader']} at {told['address']}" if told["leader"] else "nobody"
        raise AdminError(f"This controller stands by; {who} leads.")


def _task_sheets(tasks: Tasks) -> Iterator["Table"]:
    """Tasks, who served them at what cost, and what is wrong; what is empty is left out."""
    if rows := task_rows(tasks):
        recent = f">in {window_title(tasks)}"
        columns = (">calls", recent, ">escalated", ">baseline", ">schema failed", ">unsure")
        yield sheet("Tasks", ("task", *columns), rows)
    if services := service_rows(tasks):
        yield sheet(
            "Cost by task, tier and model",
            ("task", "tier", "model", ">served", ">cost", ">of the task's"),
            services,
        )
    if tasks.alerts:
        seen = ("where", "condition", "since", "what was seen")
        yield sheet("To look at", seen, alert_rows(tasks.alerts))


def pool_rows(lines: Sequence[PoolLine]) -> list[tuple[object, ...]]:
    """Shared pools first, then sub-pools, each the most used first; at most `ROWS_MAX`."""
    ordered = sorted(lines, key=lambda line: (line.key != "", -_percent(line), line.title))
    return [
        (
            line.title,
            dollars(line.limit, DECIMALS),
            dollars(line.settled, DECIMALS),
            dollars(line.held, DECIMALS),
            dollars(line.leased, DECIMALS),
            dollars(line.headroom, DECIMALS),
            _bar(line),
            line.window_ends or "for good",
        )
        for line in ordered[:ROWS_MAX]
    ]


def holder_rows(lines: Sequence[HolderLine]) -> list[tuple[object, ...]]:
    """Connected sidecars first."""
    ordered = sorted(lines, key=lambda line: (not line.connected, line.workload, line.holder))
    return [
        (line.workload, line.holder[:8], _state_of(line), line.leases)
        for line in ordered[:ROWS_MAX]
    ]


def _state_of(line: HolderLine) -> str:
    if line.connected:
        return "connected"
    return "silent, its leases are frozen" if line.frozen else "away"


def _percent(line: PoolLine) -> int:
    return divide_up(line.settled * 100, line.limit) if line.limit else 0


def _bar(line: PoolLine) -> str:
    """Settled money as a bar, what is lent beyond it lighter."""
    if not line.limit:
        return ""
    settled = min(_BAR_CELLS, divide_up(line.settled * _BAR_CELLS, line.limit))
    committed = min(_BAR_CELLS, divide_up(line.committed * _BAR_CELLS, line.limit))
    lent = max(0, committed - settled)
    return f"{'█' * settled}{'▒' * lent}{'·' * (_BAR_CELLS - settled - lent)} {_percent(line)} %"
