"""The words of the cap benchmark: one table row a run, a summary, the command that replays a seed.

The one rule: every figure in a row is of that run alone, and a broken bound is a sentence of its
own below its row. This module must not know how anything was found.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bench.cap_judge import dollars_of_nanos
from bench.cap_run import Result
from bench.cap_scenario import CALLERS, SIDECARS, Scenario

_POOLS = ("org", "team", "people")
_COLUMNS = (
    ("seed", 5),
    ("run", 11),
    ("callers", 9),
    ("kills", 6),
    ("faults", 7),
    ("200", 6),
    ("402", 6),
    ("429", 6),
    ("503", 6),
    ("other", 6),
    ("org", 8),
    ("team", 8),
    ("people", 8),
    ("margin", 11),
    ("overdraft", 11),
    ("overcount", 11),
    ("late", 11),
    ("stranded", 11),
    ("spent", 7),
)


_HEADING = f"""\
{CALLERS} callers, {len(SIDECARS)} sidecars, 1 controller, 1 provider with a ledger of its own.
org, team, people: the highest bill of any window, in per cent of its limit; margin: what was
left there. overcount: settled beyond the bill. late: received after the window it was held in.
stranded: still out when all is quiet.
spent: the least share really spent of a pool that refused for good.
"""


def heading(seeds: Sequence[int]) -> str:
    """What is done, and the names of the columns."""
    return f"seeds {seeds[0]} to {seeds[-1]}; {_HEADING}\n" + _cells(name for name, _ in _COLUMNS)


def announcement(scenario: Scenario) -> str:
    """One line before a run, so that something moves."""
    pools = ", ".join(
        f"{plan.name} {plan.calls_worth} calls' worth "
        + ("for ever" if plan.period_ms is None else f"in {plan.period_ms // 1_000} s")
        for plan in scenario.pools
    )
    return f"seed {scenario.seed} {scenario.kind}: {pools}; {len(scenario.kills)} kills"


def row(result: Result) -> str:
    """The run's line of the table, and a line for each bound that was broken."""
    scenario, statuses = result.scenario, _by_status(result)
    named = ("200", "402", "429", "503")
    worst = result.worst
    cells = (
        str(scenario.seed),
        scenario.kind.value,
        str(CALLERS),
        str(len(scenario.kills)),
        str(sum(result.faults.values())),
        *(str(statuses[status]) for status in named),
        str(statuses.total() - sum(statuses[status] for status in named)),
        *(_highest_share(result, pool) for pool in _POOLS),
        "-" if worst is None else dollars_of_nanos(-worst.over_pico // 1_000),
        dollars_of_nanos(result.receipts.overdraft_nanos),
        dollars_of_nanos(result.overcount_nanos),
        dollars_of_nanos(result.late_nanos),
        dollars_of_nanos(result.stranded_nanos),
        _percent(min(result.exhausted.values(), default=None)),
    )
    broken = [f"  {one.breach.upper()}: {one.sentence}" for one in result.findings]
    if broken:
        broken.append(f"  again: {replay(scenario)}   its files: {result.folder}")
    return "\n".join([_cells(cells), *broken])


def replay(scenario: Scenario) -> str:
    """The command that runs a seed again."""
    return f"python -m bench.cap --first-seed {scenario.seed} --seeds 1 --keep"


def summary(results: Sequence[Result]) -> str:
    """All runs in a few lines."""
    faults: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for result in results:
        faults.update(result.faults)
        refused.update(result.tally.requests)
    shares = [share for result in results for share in result.exhausted.values()]
    highest = max((result.worst.share for result in results if result.worst), default=0.0)
    broken = sum(bool(result.findings) for result in results)
    kills = Counter(kill.victim for result in results for kill in result.scenario.kills)
    calls = sum(result.billed_calls for result in results)
    stranded = sum(result.stranded_nanos for result in results)
    runs = "1 run" if broken == 1 else f"{broken} runs"
    verdict = f"{runs} broke a bound" if broken else "every bound held"
    return f"""
{len(results)} runs, {calls} billed calls; kills: {_counted(kills)}
faults: {_counted(faults)}
requests: {_counted(refused)}
highest bill {highest:.2%} of its limit; stranded {dollars_of_nanos(stranded)}; \
least spent at exhaustion {_percent(min(shares, default=None))}
bench-cap: {verdict}"""


def as_json(result: Result) -> dict[str, Any]:
    """Everything about one run, for a file."""
    return {
        "seed": result.scenario.seed,
        "run": result.scenario.kind.value,
        "kills": [[kill.at_ms, kill.victim, kill.pause_ms] for kill in result.scenario.kills],
        "faults": dict(result.faults),
        "requests": dict(result.tally.requests),
        "accounts": [
            {
                "pool": account.pool,
                "user": account.user,
                "window_starts_ms": account.starts_ms,
                "limit_nanos": bill.limit_nanos,
                "billed_pico": bill.billed_pico,
                "first_second_pico": bill.late_pico,
            }
            for account, bill in result.bills.items()
        ],
        "settled_by_end_nanos": dict(result.receipts.cost_by_end),
        "overdraft_nanos": result.receipts.overdraft_nanos,
        "overcount_nanos": result.overcount_nanos,
        "late_nanos": result.late_nanos,
        "stranded_nanos": result.stranded_nanos,
        "spent_shares": {
            f"{account.pool}/{account.user}": share for account, share in result.exhausted.items()
        },
        "broken": [f"{one.breach}: {one.sentence}" for one in result.findings],
    }


def _by_status(result: Result) -> Counter[str]:
    statuses: Counter[str] = Counter()
    for name, count in result.tally.requests.items():
        statuses[name.partition(" ")[0]] += count
    return statuses


def _highest_share(result: Result, pool: str) -> str:
    shares = [bill.share for account, bill in result.bills.items() if account.pool == pool]
    return _percent(max(shares, default=None))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _cells(cells: Iterable[str]) -> str:
    widths = [width for _, width in _COLUMNS]
    return "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
