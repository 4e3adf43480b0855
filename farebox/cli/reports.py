"""The figures of a run: pure functions from what callers, sidecars and the provider wrote down.

The one rule: the provider's ledger is the judge. What Farebox says of itself stands beside the
bill, never in its place. This module must not know how a figure is shown.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from farebox.cli.calls import Ending, Outcome
from farebox.cli.records import PoolLine, ReceiptLine, title_of
from farebox.core.budgets import NO_KEY, Per, Pool
from farebox.core.instant import UtcMs, format_utc
from farebox.core.money import ZERO, Nanos, divide_up
from farebox.core.prices import cost
from farebox.core.reasons import REFUSALS, Reason
from farebox.core.tiers import Catalogue, Model
from farebox.core.usage import Usage
from farebox.core.windows import window_at
from farebox.simulated.ledger import Entry, bill_nanos

NO_ANSWER: Final = "no answer"
OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """The calls of one task by how they ended; `lowered` and `downgraded` are among the served."""

    task: str
    calls: int
    served: int
    lowered: int
    downgraded: int
    refused: int
    failed: int


def calls_by_task(outcomes: Iterable[Outcome]) -> list[TaskLine]:
    """One line for each task in alphabetical order."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.task, []).append(outcome)
    return [_task_line(task, groups[task]) for task in sorted(groups)]


def _task_line(task: str, outcomes: Sequence[Outcome]) -> TaskLine:
    endings = Counter(outcome.ending for outcome in outcomes)
    routes = Counter(
        outcome.route.partition(";")[0] for outcome in outcomes if outcome.ending is Ending.SERVED
    )
    return TaskLine(
        task=task,
        calls=len(outcomes),
        served=endings[Ending.SERVED],
        lowered=routes[Reason.OUTPUT_LOWERED.value],
        downgraded=routes[Reason.TIER_LOWERED.value],
        refused=endings[Ending.REFUSED],
        failed=endings[Ending.FAILED],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """What one model did: calls that callers saw served, and what the provider billed for it."""

    tier: str
    model: str
    served: int
    billed_calls: int
    input_tokens: int
    output_tokens: int
    billed: Nanos


def calls_by_model(
    outcomes: Iterable[Outcome], entries: Sequence[Entry], catalogue: Catalogue
) -> list[ModelLine]:
    """One line for each model of the tiers, lowest tier first, then those that no tier lists."""
    served = Counter(o.model for o in outcomes if o.ending is Ending.SERVED)
    tiers = {model.name: tier.name for tier, model in catalogue}
    billed_as = {model.upstream_name: model.name for _, model in catalogue}
    groups: dict[str, list[Entry]] = {name: [] for name in tiers}
    for entry in entries:
        groups.setdefault(billed_as.get(entry.model, entry.model), []).append(entry)
    return [
        ModelLine(
            tier=tiers.get(name, "(no tier)"),
            model=name,
            served=served[name],
            billed_calls=len(group),
            input_tokens=sum(entry.input_tokens for entry in group),
            output_tokens=sum(entry.output_tokens for entry in group),
            billed=Nanos(bill_nanos(group)),
        )
        for name, group in groups.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnservedLine:
    """Calls that were not served for one reason. `pool` is the one that bound, if any."""

    ending: Ending
    reason: str
    status: int
    pool: str
    calls: int
    advice: str


def unserved(outcomes: Iterable[Outcome]) -> list[UnservedLine]:
    """Refused and failed calls by reason, the most frequent first."""
    groups = Counter(
        (outcome.ending, outcome.reason or outcome.error or NO_ANSWER, outcome.status, outcome.pool)
        for outcome in outcomes
        if outcome.ending is not Ending.SERVED
    )
    return [
        UnservedLine(
            ending=ending,
            reason=reason,
            status=status,
            pool=pool,
            calls=calls,
            advice=_advice(reason, status),
        )
        for (ending, reason, status, pool), calls in groups.most_common()
    ]


def _advice(reason: str, status: int) -> str:
    known = {reason_.value: refusal.advice for reason_, refusal in REFUSALS.items()}
    if reason in known:
        return known[reason]
    if status == 0:
        return "No connection, also after the package's retries: the sidecar was down."
    return "The stream broke off." if status == OK else "The provider's own error, passed on."


@dataclass(frozen=True, slots=True, kw_only=True)
class CapLine:
    """One cap in one window, and the bill against it.

    `settled` is what the controller knows to be spent, `committed` that and what open leases may
    still cost; both None where it did not say (a window that is over).
    """

    pool: str
    key: str
    limit: Nanos
    billed: Nanos
    settled: Nanos | None = None
    committed: Nanos | None = None

    @property
    def title(self) -> str:
        return title_of(self.pool, self.key)

    @property
    def kept(self) -> bool:
        return self.billed <= self.limit

    @property
    def accounted(self) -> bool:
        """Whether the controller counts at least what the provider billed."""
        return self.committed is None or self.committed >= self.billed

    @property
    def percent(self) -> int:
        """The bill in per cent of the limit, rounded up: above 100 whenever the cap is broken."""
        if self.limit:
            return divide_up(self.billed * 100, self.limit)
        return 101 if self.billed else 0


def caps(
    pools: Iterable[Pool], entries: Sequence[Entry], lines: Iterable[PoolLine]
) -> list[CapLine]:
    """The bill against the limit of every pool of the pods, in each window that was billed in.

    Every call of the run draws on every shared pool, and on the sub-pool of its own user. The
    ledger knows users only, so a pool that is split by anything else is not judged here.
    """
    told = {(line.pool, line.key, line.window_starts): line for line in lines}
    judged = []
    for pool in pools:
        groups = _by_sub_pool(pool, entries)
        # Across a window's end the ledger can't tell which window a call's money was held in.
        sure = len({starts for _, starts in groups}) == 1
        for (key, starts), group in sorted(groups.items()):
            line = told.get((pool.title, key, starts)) if sure else None
            judged.append(
                CapLine(
                    pool=pool.title,
                    key=key,
                    limit=pool.limit,
                    billed=Nanos(bill_nanos(group)),
                    settled=line.settled if line else None,
                    committed=line.committed if line else None,
                )
            )
    return judged


def _by_sub_pool(pool: Pool, entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """The ledger by key and start of window; a call falls in the window it was received in."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    if pool.per not in {Per.SHARED, Per.USER}:
        return groups
    for entry in entries:
        key = "" if pool.per is Per.SHARED else entry.user or NO_KEY
        starts = format_utc(window_at(pool.window, UtcMs(entry.received_at_ms)).starts)
        groups.setdefault((key, starts), []).append(entry)
    return groups


def counted_as_spent(caps_: Iterable[CapLine]) -> Nanos:
    """The largest sum that the controller took for spent in one pool: that of the outermost."""
    return max((line.settled for line in caps_ if line.settled is not None), default=ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The money of a whole run. `held` and `settled` are from receipts, `billed` from the ledger.

    `on_frontier` prices the tokens that were billed at the dearest tier's rates: an estimate,
    because another model would have written another number of tokens.
    """

    attempts: int
    held: Nanos
    settled: Nanos
    billed_calls: int
    billed: Nanos
    on_frontier: Nanos

    @property
    def saved(self) -> Nanos:
        return Nanos(self.on_frontier - self.billed)

    @property
    def saved_percent(self) -> int:
        """The saving in per cent of the frontier's price, rounded down."""
        return self.saved * 100 // self.on_frontier if self.on_frontier else 0


def totals(
    receipts: Iterable[ReceiptLine], entries: Sequence[Entry], frontier: Model | None
) -> Totals:
    """Add up a run; without a `frontier` there is nothing to compare with."""
    lines = list(receipts)
    return Totals(
        attempts=sum(line.attempts for line in lines),
        held=Nanos(sum(line.held for line in lines)),
        settled=Nanos(sum(line.settled for line in lines)),
        billed_calls=len(entries),
        billed=Nanos(bill_nanos(entries)),
        on_frontier=ZERO if frontier is None else _priced(frontier, entries),
    )


def frontier_of(catalogue: Catalogue) -> Model | None:
    """The first model of the highest tier."""
    tiers = [tier for tier in catalogue.tiers if tier.models]
    return tiers[-1].models[0] if tiers else None


def _priced(model: Model, entries: Iterable[Entry]) -> Nanos:
    return Nanos(
        sum(
            cost(
                model.price,
                Usage(
                    input=entry.input_tokens - entry.cached_tokens,
                    cached_input=entry.cached_tokens,
                    output=entry.output_tokens,
                    call=1,
                ),
            )
            for entry in entries
        )
    )
