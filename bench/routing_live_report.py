"""What the live routing run showed, beside what the offline figures say of the very same calls.

The one rule: a budget that was overrun, a call billed outside its window, a quality outside the
offline interval or a bill below it is a failure and is called one. This module must not know
processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.routing_live_run import Ran
from bench.routing_live_setup import ANSWER_MAX, QUALITY, Manner
from bench.routing_report import shown
from farebox.core.reasons import Reason
from farebox.core.scoring import Weights
from farebox.learn import shipped
from farebox.learn.accuracy import Interval, bootstrap
from farebox.learn.encoding import Floats
from farebox.learn.pairs import Pooled
from farebox.learn.savings import (
    Forecast,
    forecast,
    online,
    oracle_order,
    random_mix,
    strong_until_broke,
    under_budget,
)

TITLE = "## End to end"

_METHOD = (
    "The prompts went through a sidecar and a controller as processes, to simulated providers that "
    "answer right or wrong as the data says and keep their own ledger, which is the bill. Each "
    "budget is a `BudgetPool` of one fixed window, and nothing else limits a call. Calls come in a "
    "shuffled order at a steady rate that fills the window; that rate and all costs are learned "
    f"under way. The policy is `Model` with `quality: {QUALITY}` and pacing. Callers ask for "
    "`max_tokens` a quarter above the longest answer of its source, grade what they get, and count "
    "a refusal as 0. A byte is billed a quarter of a token's price."
)
_READING = (
    "`offline` is the budgeted quality of the same prompts in the same order, as `Hard budgets, "
    "online` reckons it: it knows how many calls will come and what they cost in the mean, and "
    "holds nothing for calls under way. Bills are in percent of the budget. `held` is the most "
    "that was seen held for calls under way; `short` are calls that went to the weak model because "
    "the strong one's worst case did not fit at that moment, `paced` those that pacing sent there."
)
_CONTRASTS = (
    "The same calls in other manners, for contrast and not judged by their quality: without "
    f"pacing, and with callers that ask for {ANSWER_MAX:,} tokens whatever they need, so that "
    "holds keep money from being spent while calls are under way. What such a bill falls short of "
    "its budget is mostly that."
)
_HEAD = (
    "quality | offline | random mix | strong until broke | oracle | bill | offline bill "
    "| to the strong model | paced | short | refused | held |"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One budget: what was seen, and what the offline figures say."""

    ran: Ran
    live: Interval
    offline: Interval
    spent: Interval
    random_mix: float
    until_broke: float
    oracle: float
    strong: float

    @property
    def judged(self) -> bool:
        """Whether the quality is to be as the offline figures say."""
        return self.ran.budget.manner is Manner.PACED

    @property
    def billed(self) -> float:
        """The bill in percent of the budget."""
        return 100 * self.ran.bill / self.ran.budget.limit

    @property
    def failures(self) -> list[str]:
        """What is wrong, one sentence each."""
        ran, limit = self.ran, self.ran.budget.limit
        found = []
        if ran.bill > limit:
            found.append(f"the bill of {ran.bill} n$ exceeds the budget of {limit} n$")
        if ran.outside:
            found.append(f"{ran.outside} calls were billed outside the window")
        as_offline = self.offline.low <= self.live.value <= self.offline.high
        if self.judged and not as_offline:
            found.append(
                f"the quality of {self.live.value:.3f} is outside the offline interval "
                f"[{self.offline.low:.3f}, {self.offline.high:.3f}]"
            )
        if self.judged and self.billed < self.spent.low:
            found.append(
                f"the bill of {self.billed:.1f}% of the budget is below the offline interval "
                f"[{self.spent.low:.1f}, {self.spent.high:.1f}]"
            )
        return found


def lines_of(pool: Pooled, model: Weights, results: Sequence[Ran]) -> list[Line]:
    """Compare each budget with the offline figures of the same rows."""
    scores = shipped.paced(shipped.scores_of(model, pool))
    return [_line(pool, model, scores, ran) for ran in results]


def _line(pool: Pooled, model: Weights, scores: Floats, ran: Ran) -> Line:
    share = ran.budget.percent / 100
    usual = Forecast(
        np.array(model.usual),
        np.array(model.usual_spend),
        float(pool.weak_cost.mean()),
        float(pool.strong_cost.mean()),
    )
    offline = online(scores, pool, share, usual)
    best = oracle_order(pool)
    strong = pool.pair.strong.names
    return Line(
        ran=ran,
        live=_mean(np.array([answer.score for answer in ran.answers])),
        offline=_mean(offline.qualities),
        spent=_mean(offline.costs * (100 * len(pool) / ran.budget.limit)),
        random_mix=random_mix(pool, share),
        until_broke=strong_until_broke(pool, share),
        oracle=float(under_budget(best, pool, share, forecast(best, pool)).mean()),
        strong=float(np.mean([answer.model in strong for answer in ran.answers])),
    )


def _mean(values: Floats) -> Interval:
    return bootstrap(lambda at: float(values[at].mean()), len(values))


def section(pool: Pooled, lines: Sequence[Line], what: str) -> list[str]:
    """The section of the report."""
    bad = [f"{_title(one)}: {failure}" for one in lines for failure in one.failures]
    verdict = (
        "**Reached: every quality and every bill lies within the offline interval, and no bill "
        "exceeds its budget.**"
        if not bad
        else f"**Missed: {'; '.join(bad)}.**"
    )
    return [
        TITLE,
        "",
        f"{len(pool)} prompts of pool {pool.pair.name}, a fixed sample of {what}. {_METHOD}",
        "",
        f"{verdict} {_READING}",
        "",
        f"| budget | {_HEAD}",
        "|---" * 13 + "|",
        *(_row(one) for one in lines if one.judged),
        "",
        _CONTRASTS,
        "",
        f"| budget | {_HEAD}",
        "|---" * 13 + "|",
        *(_row(one) for one in lines if not one.judged),
        "",
    ]


def _title(one: Line) -> str:
    budget = one.ran.budget
    return f"{budget.percent}%" if one.judged else f"{budget.percent}%, {budget.manner}"


def _row(one: Line) -> str:
    ran, limit = one.ran, one.ran.budget.limit
    refused = sum(answer.status != 200 for answer in ran.answers)
    cells = [
        _title(one),
        shown(one.live),
        shown(one.offline),
        f"{one.random_mix:.3f}",
        f"{one.until_broke:.3f}",
        f"{one.oracle:.3f}",
        f"{one.billed:.1f}%",
        f"{shown(one.spent)}%",
        f"{one.strong:.1%}",
        str(ran.reasons.get(Reason.PACED, 0)),
        str(ran.reasons.get(Reason.TIER_LOWERED, 0)),
        str(refused),
        f"{100 * ran.held_max / limit:.1f}%",
    ]
    return f"| {' | '.join(cells)} |"


def with_section(document: str, lines: Sequence[str]) -> str:
    """A document with this section as its last, in place of the one that it had."""
    kept = document.partition(f"\n{TITLE}\n")[0].rstrip("\n")
    return "\n".join([*([kept, ""] if kept else []), *lines])
