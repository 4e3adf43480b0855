"""One cap run from its scenario to what is found: start, call, kill, grow quiet, judge.

The one rule: the verdict is reached after all processes have ended, from files and from the state
that the controller showed when all was quiet. This module must not know how results are printed.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import cap_judge
from bench.cap_callers import Crowd, Tally
from bench.cap_fleet import Fleet, started_fleet
from bench.cap_judge import Account, Bill, Breach, Finding, Line
from bench.cap_receipts import Receipts, book_findings, read_receipts
from bench.cap_scenario import Kind, Scenario
from farebox.cli.admin import AdminError
from farebox.cli.processes import ChildError
from farebox.simulated.ledger import read_entries

_WATCH_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen while everything ran: callers, provider, the controller's last state."""

    tally: Tally
    statuses: Mapping[str, int]
    lines: Mapping[Account, Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything about one run. `faults` by kind, as the provider has them on its books."""

    scenario: Scenario
    folder: Path
    findings: tuple[Finding, ...]
    tally: Tally = field(default_factory=Tally)
    faults: Mapping[str, int] = field(default_factory=dict)
    bills: Mapping[Account, Bill] = field(default_factory=dict)
    lines: Mapping[Account, Line] = field(default_factory=dict)
    receipts: Receipts = field(default_factory=Receipts)
    billed_calls: int = 0

    @property
    def worst(self) -> Bill | None:
        """The account that came nearest to its limit, or went beyond."""
        return max(self.bills.values(), key=lambda bill: bill.share, default=None)

    @property
    def stranded_nanos(self) -> int:
        """Money still out though all is quiet."""
        return sum(line.out_nanos for line in self.lines.values())

    @property
    def exhausted(self) -> Mapping[Account, float]:
        """The share really spent of each pool that refused for good; storms are not asked."""
        if self.scenario.kind is Kind.STORM:
            return {}
        found = {account: self.bills.get(account) for account in self.tally.exhausted}
        return {account: bill.share if bill else 0.0 for account, bill in found.items()}

    @property
    def late_nanos(self) -> int:
        """What was received after the window that it was held in, over all pools."""
        return cap_judge.late_pico(self.bills, self.lines) // cap_judge.PICO_PER_NANO

    @property
    def overcount_nanos(self) -> int:
        """By how much the controller counts more than the provider billed."""
        settled, billed = _org_totals(self.lines, self.bills)
        return settled - billed


async def run(scenario: Scenario, folder: Path) -> Result:
    """Run a scenario in an empty folder. What goes wrong is a finding of the result."""
    died = ""
    try:
        async with started_fleet(scenario, folder) as fleet:
            seen = await _drive(scenario, fleet)
    except* (ChildError, AdminError) as group:
        died = str(_first(group))
    if died:
        finding = Finding(breach=Breach.DIED, sentence=died)
        return Result(scenario=scenario, folder=folder, findings=(finding,))
    return judge(scenario, folder, fleet.ledger, fleet.receipts, seen)


def judge(
    scenario: Scenario, folder: Path, ledger: Path, receipts: tuple[Path, ...], seen: Seen
) -> Result:
    """Compare the provider's ledger with limits and with what the controller says."""
    entries = read_entries(ledger)
    found = cap_judge.bills(scenario.pools, entries)
    told = read_receipts(receipts)
    settled, billed = _org_totals(seen.lines, found)
    findings = [
        *cap_judge.overspent(found),
        *cap_judge.undercounted(found, seen.lines),
        *cap_judge.stranded(seen.lines),
        *book_findings(told, settled_nanos=settled, billed_nanos=billed, calls=len(entries)),
    ]
    if scenario.kind is Kind.EXHAUSTION:
        findings += cap_judge.unspent(found, seen.tally.exhausted)
        findings += _restless(seen.tally)
    faults = Counter(entry.fault for entry in entries if entry.fault)
    faults.update({f"error{status}": count for status, count in seen.statuses.items()})
    return Result(
        scenario=scenario,
        folder=folder,
        findings=tuple(findings),
        tally=seen.tally,
        faults=faults,
        bills=found,
        lines=seen.lines,
        receipts=told,
        billed_calls=len(entries),
    )


async def _drive(scenario: Scenario, fleet: Fleet) -> Seen:
    crowd = Crowd(scenario, fleet.base_urls)
    async with asyncio.TaskGroup() as group:
        calling = group.create_task(crowd.run())
        group.create_task(_watch(fleet, calling))
        group.create_task(_direct(scenario, fleet, crowd, calling))
    lines = await fleet.quiet()
    return Seen(tally=crowd.tally, statuses=await fleet.error_statuses(), lines=lines)


async def _direct(
    scenario: Scenario, fleet: Fleet, crowd: Crowd, calling: asyncio.Task[None]
) -> None:
    """Kill at the times of the scenario; then end the faults, let all run, let callers stop."""
    began = asyncio.get_running_loop().time()

    async def at(milliseconds: int) -> None:
        left = began + milliseconds / 1000 - asyncio.get_running_loop().time()
        await asyncio.wait((calling,), timeout=max(0.0, left))

    async with asyncio.TaskGroup() as kills:
        for kill in scenario.kills:
            await at(kill.at_ms)
            kills.create_task(fleet.kill(kill))
    await at(scenario.storm_ms)
    await fleet.end_faults()
    await fleet.all_ready()
    crowd.stop()


async def _watch(fleet: Fleet, calling: asyncio.Task[None]) -> None:
    while not calling.done():
        fleet.check()
        await asyncio.wait((calling,), timeout=_WATCH_S)


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _org_totals(lines: Mapping[Account, Line], found: Mapping[Account, Bill]) -> tuple[int, int]:
    """Settled and billed in the root pool over all windows, in n$; every call counts there once."""
    settled = sum(line.settled_nanos for account, line in lines.items() if account.pool == "org")
    billed = sum(bill.billed_pico for account, bill in found.items() if account.pool == "org")
    return settled, -(-billed // cap_judge.PICO_PER_NANO)


def _restless(tally: Tally) -> list[Finding]:
    if not tally.impatient:
        return []
    sentence = f"{tally.impatient} callers were put off again and again and never refused for good"
    return [Finding(breach=Breach.RESTLESS, sentence=sentence)]
