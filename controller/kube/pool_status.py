"""The status of a BudgetPool.

The one rule: what is shown as enforced holds. Where the limit can be passed (shadow mode, calls
let through while the controller is away, pods without a sidecar) Enforced is False and says why.
Pure: this module must not know the world or the API server.
"""

from typing import Any, Final, NamedTuple

from controller.kube.conditions import Found, Seen, conditions, ready, sentence
from controller.kube.facts import PoolFacts
from farebox.core.budgets import Mode, Per, Pool, WhenDisconnected
from farebox.core.instant import UtcMs, format_duration, format_utc
from farebox.core.money import Nanos, format_dollars
from farebox.core.watching import Status
from farebox.core.windows import UTC_ZONE, CalendarUnit, WindowType

ENFORCED: Final = "Enforced"
EXHAUSTED: Final = "Exhausted"
OVER_COMMITTED: Final = "OverCommitted"
POOL_CONDITIONS: Final = ("Ready", ENFORCED, EXHAUSTED, OVER_COMMITTED)

_CENTS: Final = 2


class PoolView(NamedTuple):
    """What a pool's status is made from.

    `facts` is None while no version is in force, and for a limit of each single call.
    `bare_pods`: pods that the selector matches and that have no sidecar, or one that has not
    connected; None when not known.
    """

    seen: Seen
    facts: PoolFacts | None
    bare_pods: int | None = None


def pool_status(view: PoolView, now: UtcMs) -> dict[str, Any]:
    """`status` of a BudgetPool, as its schema has it."""
    seen = view.seen
    found = (ready(seen), _enforced(view), _exhausted(view), _over_committed(view))
    return {
        "observedGeneration": seen.generation,
        **_figures(seen.value, view.facts),
        "conditions": conditions(found, before=seen.status, generation=seen.generation, now=now),
    }


def dollars(amount: Nanos) -> str:
    """An exact amount without needless zeros, and at least cents: "50.00", "0.00012"."""
    whole, fraction = format_dollars(amount).split(".")
    return f"{whole}.{fraction.rstrip('0').ljust(_CENTS, '0')}"


def window_words(pool: Pool) -> str:
    """The window of a pool in words: "Day Europe/Berlin", "24h sliding", "each request"."""
    window = pool.window
    if pool.per is Per.REQUEST:
        return "each request"
    if window.type is WindowType.LIFETIME:
        return "lifetime"
    if window.refill_per_hour is not None:
        return f"{dollars(window.refill_per_hour)}/h bucket"
    period = window.period
    if isinstance(period, CalendarUnit):
        return str(period) if window.zone == UTC_ZONE else f"{period} {window.zone}"
    length = "" if period is None else format_duration(period)
    kinds = {WindowType.SLIDING: "sliding", WindowType.TOKEN_BUCKET: "bucket"}
    return " ".join(part for part in (length, kinds.get(window.type, "")) if part)


def _figures(pool: object, facts: PoolFacts | None) -> dict[str, Any]:
    if not isinstance(pool, Pool):
        return {}
    window: dict[str, Any] = {"name": window_words(pool)}
    if facts is None:
        return {"window": window, "limit": dollars(pool.limit)}
    if facts.starts is not None:
        window["starts"] = format_utc(facts.starts)
    if facts.ends is not None:
        window["ends"] = format_utc(facts.ends)
    figures: dict[str, Any] = {
        "window": window,
        "limit": dollars(facts.limit),
        "spent": dollars(facts.spent),
        "held": dollars(facts.held),
        "leased": dollars(facts.leased),
        "headroom": dollars(facts.headroom),
        "holders": facts.holders,
    }
    return figures if facts.sub_pools is None else {**figures, "subPools": facts.sub_pools}


def _nothing_in_force(type_: str, status: Status) -> Found:
    return Found(type_, status, "NotInForce", "no version of this pool is in force")


def _enforced(view: PoolView) -> Found:
    pool = view.seen.value
    if not isinstance(pool, Pool):
        return _nothing_in_force(ENFORCED, Status.FALSE)
    if pool.mode is Mode.SHADOW:
        says = "mode is Shadow: decisions are recorded, and every call passes; write Enforce"
        return Found(ENFORCED, Status.FALSE, "Shadow", says)
    if view.bare_pods:
        says = (
            f"{_count(view.bare_pods, 'pod')} that the selector matches without a sidecar, or with "
            "one that has not connected: what these call is not counted; label the namespace "
            "farebox.dev/inject=enabled and make them anew, or label them "
            'farebox.dev/inject="false" if they call nothing'
        )
        return Found(ENFORCED, Status.FALSE, "PodsWithoutSidecar", says)
    if pool.when_disconnected is WhenDisconnected.ALLOW:
        says = (
            "whenDisconnected is Allow: pods that can't reach the controller pass the limit when "
            "they have used up what they were lent; write SpendLease"
        )
        return Found(ENFORCED, Status.FALSE, "AllowsWhenDisconnected", says)
    return Found(ENFORCED, Status.TRUE, "Enforced", "no call passes that does not fit the limit")


def _exhausted(view: PoolView) -> Found:
    facts = view.facts
    if not isinstance(view.seen.value, Pool):
        return _nothing_in_force(EXHAUSTED, Status.UNKNOWN)
    if facts is None:
        says = "each call is compared with the limit by itself"
        return Found(EXHAUSTED, Status.FALSE, "PerRequest", says)
    if facts.exhausted and facts.pool.mode is Mode.SHADOW:
        says = f"{_what_is_out(facts)}; mode is Shadow, so calls pass all the same"
        return Found(EXHAUSTED, Status.FALSE, "Shadow", says)
    if facts.exhausted:
        says = sentence(_what_is_out(facts), _lacking(facts), _when_back(facts))
        return Found(EXHAUSTED, Status.TRUE, "LimitReached", says)
    if facts.above:
        says = f"the pool above, {facts.above}, is exhausted"
        return Found(EXHAUSTED, Status.TRUE, "ParentExhausted", says)
    if facts.only_reserve and facts.pool.mode is Mode.ENFORCE:
        says = sentence(
            "what is left is the reserve, for calls of high priority",
            _lacking(facts),
            _when_back(facts),
        )
        return Found(EXHAUSTED, Status.TRUE, "OnlyReserveLeft", says)
    return Found(EXHAUSTED, Status.FALSE, "MoneyLeft", "calls find money")


def _what_is_out(facts: PoolFacts) -> str:
    if facts.sub_pools is None:
        return "the limit is reached"
    return f"the limit is reached in {facts.exhausted} of {_count(facts.sub_pools, 'sub-pool')}"


def _lacking(facts: PoolFacts) -> str:
    if not facts.need:
        return ""
    return f"the smallest call that was turned away needs ${dollars(facts.need)}"


def _when_back(facts: PoolFacts) -> str:
    if facts.back is None:
        return "no money comes back by itself: raise the limit"
    return f"money comes back at {format_utc(facts.back)}, or when the limit is raised"


def _over_committed(view: PoolView) -> Found:
    facts = view.facts
    if not isinstance(view.seen.value, Pool):
        return _nothing_in_force(OVER_COMMITTED, Status.UNKNOWN)
    if facts is None or not facts.over:
        says = "what is spent, held and lent is within the limit"
        return Found(OVER_COMMITTED, Status.FALSE, "WithinLimit", says)
    where = "" if facts.sub_pools is None else f" in {_count(facts.overs, 'sub-pool')}"
    says = f"${dollars(facts.over)} more is spent, held and lent than the limit allows{where}"
    if facts.pool.mode is Mode.SHADOW:
        return Found(OVER_COMMITTED, Status.TRUE, "Shadow", f"{says}; mode is Shadow")
    rest = "nothing more is lent, and what pods have free is asked back"
    return Found(OVER_COMMITTED, Status.TRUE, "BeyondLimit", sentence(says, rest))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
