"""Pools that are refused, and changes of pools.

The one rule: every CEL rule of the CRD has its pool here. This module must not know how anything is
checked.
"""

from typing import Final

from farebox.manifests.resources import Kind
from tests.deploy.refusals import By, Refused


def _pool(what: str, spec: str, field: str, says: str = "") -> Refused:
    by = By.RULE if says else By.STRUCTURE
    limit = "" if spec.startswith("limit:") else "limit: '1', "
    spec = f"{{{limit}{spec}}}"
    return Refused(what=what, kind=Kind.BUDGET_POOL, spec=spec, field=field, by=by, says=says)


def _changed(what: str, was: str, spec: str, field: str) -> Refused:
    return Refused(
        what=what,
        kind=Kind.BUDGET_POOL,
        spec=f"{{limit: '1', {spec}}}",
        field=field,
        by=By.CHANGE,
        says=f"{field.removeprefix('spec.')} can't be changed",
        was=f"{{limit: '1', {was}}}",
    )


_POOLS: Final = (
    _pool("a limit that is a number", "limit: 50", "spec.limit"),
    _pool("a limit with a currency", "limit: $50", "spec.limit"),
    _pool("a negative limit", "limit: '-1'", "spec.limit"),
    _pool("a limit with ten decimals", "limit: '1.0000000001'", "spec.limit"),
    _pool("a limit with an exponent", "limit: '1e3'", "spec.limit"),
    _pool("a misspelt field", "limt: '1'", "spec.limt"),
    _pool("a field of a later version", "alerts: [50]", "spec.alerts"),
    _pool("a window of an unknown type", "window: {type: Rolling}", "spec.window.type"),
    _pool("an unknown calendar word", "window: {period: Year}", "spec.window.period"),
    _pool("a duration without unit", "window: {period: '24'}", "spec.window.period"),
    _pool("a time zone with a space", "window: {timeZone: New York}", "spec.window.timeZone"),
    _pool("an unknown per", "per: Team", "spec.per"),
    _pool("a selector without labels", "selector: {}", "spec.selector.matchLabels"),
    _pool(
        "a label value with a space",
        "selector: {matchLabels: {app: 'a b'}}",
        "spec.selector.matchLabels.app",
    ),
    _pool("a parent without name", "parent: {namespace: a}", "spec.parent.name"),
    _pool("a parent with capitals", "parent: {name: Acme}", "spec.parent.name"),
    _pool("nobody's children", "allowedChildren: {}", "spec.allowedChildren.namespaces"),
    _pool(
        "children of no namespace",
        "allowedChildren: {namespaces: []}",
        "spec.allowedChildren.namespaces",
    ),
    _pool(
        "children of some namespaces by pattern",
        "allowedChildren: {namespaces: ['team-*']}",
        "spec.allowedChildren.namespaces[0]",
    ),
    _pool(
        "children of a namespace twice",
        "allowedChildren: {namespaces: [a, a]}",
        "spec.allowedChildren.namespaces[1]",
    ),
    _pool("a reserve of everything", "reserve: {percent: 100}", "spec.reserve.percent"),
    _pool("a reserve for nobody", "reserve: {percent: 5, priority: Low}", "spec.reserve.priority"),
    _pool("an unknown step", "onExhausted: [Wait]", "spec.onExhausted[0]"),
    _pool("no step at all", "onExhausted: []", "spec.onExhausted"),
    _pool("an unknown mode", "mode: Loose", "spec.mode"),
    _pool("an override without end", "override: {limit: '2'}", "spec.override.until"),
    _pool(
        "an override until a day",
        "override: {limit: '2', until: '2026-11-01'}",
        "spec.override.until",
    ),
    _pool(
        "an override until no real day",
        "override: {limit: '2', until: '2026-13-01T00:00:00Z'}",
        "spec.override.until",
    ),
)
_POOL_RULES: Final = (
    _pool("a parent that is itself", "parent: {name: one}", "spec.parent.name", "parent.name is"),
    _pool(
        "children of all namespaces and one",
        "allowedChildren: {namespaces: ['*', a]}",
        "spec.allowedChildren.namespaces",
        "namespaces names some beside",
    ),
    _pool("a window for single calls", "per: Request, window: {}", "spec.window", "window means"),
    _pool(
        "a reserve for single calls",
        "per: Request, reserve: {percent: 5}",
        "spec.reserve",
        "reserve means",
    ),
    _pool("a mode for single calls", "per: Request, mode: Enforce", "spec.mode", "mode means"),
    _pool(
        "disconnected single calls",
        "per: Request, whenDisconnected: Allow",
        "spec.whenDisconnected",
        "whenDisconnected means",
    ),
    _pool(
        "single calls that wait",
        "per: Request, onExhausted: [Defer], deferFor: 5s",
        "spec.deferFor",
        "deferFor means nothing where per",
    ),
    _pool(
        "another limit for single calls",
        "per: Request, override: {limit: '2', until: '2026-11-01T00:00:00Z'}",
        "spec.override",
        "override can't",
    ),
    _pool(
        "a wait without Defer", "deferFor: 5s", "spec.deferFor", "deferFor means nothing without"
    ),
    _pool(
        "a wait of an hour",
        "onExhausted: [Defer], deferFor: 1h",
        "spec.deferFor",
        "deferFor must be",
    ),
    _pool(
        "a step twice",
        "onExhausted: [Defer, Defer]",
        "spec.onExhausted[1]",
        "onExhausted has a step",
    ),
    _pool(
        "a step after the end",
        "onExhausted: [Reject, Downgrade]",
        "spec.onExhausted",
        "onExhausted goes on",
    ),
    _pool(
        "a label key with a space",
        "selector: {matchLabels: {a b: c}}",
        "spec.selector.matchLabels.a b",
        "matchLabels has a key",
    ),
    _pool(
        "a lifetime with a period",
        "window: {type: Lifetime, period: 1h}",
        "spec.window.period",
        "period means nothing",
    ),
    _pool(
        "a sliding day",
        "window: {type: Sliding, period: Day}",
        "spec.window.period",
        "period is a calendar word",
    ),
    _pool(
        "a sliding window of no length",
        "window: {type: Sliding}",
        "spec.window.period",
        "period is missing",
    ),
    _pool(
        "a sliding window that is short",
        "window: {type: Sliding, period: 59s}",
        "spec.window.period",
        "period must be",
    ),
    _pool("a window of no time", "window: {period: 0s}", "spec.window.period", "period must be"),
    _pool("an endless window", "window: {period: 3661d}", "spec.window.period", "period must be"),
    _pool(
        "a window a bit too long",
        "window: {period: 3660d1ms}",
        "spec.window.period",
        "period must be",
    ),
    _pool(
        "a window of many hours",
        "window: {period: 999999h}",
        "spec.window.period",
        "period must be",
    ),
    _pool(
        "a bucket that is never filled",
        "window: {type: TokenBucket}",
        "spec.window.period",
        "refillPerHour and period",
    ),
    _pool(
        "a bucket that is filled twice",
        "window: {type: TokenBucket, period: 1h, refillPerHour: '1'}",
        "spec.window.refillPerHour",
        "refillPerHour and period",
    ),
    _pool(
        "the clocks of a duration",
        "window: {period: 24h, timeZone: Europe/Berlin}",
        "spec.window.timeZone",
        "timeZone means",
    ),
    _pool(
        "a bucket with two sizes",
        "window: {type: TokenBucket, refillPerHour: '1', burst: '2'}",
        "spec.window.burst",
        "burst is",
    ),
    _pool(
        "a fixed window that refills",
        "window: {refillPerHour: '1'}",
        "spec.window.refillPerHour",
        "refillPerHour means",
    ),
)
_POOL_CHANGES: Final = (
    _changed("other sub-pools", "per: User", "per: Session", "spec.per"),
    _changed("sub-pools where there were none", "mode: Enforce", "per: User", "spec.per"),
    _changed(
        "another kind of window",
        "window: {period: 24h}",
        "window: {type: Sliding, period: 24h}",
        "spec.window.type",
    ),
    _changed("a longer window", "mode: Enforce", "window: {period: Month}", "spec.window.period"),
    _changed(
        "other clocks",
        "window: {period: Day}",
        "window: {period: Day, timeZone: Asia/Tokyo}",
        "spec.window.timeZone",
    ),
)

REFUSED: Final = (*_POOLS, *_POOL_RULES, *_POOL_CHANGES)
