"""The controller's metrics.

The one rule: labels are pools, reasons and outcomes, never keys or holders, so that the number of
series is bounded by the number of resources. This module must not know how anything is decided.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.engine import Engine
from controller.events import Step
from controller.status import PoolFigures, pool_figures
from controller.task_telemetry import TaskMetrics
from controller.world import World
from farebox.core.budgets import PoolUid
from farebox.core.instant import UtcMs
from farebox.core.money import NANOS_PER_DOLLAR, ZERO, Nanos
from farebox.wire.messages import Denial, Grant, LeaseClosed, ShrinkTo

COMMIT_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
"""Bounds of the commit times, in seconds."""

_UNKNOWN_POOL: Final = "(unknown)"


class Telemetry:
    """Counters of what went out, and figures of the pools at the time of asking."""

    def __init__(self, registry: CollectorRegistry, engine: Engine) -> None:
        self._world = engine.world
        self._grants = Counter(
            "farebox_grants", "Grants sent, by pool.", ("pool",), registry=registry
        )
        self._denials = Counter(
            "farebox_denials",
            "Denials sent, by pool and reason.",
            ("pool", "reason"),
            registry=registry,
        )
        self._recalls = Counter(
            "farebox_recalls",
            "Holders asked to give money back, by pool.",
            ("pool",),
            registry=registry,
        )
        self._closed = Counter(
            "farebox_leases_closed",
            "Leases settled for good, by pool.",
            ("pool",),
            registry=registry,
        )
        self._commits = Counter("farebox_commits", "Commits of the ledger.", registry=registry)
        self._writes = Counter("farebox_ledger_writes", "Rows written.", registry=registry)
        self._commit_seconds = Histogram(
            "farebox_commit_seconds",
            "How long a commit took.",
            buckets=COMMIT_SECONDS,
            registry=registry,
        )
        registry.register(_PoolGauges(engine))
        registry.register(TaskMetrics(engine.watching))

    def count(self, step: Step) -> None:
        """Count what a step has sent."""
        for send in step.sends:
            match send.message:
                case Grant(lease=lease):
                    self._grants.labels(self._title(lease.charge.pool)).inc()
                case Denial(lease=lease, reason=reason):
                    self._denials.labels(self._title(lease.charge.pool), reason).inc()
                case ShrinkTo(lease=lease):
                    self._recalls.labels(self._title(lease.charge.pool)).inc()
                case LeaseClosed(lease=lease):
                    self._closed.labels(self._title(lease.charge.pool)).inc()
                case _:
                    pass

    def count_commit(self, *, writes: int, took_ms: int) -> None:
        """Count a commit."""
        self._commits.inc()
        self._writes.inc(writes)
        self._commit_seconds.observe(took_ms / 1000)

    def _title(self, uid: PoolUid) -> str:
        pool = self._world.pools.get(uid)
        return pool.title if pool is not None else _UNKNOWN_POOL


class _PoolGauges(Collector):
    """Figures of the current windows, summed over the sub-pools of each pool, made when asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing ahead of time: the families are made with their values."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What may be spent, what is, and what is lent, by pool."""
        limit = _family("farebox_pool_limit_usd", "What may be spent, now.")
        committed = _family("farebox_pool_committed_usd", "The most that may still be billed.")
        settled = _family("farebox_pool_settled_usd", "What is known to be spent.")
        leased = _family("farebox_pool_leased_usd", "What is lent and neither spent nor held.")
        holders = _family("farebox_pool_holders", "Open leases.")
        for title, figures in _by_title(self._engine.world, self._engine.now).items():
            limit.add_metric([title], _dollars(_sum(one.limit for one in figures)))
            committed.add_metric([title], _dollars(_sum(one.committed for one in figures)))
            settled.add_metric([title], _dollars(_sum(one.settled for one in figures)))
            leased.add_metric([title], _dollars(_sum(one.leased for one in figures)))
            holders.add_metric([title], sum(one.holders for one in figures))
        yield from (limit, committed, settled, leased, holders)


def _by_title(world: World, now: UtcMs) -> dict[str, list[PoolFigures]]:
    by_title: dict[str, list[PoolFigures]] = {}
    for figures in pool_figures(world, now):
        by_title.setdefault(figures.pool.title, []).append(figures)
    return by_title


def _family(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["pool"])


def _sum(amounts: Iterable[Nanos]) -> Nanos:
    return Nanos(sum(amounts, ZERO))


def _dollars(amount: Nanos) -> float:
    """Dollars as a metric shows them: the exposition format knows no integers of this size."""
    return amount / NANOS_PER_DOLLAR
