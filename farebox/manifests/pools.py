"""Reads a `BudgetPool`.

The one rule: what this version does not enforce is refused by name, so that nobody relies on it.
This module must not know other resources: that a parent exists is a matter of `links`.
"""

from typing import Final

from farebox.core.budgets import (
    ANY_NAMESPACE,
    Mode,
    OnExhausted,
    Override,
    Per,
    Pool,
    PoolUid,
    Priority,
    Reserve,
    WhenDisconnected,
)
from farebox.core.instant import DurationMs
from farebox.manifests.documents import Scalar
from farebox.manifests.fields import ITEMS_MAX, Fields
from farebox.manifests.resources import ResourceId
from farebox.manifests.scalars import (
    AMOUNT,
    INSTANT,
    NAME,
    NAMESPACE,
    Reader,
    Unfit,
    choice,
    described,
    duration,
    text,
    whole,
)
from farebox.manifests.windows import read_window

DEFER_FOR_DEFAULT: Final = DurationMs(30_000)
"""No Retry-After is longer either: who waits longer has given up."""

DEFER_FOR_MS_MIN: Final = DurationMs(1_000)
DEFER_FOR_MS_MAX: Final = DurationMs(600_000)
"""The time after which most SDKs give a call up."""

LABEL_KEY: Final = text(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?",
    'a label name, for example "app" or "example.com/team"',
)
LABEL_VALUE: Final = text(
    r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?", "a label value of at most 63 characters"
)

_LATER: Final = {
    "unpriced": "leave it out, a model without a price is refused",
    "estimate": "leave it out, a hold is always a true bound",
    "alerts": "leave it out, and alert on the pool's metrics",
}
CHILD_NAMESPACE: Final = text(
    r"\*|[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    'a namespace of lower-case letters, digits and "-", for example "support", or "*" for all',
)


def read_pool(spec: Fields, resource: ResourceId) -> Pool:
    """Read the spec of a pool. Its generation is given by whoever takes it into force."""
    per = _read_per(spec)
    on_exhausted = _read_on_exhausted(spec)
    pool = Pool(
        uid=PoolUid(f"{resource.namespace}/{resource.name}"),
        namespace=resource.namespace,
        name=resource.name,
        generation=0,
        limit=spec.one("limit", AMOUNT),
        window=read_window(spec.section("window")),
        per=per,
        selector=_read_selector(spec),
        parent=_read_parent(spec, resource),
        allowed_children=_read_allowed_children(spec),
        on_exhausted=on_exhausted,
        defer_for=_read_defer_for(spec, on_exhausted),
        reserve=_read_reserve(spec),
        mode=spec.one("mode", _MODE, Mode.ENFORCE),
        when_disconnected=spec.one(
            "whenDisconnected", _WHEN_DISCONNECTED, WhenDisconnected.SPEND_LEASE
        ),
        override=_read_override(spec),
    )
    spec.close(_LATER)
    if per is Per.REQUEST:
        _check_request(spec)
    return pool


_MODE: Final = choice(Mode)
_WHEN_DISCONNECTED: Final = choice(WhenDisconnected)


def _check_request(spec: Fields) -> None:
    """A limit for each single call is compared with its estimate, and nothing is lent of it."""
    for name in ("window", "reserve", "mode", "whenDisconnected", "deferFor"):
        if spec.has(name):
            spec.problem(name, "means nothing where the limit is per Request: leave it out")
    if spec.has("override"):
        spec.problem(
            "override",
            'is not in this version where the limit is per Request: write the amount into "limit"',
        )


def _read_per(spec: Fields) -> Per:
    if spec.is_group("per"):
        spec.refuse("per", f"is not in this version as a header: write {_PER.wanted}")
        return Per.SHARED
    return spec.one("per", _PER, Per.SHARED)


_PER: Final = choice(Per)


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
    parent.close()
    return PoolUid(f"{namespace}/{name}") if spec.has("parent") else None


def _read_allowed_children(spec: Fields) -> frozenset[str]:
    children = spec.section("allowedChildren")
    namespaces = children.many("namespaces", CHILD_NAMESPACE)
    if spec.is_group("allowedChildren") and not children.has("namespaces"):
        children.problem("namespaces", f"is missing: {_CHILDREN_WANTED}")
    elif children.is_empty("namespaces"):
        children.problem("namespaces", f"is empty: {_CHILDREN_WANTED}")
    elif ANY_NAMESPACE in namespaces and len(set(namespaces)) > 1:
        children.problem(
            "namespaces", 'names some beside "*", which is all: write ["*"], or leave "*" out'
        )
    children.close()
    return frozenset(namespaces)


_CHILDREN_WANTED: Final = (
    f'write up to {ITEMS_MAX} namespaces, ["*"] for all, or leave allowedChildren out for pools of '
    "the same namespace only"
)


def _read_on_exhausted(spec: Fields) -> tuple[OnExhausted, ...]:
    steps = spec.many("onExhausted", _ON_EXHAUSTED)
    if not spec.is_list("onExhausted"):
        return (OnExhausted.DOWNGRADE, OnExhausted.REJECT)
    if not steps:
        spec.problem("onExhausted", "is without a step: write [Reject]")
    elif OnExhausted.REJECT in steps[:-1]:
        spec.problem("onExhausted", "goes on after Reject, which ends it: write Reject last")
    return steps


_ON_EXHAUSTED: Final = choice(OnExhausted)


def _read_defer_for(spec: Fields, steps: tuple[OnExhausted, ...]) -> DurationMs | None:
    defer_for = spec.one("deferFor", _DEFER_FOR, DEFER_FOR_DEFAULT)
    if OnExhausted.DEFER in steps:
        return defer_for
    if spec.has("deferFor") and spec.is_sound("deferFor", "onExhausted"):
        spec.problem("deferFor", "means nothing without Defer in onExhausted: leave it out")
    return None


_DEFER_FOR: Final = duration(DEFER_FOR_MS_MIN, DEFER_FOR_MS_MAX, "30s")


def _read_reserve(spec: Fields) -> Reserve | None:
    reserve = spec.section("reserve")
    percent = reserve.one("percent", _PERCENT, None if spec.is_group("reserve") else 1)
    priority = reserve.one("priority", _RESERVED_FOR, Priority.HIGH)
    reserve.close()
    return Reserve(percent=percent, priority=priority) if spec.has("reserve") else None


_PERCENT: Final = whole(1, 99)


def _reserved_for(scalar: Scalar) -> Priority:
    if scalar.text == "High":
        return Priority.HIGH
    raise Unfit(f"is {described(scalar)}: write {_RESERVED_FOR.wanted}")


_RESERVED_FOR: Final[Reader[Priority]] = Reader(
    wanted="High, or leave the line out", read=_reserved_for, stand_in=Priority.HIGH
)


def _read_override(spec: Fields) -> Override | None:
    override = spec.section("override")
    needed = spec.is_group("override")
    limit = override.one("limit", AMOUNT, None if needed else AMOUNT.stand_in)
    until = override.one("until", INSTANT, None if needed else INSTANT.stand_in)
    override.close()
    return Override(limit=limit, until=until) if needed else None
