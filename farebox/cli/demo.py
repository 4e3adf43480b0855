"""`farebox demo`: the whole thing on one machine, and what is left when parts of it are killed.

Read in this order: `run_demo`, the storm in the middle, the evidence, the report. The one rule: the
cap is judged by the provider's own ledger. This module must not know how anything is enforced.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from farebox.cli import fleet, reports, tables
from farebox.cli.admin import admin_url, get_json, until_ready
from farebox.cli.calls import Ending, Outcome, send_all
from farebox.cli.demo_answers import PROMPTS, write_book
from farebox.cli.fleet import Pod
from farebox.cli.processes import Child, ChildError, Children, elapsed_ms, now
from farebox.cli.progress import Progress
from farebox.cli.prompts import Prompt, read_prompts
from farebox.cli.records import PoolLine, ReceiptLine, read_holders, read_pools, read_receipts
from farebox.cli.resources import ManifestError, copy_scaled, pools_of, read_resources
from farebox.cli.up import start_sidecar
from farebox.cli.verdicts import HELD, Verdict, verdict
from farebox.core.budgets import Per
from farebox.core.money import format_dollars
from farebox.manifests.resources import Resources
from farebox.simulated.ledger import Entry, read_entries

if TYPE_CHECKING:
    from rich.console import Console

CALLERS: Final = 8
CALLS_OF_CAPS: Final = 216
"""The limits in examples/demo are made for so many calls."""

LABELS: Final = {"app": "assistant"}
PODS: Final = (Pod(name="assistant-0", labels=LABELS), Pod(name="assistant-1", labels=LABELS))
LATENCY_MS: Final = 25
"""Of the lowest tier; each further one is slower, so that kills meet calls in flight."""

FAULTS: Final = {
    "error500": 0.01,
    "error429": 0.01,
    "cutStream": 0.01,
    "missingUsage": 0.01,
    "slowBody": 0.01,
    "hangUp": 0.005,
}
KEY: Final = "sk-demo"
_ROOT: Final = Path(__file__).parent.parent.parent
MANIFESTS: Final = _ROOT / "examples" / "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The processes of the demo while they run."""

    provider: Child
    controller: Child
    sidecars: tuple[Child, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was written down about a run."""

    outcomes: Sequence[Outcome]
    receipts: Sequence[ReceiptLine]
    entries: Sequence[Entry]
    pools: Sequence[PoolLine]


async def run_demo(
    *, prompts: Path | None, limit: int | None, manifests: Path | None, keep: bool
) -> int:
    """Run the demo; returns 0 when the cap held, 1 when not, 2 when something else broke."""
    console = tables.make_console()
    to_send = read_prompts(prompts or PROMPTS, limit=limit)
    state = Path(tempfile.mkdtemp(prefix="farebox-demo-"))
    try:
        folder = manifests or _own_manifests(state, calls=len(to_send))
        resources = read_resources(folder)
        _announce(resources, len(to_send), console)
        book = write_book(state, prompts or PROMPTS, resources, namespace=PODS[0].namespace)
        evidence = await _perform(state, folder, resources, to_send, console, book)
        judged = _report(evidence, resources, console)
        keep = keep or judged.status != HELD
    except ChildError:
        keep = True
        raise
    finally:
        if keep:
            console.print(f"Logs, receipts, journals and the ledger are in {state}", style="dim")
        else:
            shutil.rmtree(state, ignore_errors=True)
    return judged.status


def _own_manifests(state: Path, *, calls: int) -> Path:
    """The demo's manifests, with its caps in proportion when there are other prompts to send."""
    if not MANIFESTS.is_dir():
        raise ManifestError(f"{MANIFESTS} is not there: name a folder with --manifests.")
    if calls == CALLS_OF_CAPS:
        return MANIFESTS
    read_resources(MANIFESTS)
    copy_scaled(MANIFESTS, state / "manifests", share=Fraction(calls, CALLS_OF_CAPS))
    return state / "manifests"


async def _perform(
    state: Path,
    folder: Path,
    resources: Resources,
    prompts: Sequence[Prompt],
    console: "Console",
    book: Path,
) -> Evidence:
    """Start everything, send all prompts with a storm in the middle, and collect the evidence."""
    async with Children(state) as children:
        stage = await _set_up(children, folder, resources, book)
        outcomes = await _send(children, stage, prompts, console)
        # A sidecar that ends in good order gives back what it was lent, so the books are final.
        for sidecar in stage.sidecars:
            await sidecar.stop()
        pools = read_pools(await get_json(admin_url(stage.controller, "/v1/pools")))
    receipts = [line for pod in PODS for line in read_receipts(fleet.receipts_of(state, pod))]
    entries = read_entries(fleet.ledger_of(state))
    return Evidence(outcomes=outcomes, receipts=receipts, entries=entries, pools=pools)


async def _set_up(children: Children, folder: Path, resources: Resources, book: Path) -> Stage:
    config = fleet.provider_config(
        resources.catalogue, latency_ms=LATENCY_MS, faults=FAULTS, outcomes=book
    )
    provider = await children.start(fleet.provider(children.folder, config))
    variables = fleet.provider_variables(provider)
    program = fleet.controller(children.folder, manifests=folder, variables=variables)
    controller = await children.start(program)
    with _one_error():
        async with asyncio.TaskGroup() as group:
            starts = [group.create_task(start_sidecar(children, pod, controller)) for pod in PODS]
    return Stage(
        provider=provider,
        controller=controller,
        sidecars=tuple(start.result() for start in starts),
    )


async def _send(
    children: Children, stage: Stage, prompts: Sequence[Prompt], console: "Console"
) -> list[Outcome]:
    """Send all prompts; halfway the storm breaks. Raises ChildError when a process just dies."""
    halfway = asyncio.Event()
    with Progress(console, "demo", len(prompts)) as progress:

        def note(outcome: Outcome) -> None:
            progress.note(outcome.ending)
            if progress.done * 2 >= len(prompts):
                halfway.set()

        with _one_error():
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(children.watch())
                storm = group.create_task(_storm(halfway, stage, progress))
                outcomes = await send_all(
                    prompts,
                    base_urls=[fleet.base_url(sidecar) for sidecar in stage.sidecars],
                    callers=CALLERS,
                    api_key=KEY,
                    note=note,
                )
                await storm
                watch.cancel()
    return outcomes


@contextmanager
def _one_error() -> Iterator[None]:
    """Let the first cause out of a block that runs a task group."""
    try:
        yield
    except ExceptionGroup as group:
        raise _cause(group) from group


def _cause(error: ExceptionGroup[Exception]) -> Exception:
    """The one error of a group that a person should read."""
    first = error.exceptions[0]
    return _cause(first) if isinstance(first, ExceptionGroup) else first


async def _storm(halfway: asyncio.Event, stage: Stage, progress: Progress) -> None:
    """Kill the last sidecar and the controller without warning, then start them again."""
    await halfway.wait()
    victim = stage.sidecars[-1]
    progress.say(
        f">>> kill -9 {victim.name} (pid {victim.pid}) and controller "
        f"(pid {stage.controller.pid}), calls in flight"
    )
    since = now()
    for child in (victim, stage.controller):
        await child.kill()
    # The other sidecar goes on with what it was lent while nobody lends.
    await stage.controller.start()
    await victim.start()
    await until_ready(victim)
    back_s = elapsed_ms(since) / 1000
    holders = read_holders(await get_json(admin_url(stage.controller, "/v1/holders")))
    leases = sum(holder.leases for holder in holders)
    progress.say(f">>> both are back after {back_s:.1f} s; the controller knew all {leases} leases")


def _excused(outcomes: Sequence[Outcome]) -> int:
    """Calls that found the killed sidecar gone, or whose stream broke off with it."""
    victim = len(PODS) - 1
    return sum(
        one.ending is Ending.FAILED and one.endpoint == victim and one.status in {0, reports.OK}
        for one in outcomes
    )


def _announce(resources: Resources, calls: int, console: "Console") -> None:
    """Say what runs and what caps it."""
    pools = pools_of(PODS[0], resources)
    caps = ", ".join(
        f"{pool.title} ${format_dollars(pool.limit, 2)}"
        + ("" if pool.per is Per.SHARED else f" for each {pool.per.value.lower()}")
        for pool in reversed(pools)
    )
    models = ", ".join(f"{tier.name}: {model.name}" for tier, model in resources.catalogue)
    console.print(
        f"{calls} prompts, {CALLERS} callers, {len(PODS)} sidecars, the openai "
        "package; a simulated provider that keeps its own ledger and fails now and then"
    )
    console.print(f"caps   {caps}")
    console.print(f"tiers  {models}")


def _report(evidence: Evidence, resources: Resources, console: "Console") -> Verdict:
    """Show the tables and the verdict."""
    tasks = reports.calls_by_task(evidence.outcomes)
    models = reports.calls_by_model(evidence.outcomes, evidence.entries, resources.catalogue)
    frontier = reports.frontier_of(resources.catalogue)
    totals = reports.totals(evidence.receipts, evidence.entries, frontier)
    caps = reports.caps(pools_of(PODS[0], resources), evidence.entries, evidence.pools)
    judged = verdict(caps, totals, tasks, excused=_excused(evidence.outcomes))
    console.print()
    for table in (
        tables.tasks_table(tasks),
        tables.models_table(models),
        tables.unserved_table(reports.unserved(evidence.outcomes)),
        tables.totals_table(totals, counted=reports.counted_as_spent(caps)),
        tables.caps_table(caps),
    ):
        console.print(table)
    style = "bold green" if judged.status == HELD else "bold red"
    console.print(judged.line, style=style, markup=False)
    return judged
