"""The rows of the table of targets: each measured as `farebox.learn` defines it, with its interval.

The one rule: a row says what it was measured on; one that cannot be measured on the given outcomes
says so instead of showing a figure. Thresholds, cascades and rules are those that ship.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.routing_bench import Bench, Scored
from bench.routing_targets import Target, target_named
from farebox.core.wording import wording_of
from farebox.learn import shipped
from farebox.learn.accuracy import Interval, auc, bootstrap
from farebox.learn.cascades import Cascade, agreed, confidence, run
from farebox.learn.curves import apgr, may_be_judged
from farebox.learn.encoding import Integers, structures_of
from farebox.learn.pairs import Pooled
from farebox.learn.rules import apply, loss
from farebox.learn.savings import (
    Forecast,
    forecast,
    oracle_order,
    random_mix,
    saving,
    saving_of,
    strong_until_broke,
    threshold_for,
    under_budget,
)

LOSS_MAX = 0.005
ABSTAINS_SHARE = 0.9
"""A release abstains from a source when it has no opinion on so much of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured row. `verdict` is set where the figure alone does not decide about the must.

    `oracle` is what one who knows the outcomes would reach. An unmeasured row has no figure.
    """

    target: Target
    figure: Interval | None
    rows: int
    oracle: str = ""
    note: str = ""
    must: bool | None = None

    @property
    def must_reached(self) -> bool | None:
        """None where nothing was measured."""
        if self.figure is None:
            return None
        if self.must is not None:
            return self.must
        return self.target.reached(self.figure.value, self.target.must)

    @property
    def goal_reached(self) -> bool:
        return self.figure is not None and self.target.reached(self.figure.value, self.target.goal)


def quality_rows(bench: Bench) -> Iterator[Row]:
    """All rows about quality and money, in the table's order."""
    yield apgr_row(bench, "APGR A", "A")
    yield apgr_row(bench, "APGR MMLU, 1,500 labels", "A-mmlu-few")
    yield apgr_row(bench, "APGR GSM8K in domain", "A-gsm8k")
    for name in ("B2", "B3", "C1", "C2"):
        yield apgr_row(bench, f"APGR {name}", name)
    yield from unseen_rows(bench)
    for share, names in ((0.95, ("A", "B2", "C2")), (0.99, ("A", "C2"))):
        for name in names:
            yield saving_row(bench, f"CMQ({f'{share:.2f}'[1:]}) {name}", name, share)
    for name in ("B1", "B2"):
        yield cascade_row(bench, f"cascade CMQ(1.0) {name}", name)
    for name in ("B1", "B2"):
        yield accept_row(bench, f"cascade accept AUC {name}", name)
    yield rules_row(bench, "decided by heuristics, loss <= .005", "A")
    yield budget_row(bench, "BQ(.25) A above the random mix", "A", 0.25)


def apgr_row(bench: Bench, item: str, name: str) -> Row:
    """APGR of a release on its own sources."""
    scored = bench.scored(name)
    if unusable(scored.pool):
        return unmeasured(item)
    pool, gains = scored.pool, scored.gains
    judged = may_be_judged(pool.weak, pool.strong)
    return Row(
        target=target_named(item),
        figure=_interval(lambda at: apgr(gains[at], pool.weak[at], pool.strong[at]), len(pool)),
        rows=len(pool),
        oracle=f"{apgr(oracle_order(pool), pool.weak, pool.strong):.3f}",
        note="" if judged else f"indicative: n = {len(pool)}, gap {pool.gap:.3f}",
    )


def unseen_rows(bench: Bench) -> Iterator[Row]:
    """One row per release and source that it was not trained on."""
    found = False
    for release in shipped.RELEASES:
        for source in bench.unseen(release.name):
            scored = bench.scored(release.name, (source,))
            if not unusable(scored.pool):
                found = True
                yield unseen_row(scored, f"{release.name} on {source}")
    if not found:
        yield unmeasured("unseen source")


def unseen_row(scored: Scored, title: str) -> Row:
    """APGR where the release has an opinion, and how often it has one."""
    known = scored.known()
    silent = 1 - len(known.pool) / len(scored.pool)
    pool, gains = known.pool, known.gains
    abstains = silent >= ABSTAINS_SHARE
    figure = Interval(float("nan"), float("nan"), float("nan"))
    if not unusable(pool):
        figure = _interval(lambda at: apgr(gains[at], pool.weak[at], pool.strong[at]), len(pool))
    return Row(
        target=target_named("unseen source"),
        figure=figure,
        rows=len(scored.pool),
        note=f"{title}: no opinion on {silent:.0%}, which go to the strong model",
        must=abstains or figure.low >= 0.5,
    )


def saving_row(bench: Bench, item: str, name: str, share: float) -> Row:
    """CMQ of a release with the threshold that ships."""
    scored = bench.scored(name)
    if unusable(scored.pool):
        return unmeasured(item)
    pool, worths = scored.pool, scored.worths
    threshold = scored.model.thresholds[f"cmq-{share:.2f}"]
    whole = saving(worths, pool, threshold, share)
    best = oracle_order(pool)
    oracle = saving(best, pool, threshold_for(best, pool, share), share)
    return Row(
        target=target_named(item),
        figure=_interval(
            lambda at: 100 * saving(worths[at], pool.at(at.tolist()), threshold, share).saved,
            len(pool),
        ),
        rows=len(pool),
        oracle=f"{oracle.saved:.0%}",
        note=f"achieved {whole.achieved:.4f}" + ("" if whole.counts else ": does not count"),
        must=None if whole.counts else False,
    )


def cascade_row(bench: Bench, item: str, name: str) -> Row:
    """CMQ(1.0) of the cascade that ships, all calls charged."""
    scored = bench.scored(name)
    second = scored.pool.pair.second
    found = agreed(scored.pool, second) if second is not None and len(scored.pool) else None
    if found is None or second is None:
        return unmeasured(item)
    worths, limits = scored.worths, scored.model.thresholds
    cascade = Cascade(limits["cascade-1.00-trust"], limits["cascade-1.00-doubt"])
    whole = run(found, worths, cascade, 1.0)
    return Row(
        target=target_named(item),
        figure=_interval(
            lambda at: 100 * run(found.at(at), worths[at], cascade, 1.0).saved, len(scored.pool)
        ),
        rows=len(scored.pool),
        note=f"achieved {whole.achieved:.4f}; second: {second.names[0]}"
        + ("" if whole.counts else ": does not count"),
        must=None if whole.counts else False,
    )


def accept_row(bench: Bench, item: str, name: str) -> Row:
    """How well agreement and the prompt tell right weak answers from wrong ones."""
    scored = bench.scored(name)
    second = scored.pool.pair.second
    found = agreed(scored.pool, second) if second is not None and len(scored.pool) else None
    if found is None:
        return unmeasured(item)
    trust = confidence(found, shipped.weak_chances(scored.scores))
    weak = scored.pool.weak
    return Row(
        target=target_named(item),
        figure=_interval(lambda at: auc(trust[at], weak[at]), len(weak)),
        rows=len(weak),
        oracle="1.000",
        note=f"agreement alone {auc(found.agree, weak):.3f}, "
        f"accepting all is right {weak.mean():.1%}",
    )


def rules_row(bench: Bench, item: str, name: str) -> Row:
    """The share of prompts that rules decide before the model, and what that loses."""
    scored = bench.scored(name)
    if unusable(scored.pool):
        return unmeasured(item)
    pool, worths = scored.pool, scored.worths
    structures = structures_of([wording_of(row.prompt) for row in pool.rows])
    rules = shipped.rules(name)
    decided = apply(rules, structures)
    strong = worths >= scored.model.thresholds["cmq-0.95"]
    hybrid = np.where(decided.by_rule, decided.strong, strong)
    lost = loss(hybrid, worths, pool)
    share = decided.by_rule.astype(np.float64)
    achieved = saving_of(hybrid, pool, 0.95)
    return Row(
        target=target_named(item),
        figure=_interval(lambda at: 100 * float(share[at].mean()), len(pool)),
        rows=len(pool),
        note=f"{len(rules)} rules; loss {lost:+.4f} of quality at the same spend; "
        f"hybrid saves {achieved.saved:.0%} at {achieved.achieved:.3f}",
        must=None if lost <= LOSS_MAX else False,
    )


def budget_row(bench: Bench, item: str, name: str, share: float) -> Row:
    """BQ above the random mix, in points of quality."""
    scored = bench.scored(name)
    if unusable(scored.pool):
        return unmeasured(item)
    pool = scored.pool
    mix = random_mix(pool, share)
    qualities = under_budget(scored.paced, pool, share, forecast_of(scored))
    best = oracle_order(pool)
    oracle = float(under_budget(best, pool, share, forecast(best, pool)).mean())
    return Row(
        target=target_named(item),
        figure=_interval(lambda at: 100 * (float(qualities[at].mean()) - mix), len(pool)),
        rows=len(pool),
        oracle=f"{100 * (oracle - mix):.1f}",
        note=f"quality {qualities.mean():.3f}; random mix {mix:.3f}, oracle {oracle:.3f}, "
        f"strong until broke {strong_until_broke(pool, share):.3f}",
    )


def forecast_of(scored: Scored) -> Forecast:
    """Pacing by the percentiles that ship; usual costs are the pool's own mean."""
    pool = scored.pool
    return Forecast(
        np.array(scored.model.usual),
        np.array(scored.model.usual_spend),
        float(pool.weak_cost.mean()),
        float(pool.strong_cost.mean()),
    )


def unmeasured(item: str) -> Row:
    """A row that these outcomes cannot fill."""
    note = "not measured: these outcomes have no rows for it"
    return Row(target=target_named(item), figure=None, rows=0, note=note)


def unusable(pool: Pooled) -> bool:
    """Whether a pool has too little to say anything: no rows, or equally good models."""
    return len(pool) < 2 or pool.gap == 0


def _interval(measure: Callable[[Integers], float], rows: int) -> Interval:
    return bootstrap(measure, rows)
