"""A budget pool is read exactly, and what is wrong with one is said where it stands."""

from textwrap import dedent

import pytest

from farebox.core.budgets import (
    Mode,
    OnExhausted,
    Override,
    Per,
    PoolUid,
    Priority,
    Reserve,
    WhenDisconnected,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, CalendarUnit, WindowSpec, WindowType
from farebox.manifests.resources import Kind
from tests.manifests.builders import NOW, Wrong, assert_found, load_text, manifest, pool


def test_a_pool_says_no_more_than_its_limit() -> None:
    read = load_text(pool("team", limit="50.00")).resources.pools[PoolUid("default/team")]
    assert read.limit == Nanos(50_000_000_000)
    assert read.window == WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY)
    assert (read.namespace, read.name, read.generation) == ("default", "team", 1)
    assert (read.per, read.selector, read.parent) == (Per.SHARED, None, None)
    assert read.allowed_children == frozenset()
    assert read.on_exhausted == (OnExhausted.DOWNGRADE, OnExhausted.REJECT)
    assert (read.defer_for, read.reserve, read.override, read.normal_of) == (None,) * 4
    assert (read.mode, read.when_disconnected) == (Mode.ENFORCE, WhenDisconnected.SPEND_LEASE)


def test_a_pool_says_everything() -> None:
    text = """\
        apiVersion: farebox.dev/v1alpha1
        kind: BudgetPool
        metadata:
          name: user
          namespace: support
          labels: {team: support}
          annotations: {note: "of the support team"}
        spec:
          limit: "0.000000001"
          window: {type: Fixed, period: 1h30m}
          per: User
          selector:
            matchLabels: {app: assistant, example.com/tier: "2"}
          parent: {name: acme, namespace: default}
          onExhausted: [Downgrade, Defer, Reject]
          deferFor: 90s
          reserve: {percent: 20, priority: High}
          mode: Shadow
          whenDisconnected: Allow
          override: {limit: "7.50", until: 2026-11-18T11:06:40Z}
        ---
        apiVersion: farebox.dev/v1alpha1
        kind: BudgetPool
        metadata: {name: acme}
        spec:
          limit: "0"
          window: {type: Lifetime}
          selector: {matchLabels: {}}
          allowedChildren: {namespaces: [support, batch]}
        """
    loaded = load_text(dedent(text))
    assert loaded.problems == ()
    user = loaded.resources.pools[PoolUid("support/user")]
    assert user.limit == Nanos(1)
    assert user.window == WindowSpec(type=WindowType.FIXED, period=DurationMs(5_400_000))
    assert user.per is Per.USER
    assert user.selector == {"app": "assistant", "example.com/tier": "2"}
    assert user.parent == "default/acme"
    assert user.on_exhausted == (OnExhausted.DOWNGRADE, OnExhausted.DEFER, OnExhausted.REJECT)
    assert user.defer_for == DurationMs(90_000)
    assert user.reserve == Reserve(percent=20, priority=Priority.HIGH)
    assert (user.mode, user.when_disconnected) == (Mode.SHADOW, WhenDisconnected.ALLOW)
    assert user.override == Override(limit=Nanos(7_500_000_000), until=UtcMs(NOW))
    acme = loaded.resources.pools[PoolUid("default/acme")]
    assert (acme.limit, acme.window, acme.selector) == (0, LIFETIME, {})
    assert acme.allowed_children == {"support", "batch"}


def test_no_limit_is_beyond_what_64_bits_hold() -> None:
    read = load_text(pool("team", limit="999999999.999999999")).resources.pools
    assert read[PoolUid("default/team")].limit < 2**63


def test_a_call_waits_half_a_minute_where_nothing_else_is_said() -> None:
    read = load_text(pool("team", "onExhausted: [Defer]")).resources.pools
    assert read[PoolUid("default/team")].defer_for == DurationMs(30_000)


def test_an_override_that_is_over_does_no_harm() -> None:
    text = pool("team", 'override: {limit: "2", until: "2020-01-01T00:00:00+01:00"}')
    read = load_text(text).resources.pools[PoolUid("default/team")]
    assert read.override == Override(limit=Nanos(2_000_000_000), until=UtcMs(1_577_833_200_000))


WRONG_LIMITS = {
    "number": ("limit: 50.00", 'put it in quotes, "50.00"'),
    "whole-number": ("limit: 50", 'put it in quotes, "50"'),
    "sign": ('limit: "-1"', 'is "-1": write dollars in quotes'),
    "currency": ('limit: "$50"', "write dollars in quotes"),
    "exponent": ("limit: 1e3", 'is "1e3": write dollars'),
    "ten-decimals": ('limit: "0.0000000001"', "and 9 decimals"),
    "too-much": ('limit: "1000000001"', "at most 9 digits"),
    "yes": ("limit: yes", "is the yes-or-no value yes: write dollars"),
    "empty": ("limit:", "is empty: write dollars"),
    "list": ('limit: ["50"]', "is a list: write dollars"),
    "group": ("limit: {usd: 50}", "is a group of fields: write dollars"),
}


@pytest.mark.parametrize("case", WRONG_LIMITS)
def test_a_wrong_limit(case: str) -> None:
    spec, says = WRONG_LIMITS[case]
    text = manifest(Kind.BUDGET_POOL, spec)
    assert_found(Wrong(text=text, line=5, field="spec.limit", says=says))


WRONG_FIELDS = {
    "misspelt": ("limt: 5", "spec.limt", "is not a field here: did you mean limit?"),
    "in-other-case": ("onexhausted: []", "spec.onexhausted", "did you mean onExhausted?"),
    "of-another-world": (
        "zzz: 1",
        "spec.zzz",
        "write one of allowedChildren, deferFor, limit, mode, onExh",
    ),
    "per-in-lower-case": ("per: user", "spec.per", "write Shared, Request, Session, User or"),
    "per-header": ("per: {header: x-team}", "spec.per", "not in this version as a header: write"),
    "window-word": ("window: Day", "spec.window", 'is "Day": write fields and their values below'),
    "selector-without-labels": (
        "selector: {}",
        "spec.selector.matchLabels",
        "write labels, {} for every pod of the namespace, or leave the whole selector out",
    ),
    "selector-expressions": (
        "selector: {matchLabels: {}, matchExpressions: []}",
        "spec.selector.matchExpressions",
        "is not in this version: write matchLabels",
    ),
    "label-value-true": (
        "selector: {matchLabels: {canary: true}}",
        "spec.selector.matchLabels.canary",
        "put it in quotes",
    ),
    "label-name": (
        "selector: {matchLabels: {-app: x}}",
        "spec.selector.matchLabels.-app",
        "write a label name",
    ),
    "parent-without-name": ("parent: {}", "spec.parent.name", "is missing: write a name"),
    "parent-name": ("parent: {name: Acme}", "spec.parent.name", "of lower-case letters"),
    "parent-path": (
        "parent: {name: acme, uid: x}",
        "spec.parent.uid",
        "write one of name, namespace",
    ),
    "children-word": (
        "allowedChildren: all",
        "spec.allowedChildren",
        "write fields and their values below it",
    ),
    "children-without-namespaces": (
        "allowedChildren: {}",
        "spec.allowedChildren.namespaces",
        'is missing: write up to 200 namespaces, ["*"] for all, or leave allowedChildren out',
    ),
    "children-of-no-namespace": (
        "allowedChildren: {namespaces: []}",
        "spec.allowedChildren.namespaces",
        "is empty: write up to 200 namespaces",
    ),
    "children-namespaces-word": (
        'allowedChildren: {namespaces: "*"}',
        "spec.allowedChildren.namespaces",
        'is "*": write a list of a namespace of lower-case letters',
    ),
    "children-namespace": (
        'allowedChildren: {namespaces: ["team-*"]}',
        "spec.allowedChildren.namespaces[0]",
        'for example "support", or "*" for all',
    ),
    "children-namespace-twice": (
        "allowedChildren: {namespaces: [a, b, a]}",
        "spec.allowedChildren.namespaces[2]",
        "keep one",
    ),
    "children-of-all-and-one": (
        'allowedChildren: {namespaces: ["*", a]}',
        "spec.allowedChildren.namespaces",
        'write ["*"], or leave "*" out',
    ),
    "children-names": (
        "allowedChildren: {namespaces: [a], names: [b]}",
        "spec.allowedChildren.names",
        "did you mean namespaces?",
    ),
    "no-step": ("onExhausted: []", "spec.onExhausted", "write [Reject]"),
    "not-a-list": ("onExhausted: Reject", "spec.onExhausted", 'is "Reject": write a list of'),
    "after-reject": (
        "onExhausted: [Reject, Downgrade]",
        "spec.onExhausted",
        "goes on after Reject",
    ),
    "step-twice": ("onExhausted: [Downgrade, Downgrade]", "spec.onExhausted[1]", "keep one"),
    "alerts": ("alerts: [50]", "spec.alerts", "is not in this version"),
    "defer-for-without-defer": (
        "deferFor: 10s",
        "spec.deferFor",
        "means nothing without Defer in onExhausted: leave it out",
    ),
    "reserve-word": ("reserve: 20", "spec.reserve", "write fields and their values below it"),
    "reserve-without-percent": ("reserve: {}", "spec.reserve.percent", "is missing: write a whole"),
    "reserve-of-all": ("reserve: {percent: 100}", "spec.reserve.percent", "from 1 to 99"),
    "reserve-share": ('reserve: {percent: "0.2"}', "spec.reserve.percent", "a whole number"),
    "reserve-for-all": (
        "reserve: {percent: 20, priority: Normal}",
        "spec.reserve.priority",
        'is "Normal": write High, or leave the line out',
    ),
    "mode": ("mode: Off", "spec.mode", "is the yes-or-no value Off: write Enforce or Shadow"),
    "disconnected": (
        "whenDisconnected: Deny",
        "spec.whenDisconnected",
        "write SpendLease or Allow",
    ),
    "override-word": ("override: never", "spec.override", "write fields and their values below it"),
    "override-empty-limit": (
        "override: {until: 2027-01-01T00:00:00Z}",
        "spec.override.limit",
        "is missing: write dollars",
    ),
    "override-for-ever": ('override: {limit: "2"}', "spec.override.until", "is missing: write a"),
    "override-day": (
        'override: {limit: "2", until: 2027-01-01}',
        "spec.override.until",
        'is the date 2027-01-01: write a date, a time and its distance from UTC, for example "2026',
    ),
    "override-local-time": (
        'override: {limit: "2", until: "2027-01-01T00:00:00"}',
        "spec.override.until",
        "its distance from UTC",
    ),
    "override-field": (
        'override: {limit: "2", until: 2027-01-01T00:00:00Z, from: now}',
        "spec.override.from",
        "write one of limit, until",
    ),
    "unpriced": ("unpriced: Assume", "spec.unpriced", "is not in this version"),
    "estimate": ("estimate: Expected", "spec.estimate", "is not in this version"),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_wrong_field(case: str) -> None:
    spec, field, says = WRONG_FIELDS[case]
    assert_found(Wrong(text=pool("one", spec), line=6, field=field, says=says))


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        ("24h", 'is "24h": write a duration from 1s to 10m'),
        ("1ms", 'is "1ms": write a duration from 1s to 10m'),
        ("30", 'is the number 30: write a duration from 1s to 10m, for example "30s"'),
    ],
)
def test_a_call_waits_for_seconds_or_minutes(wait: str, says: str) -> None:
    text = pool("one", f"onExhausted: [Defer]\ndeferFor: {wait}")
    assert_found(Wrong(text=text, line=7, field="spec.deferFor", says=says))


@pytest.mark.parametrize(
    ("spec", "field", "says"),
    [
        ("window:\n  period: Day", "spec.window", "means nothing where the limit is per Request"),
        ("reserve:\n  percent: 20", "spec.reserve", "means nothing where the limit is per Request"),
        ("mode: Shadow", "spec.mode", "means nothing where the limit is per Request"),
        ("whenDisconnected: Allow", "spec.whenDisconnected", "means nothing where the limit is"),
        (
            'override: {limit: "2", until: 2027-01-01T00:00:00Z}',
            "spec.override",
            'is not in this version where the limit is per Request: write the amount into "limit"',
        ),
    ],
)
def test_a_limit_for_each_request_has_only_an_amount(spec: str, field: str, says: str) -> None:
    text = pool("one", f"per: Request\n{spec}\n")
    assert_found(Wrong(text=text, line=7, field=field, says=says))


def test_a_problem_reads_as_one_sentence_with_its_place() -> None:
    text = manifest(Kind.BUDGET_POOL, "limit: 50.00", "team")
    assert [str(problem) for problem in load_text(text).problems] == [
        (
            "a.yaml:5: BudgetPool/default/team: spec.limit: is the number 50.00: put it in quotes, "
            '"50.00", so that nothing rounds it'
        )
    ]


def test_all_problems_of_a_pool_are_found_at_once() -> None:
    text = pool("one", "per: Team\nwindow:\n  period: 1y\nmood: good\n", limit="ten")
    found = [(problem.line, problem.field) for problem in load_text(text).problems]
    assert found == [
        (5, "spec.limit"),
        (6, "spec.per"),
        (8, "spec.window.period"),
        (9, "spec.mood"),
    ]
