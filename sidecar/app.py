"""The sidecar put together: the only place where its parts meet.

Start: journal, purse, stream to the controller, listener. Stop: no new calls, the open ones to
their end within the grace, receipts written, goodbye. The one rule: no decision about a call is
made here.
"""

import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry

from farebox.core.budgets import Charge
from farebox.core.instant import DurationMs
from farebox.core.leases import Lease
from farebox.core.money import format_dollars
from farebox.core.policy import Policy
from farebox.runtime.clock import Clock, SystemClock
from farebox.runtime.endpoints import write_ready_file
from farebox.runtime.probes import AdminServer, JsonView
from farebox.runtime.small_model import SmallModel
from farebox.runtime.tasks import Supervisor
from farebox.wire.messages import Workload
from sidecar.cashier import Cashier
from sidecar.config import Config
from sidecar.credentials import Credentials
from sidecar.dataplane import DataPlane
from sidecar.journal import Journal
from sidecar.lease_client import LeaseClient
from sidecar.leasing import Leasing
from sidecar.pacing import Pacing, WatchedMoney
from sidecar.policy import PolicyHolder
from sidecar.probes import Probes
from sidecar.purse import Purse
from sidecar.receipts import KEPT_MAX, Receipts
from sidecar.surroundings import Money
from sidecar.tallies import TallyBook

_LOG = logging.getLogger(__name__)

LAST_DEFAULT: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyParts:
    """The money side: who holds, paces and counts it, the stream to the controller, and a view."""

    money: Money
    pacing: Pacing
    tallies: TallyBook
    run: Callable[[], Coroutine[Any, Any, None]]
    stop: Callable[[], None]
    view: JsonView
    tried_all: Callable[[], bool]


def build_money(config: Config, clock: Clock, policies: PolicyHolder) -> MoneyParts:
    """Put journal, purse, lease client and cashier together. Raises JournalInUseError, OSError."""
    purse = Purse(Journal(config.journal))
    leasing = Leasing(
        purse,
        Workload(namespace=config.namespace, name=config.name, labels=config.labels),
    )

    def notify(charges: Iterable[Charge]) -> None:
        cashier.notify(charges)

    tallies = TallyBook(clock, policies)
    client = LeaseClient(
        ",".join(map(str, config.controller)),
        leasing,
        clock,
        on_policy=policies.replace,
        notify=notify,
        tallies=tallies,
        credentials=_credentials(config),
    )
    cashier = Cashier(purse, leasing, clock, wake=client.wake, wait=DurationMs(config.money_ms_max))
    pacing = Pacing(purse, leasing.outlooks, clock)
    return MoneyParts(
        money=WatchedMoney(cashier, pacing),
        pacing=pacing,
        tallies=tallies,
        run=client.run,
        stop=client.stop,
        view=_leases_view(purse, leasing),
        tried_all=lambda: client.tried_all,
    )


def _credentials(config: Config) -> Credentials | None:
    if config.controller_ca is None or config.token_file is None:
        return None
    return Credentials(ca=config.controller_ca, token=config.token_file)


async def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT."""
    clock, registry = SystemClock(), CollectorRegistry()
    small_model = SmallModel(config.weights_dir)
    policies = PolicyHolder(small_model.filled)
    money = build_money(config, clock, policies)
    plane = DataPlane(
        config,
        clock=clock,
        money=money.money,
        policies=policies,
        registry=registry,
        secret=lambda name: os.environ.get(name, "").strip(),
        pacing=money.pacing,
        tallies=money.tallies,
    )
    admin = AdminServer(
        registry=registry,
        not_ready=lambda: "" if policies.current else "no policy from the controller yet",
        views={
            "/v1/receipts": _receipts_view(plane.receipts),
            "/v1/leases": money.view,
            "/v1/policy": lambda _: _policy_fields(policies.current, small_model.problem),
        },
    )
    probes = Probes(
        registry,
        clock,
        ready=lambda: policies.current is not None,
        tried_all=money.tried_all,
    )
    async with Supervisor() as tasks:
        tasks.stop_on_signals()
        tasks.start("receipts", plane.receipts.run())
        stream = tasks.start("stream to the controller", money.run())
        ports = {"http": await plane.start(config.listen), "admin": await admin.start(config.admin)}
        if config.probes is not None:
            ports["probes"] = await probes.server.start(config.probes)
        if config.ready_file is not None:
            write_ready_file(config.ready_file, **ports)
        if config.keep_prompts:
            _LOG.warning("PROMPTS ARE KEPT: receipts of judged calls hold them (--keep-prompts)")
        _LOG.info("serving calls", extra=ports)
        await tasks.stopped()
        _LOG.info("stopping: no new calls")
        probes.stopping = True
        await plane.stop(grace_ms_max=config.grace_ms_max)
        money.stop()
        await stream
        await admin.stop()
        await probes.server.stop()
        await tasks.cancel_all()


def _receipts_view(receipts: Receipts) -> JsonView:
    def view(query: Mapping[str, str]) -> object:
        text = query.get("last", str(LAST_DEFAULT))
        if not (text.isascii() and text.isdigit()) or int(text) > KEPT_MAX:
            raise ValueError(f"last is a whole number up to {KEPT_MAX}")
        return {"receipts": receipts.last(int(text))}

    return view


def _leases_view(purse: Purse, leasing: Leasing) -> JsonView:
    def view(_: Mapping[str, str]) -> object:
        return {
            "holder": purse.holder,
            "connected": leasing.connected,
            "leases": [_lease_fields(lease) for lease in purse.leases()],
        }

    return view


def _policy_fields(policy: Policy | None, weights_problem: str) -> dict[str, object]:
    if policy is None:
        return {"generation": None, "pools": [], "models": []}
    scorer = policy.scorer
    return {
        "generation": policy.generation,
        "pools": [
            {"pool": pool.title, "per": pool.per, "limit_usd": format_dollars(pool.limit)}
            for pool in policy.pools
        ],
        "classifier": policy.routing.classifier,
        "weights": {"in_use": scorer.name if scorer else None, "problem": weights_problem},
        "models": [{"model": model.name, "tier": tier.name} for tier, model in policy.catalogue],
    }


def _lease_fields(lease: Lease) -> dict[str, object]:
    return {
        "pool": lease.id.charge.pool,
        "key": lease.id.charge.key,
        "window": lease.id.window,
        "granted_usd": format_dollars(lease.granted),
        "returned_usd": format_dollars(lease.returned),
        "spent_usd": format_dollars(lease.spent),
        "held_usd": format_dollars(lease.reserved),
        "headroom_usd": format_dollars(lease.headroom),
        "overdraft_usd": format_dollars(lease.overdraft),
    }
