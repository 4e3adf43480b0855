"""`farebox profile`: samples through every tier, judged by the tasks' own gates.

The one rule: nothing is called before its worst case is held, and nothing is paid for twice: the
same command goes on where the last one ended. This module must not know how calls are made.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from farebox.after.scorer import with_scorer
from farebox.cli import fleet
from farebox.cli.demo_answers import write_book
from farebox.cli.processes import Children
from farebox.cli.progress import Shown
from farebox.cli.rehearsals import samples_of
from farebox.cli.resources import read_resources
from farebox.cli.tables import dollars, make_console, sheet
from farebox.core.money import Nanos
from farebox.core.tasks import RoutingPolicy
from farebox.core.tiers import Tier
from farebox.gates.functions import Functions
from farebox.launch.battery import Battery, Plan, Trial, rungs_of
from farebox.launch.judging import Judge
from farebox.launch.paying import Payer
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import RESULTS_FILE, Profile, write_profile
from farebox.launch.profiling import Setting, profile_of, task_of
from farebox.launch.provider import Provider
from farebox.launch.report import REPORT_FILE, write_report
from farebox.launch.results import Results
from farebox.launch.rewriting import MANIFESTS, write_manifests
from farebox.launch.till import Till
from farebox.manifests.resources import Resources
from farebox.runtime.clock import SystemClock

if TYPE_CHECKING:
    from rich.console import Console

COMPLETE: Final = 0
INCOMPLETE: Final = 1
VARIABLES: Final = "FAREBOX_"
"""Environment variables of this prefix may stand in a baseURL."""

LATENCY_MS: Final = 5
"""Of the simulated provider's lowest tier; each further one is as much slower."""

PROVIDER_STATE: Final = "provider"
"""The simulated provider's folder below the profile's own."""

_INPUT_TYPICAL: Final = 500
_OUTPUT_TYPICAL: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command was called with. `cap` is for all runs into `out`, in nano-dollars.

    `weights` is a folder of NAME.weights that count before the packaged ones.
    """

    manifests: Path
    namespace: str
    prompts: Path
    out: Path
    limit: int | None
    concurrency: int
    cap: Nanos
    tiers: tuple[str, ...]
    repeat_lost: bool
    simulate: bool
    weights: Path | None = None


async def run_profile(options: Options) -> int:
    """Run, keep and show; exit status 0, or 1 when samples are left."""
    options.out.mkdir(parents=True, exist_ok=True)
    console = make_console()
    async with AsyncExitStack() as stack:
        variables = dict(_environment())
        if options.simulate:
            variables |= await stack.enter_async_context(_simulated(options))
        resources = read_resources(options.manifests, variables=variables)
        profile = await _measure(options, resources, stack, console)
    write_profile(options.out, profile)
    write_report(options.out, profile)
    if profile.complete:
        now_ = SystemClock().utc()
        write_manifests(options.manifests, options.out / MANIFESTS, profile, now=now_)
    _show(profile, options, console)
    return COMPLETE if profile.complete else INCOMPLETE


async def _measure(
    options: Options, resources: Resources, stack: AsyncExitStack, console: "Console"
) -> Profile:
    """Run the battery; a Ctrl-C lets what is under way end, keeps it all, and goes on up."""
    setting, plan = _plan(options, resources, console)
    results = stack.enter_context(Results(options.out / RESULTS_FILE))
    till = Till(options.cap, spent=results.spent)
    provider = await stack.enter_async_context(Provider(SystemClock()))
    functions = Functions()
    stack.push_async_callback(functions.close)
    payer = Payer(provider, results, till, repeat_lost=options.repeat_lost)
    judge = Judge(resources.catalogue, payer, functions, output_default=plan.output_default)
    with Progress(console, len(plan), till) as progress:
        battery = Battery(plan, payer, judge, note=progress.note)
        try:
            await _until_done(battery, options.concurrency, progress.say)
        except asyncio.CancelledError:
            write_profile(options.out, profile_of(plan, battery, till, setting))
            progress.say(
                f"Stopped after {len(battery.trials)} of {len(plan)}; {dollars(till.spent)} spent. "
                "The same command goes on from here and pays for nothing twice."
            )
            raise
    return profile_of(plan, battery, till, setting)


async def _until_done(battery: Battery, concurrency: int, say: Callable[[str], None]) -> None:
    """Run a battery; when this is cancelled, what is under way ends first. A second time it does
    not, and counts as lost.
    """
    async with asyncio.TaskGroup() as group:
        run = group.create_task(battery.run(concurrency=concurrency))
        try:
            await asyncio.shield(run)
        except asyncio.CancelledError:
            battery.stop()
            say("Stopping: waiting for the calls under way (Ctrl-C again gives them up) ...")
            await asyncio.shield(run)
            raise


def _plan(options: Options, resources: Resources, console: "Console") -> tuple[Setting, Plan]:
    """What is to be tried. Raises LaunchError."""
    setting = Setting(
        measured=_today(),
        namespace=options.namespace,
        catalogue=resources.catalogue,
        tasks=resources.tasks.get(options.namespace, ()),
        routing=resources.routing.get(options.namespace, RoutingPolicy()),
        simulated=options.simulate,
    )
    policy, problem = with_scorer(setting.policy, options.weights)
    if problem:
        console.print(problem, markup=False)
    setting = replace(setting, scorer=policy.scorer)
    samples = samples_of(options.prompts, limit=options.limit)
    plan = Plan(
        samples=[(sample, task_of(sample, policy)) for sample in samples],
        rungs=rungs_of(
            _chosen(resources, options.tiers),
            input_tokens=_INPUT_TYPICAL,
            output_tokens=_OUTPUT_TYPICAL,
        ),
        gates={task.name: task.gates for task in setting.tasks},
        output_default=setting.routing.output_tokens_default,
    )
    return setting, plan


def _chosen(resources: Resources, names: tuple[str, ...]) -> tuple[Tier, ...]:
    tiers = resources.catalogue.tiers
    if unknown := set(names) - {tier.name for tier in tiers}:
        known = ", ".join(tier.name for tier in tiers)
        raise LaunchError(f"no tier {', '.join(sorted(unknown))}: choose of {known}")
    chosen = tuple(tier for tier in tiers if not names or tier.name in names)
    if not chosen:
        raise LaunchError("the manifests have no ModelTier: write the models to try")
    return chosen


@asynccontextmanager
async def _simulated(options: Options) -> AsyncIterator[Mapping[str, str]]:
    """A simulated provider beside the run; its ledger stays in the profile's folder."""
    resources = read_resources(options.manifests)
    state = options.out / PROVIDER_STATE
    async with Children(state) as children:
        book = write_book(state, options.prompts, resources, namespace=options.namespace)
        config = fleet.provider_config(resources.catalogue, latency_ms=LATENCY_MS, outcomes=book)
        provider = await children.start(fleet.provider(state, config))
        yield fleet.provider_variables(provider)


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}


def _today() -> str:
    return datetime.fromtimestamp(SystemClock().utc() / 1000, UTC).date().isoformat()


class Progress(Shown):
    """Counts trials: how many passed, how many had no answer, what is spent."""

    def __init__(self, console: "Console", total: int, till: Till) -> None:
        super().__init__(console, "profile", total)
        self._till = till
        self._done = self._passed = self._unanswered = 0

    @property
    def done(self) -> int:
        return self._done

    def note(self, trial: Trial) -> None:
        """Count one more trial."""
        self._done += 1
        self._passed += trial.passed
        self._unanswered += trial.ending != "answered"
        self.show()

    def said(self) -> str:
        return (
            f"passed {self._passed}  no answer {self._unanswered}  "
            f"spent {dollars(self._till.spent, 4)} of {dollars(self._till.cap, 2)}"
        )


def _show(profile: Profile, options: Options, console: "Console") -> None:
    console.print(
        sheet(
            "Proposed tiers",
            ("task", "before", "proposed", "why"),
            [
                (task.task, task.tier_before or "-", task.proposal.tier or "-", task.proposal.says)
                for task in profile.tasks
            ],
        )
    )
    for gap in profile.gaps:
        console.print(f"- {gap}", markup=False, soft_wrap=True)
    if profile.simulated:
        console.print("The providers were simulated: these rates are declared.", style="bold")
    console.print(
        f"{dollars(Nanos(profile.spent))} of {dollars(Nanos(profile.cap), 2)} spent. Report: "
        f"{options.out / REPORT_FILE}. {_next_step(profile, options)}",
        markup=False,
        soft_wrap=True,
    )


def _next_step(profile: Profile, options: Options) -> str:
    if not profile.complete:
        return "Not complete: the same command, with a higher --max-cost, goes on from here."
    return (
        f"Manifests to apply: {options.out / MANIFESTS}. Next: farebox project --profile "
        f"{options.out} --volume 50000/day"
    )
