"""Reads a `BudgetPool`.

The one rule: what this version does not enforce is refused by name, so that nobody relies on it.
This module must not know other resources: that a parent exists is a matter of `links`.
"""

from typing import Final

from farebox.core.budgets import OnExhausted, Per, Pool, PoolUid
from farebox.core.instant import DurationError, DurationMs, parse_duration
from farebox.core.windows import (
    LIFETIME,
    PERIOD_MS_MIN,
    CalendarUnit,
    Period,
    WindowSpec,
    WindowType,
)
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.fields import Fields
from farebox.manifests.resources import ResourceId
from farebox.manifests.scalars import (
    AMOUNT,
    NAME,
    NAMESPACE,
    Reader,
    Unfit,
    choice,
    described,
    text,
)

PERIOD_MS_MAX: Final = 3_660 * 86_400_000
"""Ten years; what should last longer is a lifetime."""

LABEL_KEY: Final = text(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?",
    'a label name, for example "app" or "example.com/team"',
)
LABEL_VALUE: Final = text(
    r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?", "a label value of at most 63 characters"
)

_LATER: Final = {
    "reserve": "leave it out, all priorities share the limit",
    "deferFor": "leave it out, an exhausted pool rejects at once",
    "mode": "leave it out, the limit is always enforced",
    "unpriced": "leave it out, a model without a price is refused",
    "estimate": "leave it out, a hold is always a true bound",
    "whenDisconnected": "leave it out, what was lent is spent and then calls are refused",
    "alerts": "leave it out, and alert on the pool's metrics",
    "override": 'write the higher amount into "limit" and lower it again later',
}
_WINDOW_LATER: Final = {
    "timeZone": "leave it out, windows begin at midnight UTC",
    "burst": 'leave it out and write "period"',
    "refillPerHour": 'leave it out and write "period"',
}
_PARENT_LATER: Final = {"allowedRoutes": "leave it out, any pool may name a parent"}


def read_pool(spec: Fields, resource: ResourceId) -> Pool:
    """Read the spec of a pool. Its generation is given by whoever takes it into force."""
    per = _read_per(spec)
    pool = Pool(
        uid=PoolUid(f"{resource.namespace}/{resource.name}"),
        namespace=resource.namespace,
        name=resource.name,
        generation=0,
        limit=spec.one("limit", AMOUNT),
        window=_read_window(spec, per),
        per=per,
        selector=_read_selector(spec),
        parent=_read_parent(spec, resource),
        on_exhausted=_read_on_exhausted(spec),
    )
    spec.close(_LATER)
    return pool


def _read_per(spec: Fields) -> Per:
    if spec.is_group("per"):
        spec.refuse("per", f"is not in this version as a header: write {_PER.wanted}")
        return Per.SHARED
    return spec.one("per", _PER, Per.SHARED)


_PER: Final = choice(Per)


def _read_window(spec: Fields, per: Per) -> WindowSpec:
    window = spec.section("window")
    type_ = window.one("type", _WINDOW_TYPE, WindowType.FIXED)
    period = window.one("period", _PERIOD, CalendarUnit.DAY)
    window.close(_WINDOW_LATER)
    if per is Per.REQUEST and spec.has("window"):
        spec.problem("window", "means nothing where the limit is per Request: leave it out")
    if type_ is WindowType.FIXED:
        return WindowSpec(type=type_, period=period)
    if window.has("period"):
        window.problem("period", "means nothing where the type is Lifetime: leave it out")
    return LIFETIME


_WINDOW_TYPE: Final = choice(WindowType, later=("Sliding", "TokenBucket"))


def _period(scalar: Scalar) -> Period:
    if scalar.text in set(CalendarUnit):
        return CalendarUnit(scalar.text)
    try:
        duration = parse_duration(scalar.text) if scalar.written is Written.TEXT else DurationMs(0)
    except DurationError:
        duration = DurationMs(0)
    if not PERIOD_MS_MIN <= duration <= PERIOD_MS_MAX:
        raise Unfit(f"is {described(scalar)}: write {_PERIOD.wanted}")
    return duration


_PERIOD: Final[Reader[Period]] = Reader(
    wanted='Hour, Day, Week, Month, or a duration from 1s to 3660d, for example "24h"',
    read=_period,
    stand_in=CalendarUnit.DAY,
)


def _read_selector(spec: Fields) -> dict[str, str] | None:
    selector = spec.section("selector")
    labels = dict(selector.text_map("matchLabels", LABEL_KEY, LABEL_VALUE))
    if spec.has("selector") and not selector.has("matchLabels"):
        selector.problem(
            "matchLabels",
            "is missing: write labels, {} for every pod of the namespace, or leave the whole "
            "selector out for a pool that is only a parent",
        )
    selector.close({"matchExpressions": "write matchLabels"})
    return labels if spec.has("selector") else None


def _read_parent(spec: Fields, resource: ResourceId) -> PoolUid | None:
    parent = spec.section("parent")
    namespace = parent.one("namespace", NAMESPACE, resource.namespace)
    name = parent.one("name", NAME, None if spec.has("parent") else "")
    parent.close(_PARENT_LATER)
    return PoolUid(f"{namespace}/{name}") if spec.has("parent") else None


def _read_on_exhausted(spec: Fields) -> tuple[OnExhausted, ...]:
    steps = spec.many("onExhausted", _ON_EXHAUSTED)
    if not spec.is_list("onExhausted"):
        return (OnExhausted.DOWNGRADE, OnExhausted.REJECT)
    if not steps:
        spec.problem("onExhausted", "is without a step: write [Reject]")
    elif OnExhausted.REJECT in steps[:-1]:
        spec.problem("onExhausted", "goes on after Reject, which ends it: write Reject last")
    return steps


_ON_EXHAUSTED: Final = choice(OnExhausted, later=("Defer",))
