"""Why more is settled than was billed: the sidecars' receipts, summed by how attempts ended.

The one rule: receipts explain, they never judge; the cap is judged by the provider's ledger alone.
A sidecar that is killed takes its last receipts with it, so what no receipt knows is money of
attempts that a kill cut off.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.cap_judge import Breach, Finding, dollars_of_nanos, nanos

EXACT: Final = "usage_reported"
UNBILLED: Final = frozenset({"nothing_sent", "provider_refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Costs in n$ by how an attempt ended; `overdraft`: what attempts cost beyond their hold."""

    cost_by_end: Mapping[str, int] = field(default_factory=dict)
    overdraft_nanos: int = 0

    @property
    def total_nanos(self) -> int:
        """All that attempts with a receipt were settled at."""
        return sum(self.cost_by_end.values())

    @property
    def bounded_nanos(self) -> int:
        """Settled at a bound because nobody knows the bill."""
        return self.total_nanos - self.cost_by_end.get(EXACT, 0)


def read_receipts(paths: Iterable[Path]) -> Receipts:
    """Sum up files of receipts; a file that a kill cut in its last line is read up to there."""
    costs: Counter[str] = Counter()
    overdraft = 0
    for attempt in (one for path in paths for one in _attempts(path)):
        cost, held = nanos(attempt["cost_usd"]), nanos(attempt["held_usd"])
        costs[attempt["end"]] += cost
        overdraft += max(0, cost - held)
    return Receipts(cost_by_end=dict(costs), overdraft_nanos=overdraft)


def book_findings(
    told: Receipts, *, settled_nanos: int, billed_nanos: int, calls: int
) -> list[Finding]:
    """Judge the books: holds were true bounds, no receipt is unsettled, an over-count has a reason.

    How far models write beyond their limit is declared, so nothing may cost more than its hold.
    Exact costs are rounded up once a call, so each call may add one nano-dollar.
    """
    findings = []
    if told.overdraft_nanos > 0:
        sentence = (
            f"calls cost {dollars_of_nanos(told.overdraft_nanos)} more than was held for them"
        )
        findings.append(Finding(breach=Breach.OVERDRAWN, sentence=sentence))
    cut_off = settled_nanos - told.total_nanos
    if cut_off < 0:
        sentence = f"{dollars_of_nanos(-cut_off)} of the receipts is not settled"
        findings.append(Finding(breach=Breach.UNDERCOUNTED, sentence=sentence))
    over = settled_nanos - billed_nanos
    explained = told.bounded_nanos + max(0, cut_off) + calls
    if over > explained:
        sentence = (
            f"{dollars_of_nanos(over)} more is settled than was billed, of which only "
            f"{dollars_of_nanos(explained)} was settled at a bound or cut off by a kill"
        )
        findings.append(Finding(breach=Breach.UNEXPLAINED, sentence=sentence))
    return findings


def _attempts(path: Path) -> Iterable[Mapping[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            receipt = json.loads(line) if line else {}
        except ValueError:
            # The kill came in the middle of this write.
            continue
        yield from receipt.get("attempts", ())
