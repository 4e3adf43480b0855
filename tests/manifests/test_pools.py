"""A budget pool is read exactly, and what is wrong with one is said where it stands."""

from textwrap import dedent

import pytest

from farebox.core.budgets import OnExhausted, Per, PoolUid
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, CalendarUnit, WindowSpec, WindowType
from farebox.manifests.resources import Kind
from tests.manifests.builders import Wrong, assert_found, load_text, manifest, pool


def test_a_pool_says_no_more_than_its_limit() -> None:
    read = load_text(pool("team", limit="50.00")).resources.pools[PoolUid("default/team")]
    assert read.limit == Nanos(50_000_000_000)
    assert read.window == WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY)
    assert (read.namespace, read.name, read.generation) == ("default", "team", 1)
    assert (read.per, read.selector, read.parent) == (Per.SHARED, None, None)
    assert read.on_exhausted == (OnExhausted.DOWNGRADE, OnExhausted.REJECT)


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
          onExhausted: [Reject]
        ---
        apiVersion: farebox.dev/v1alpha1
        kind: BudgetPool
        metadata: {name: acme}
        spec: {limit: "0", window: {type: Lifetime}, selector: {matchLabels: {}}}
        """
    loaded = load_text(dedent(text))
    assert loaded.problems == ()
    user = loaded.resources.pools[PoolUid("support/user")]
    assert user.limit == Nanos(1)
    assert user.window == WindowSpec(type=WindowType.FIXED, period=DurationMs(5_400_000))
    assert user.per is Per.USER
    assert user.selector == {"app": "assistant", "example.com/tier": "2"}
    assert user.parent == "default/acme"
    assert user.on_exhausted == (OnExhausted.REJECT,)
    acme = loaded.resources.pools[PoolUid("default/acme")]
    assert (acme.limit, acme.window, acme.selector) == (0, LIFETIME, {})


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
    "of-another-world": ("zzz: 1", "spec.zzz", "write one of limit, onExhausted, parent, per"),
    "per-in-lower-case": ("per: user", "spec.per", "write Shared, Request, Session, User or"),
    "per-header": ("per: {header: x-team}", "spec.per", "not in this version as a header: write"),
    "window-word": ("window: Day", "spec.window", 'is "Day": write fields and their values below'),
    "window-type": ("window: {type: Hourly}", "spec.window.type", "write Fixed or Lifetime"),
    "window-sliding": ("window: {type: Sliding}", "spec.window.type", "is not in this version"),
    "token-bucket": ("window: {type: TokenBucket}", "spec.window.type", "is not in this version"),
    "time-zone": ("window: {timeZone: UTC}", "spec.window.timeZone", "windows begin at midnight"),
    "period-without-unit": (
        "window: {period: 24}",
        "spec.window.period",
        "is the number 24: write",
    ),
    "period-clock": ("window: {period: 1:30}", "spec.window.period", "is the number 1:30: write"),
    "period-unit": ("window: {period: 1w}", "spec.window.period", 'is "1w": write Hour, Day'),
    "period-too-short": ("window: {period: 500ms}", "spec.window.period", "from 1s to 3660d"),
    "period-too-long": ("window: {period: 4000d}", "spec.window.period", "from 1s to 3660d"),
    "period-of-lifetime": (
        "window: {type: Lifetime, period: Day}",
        "spec.window.period",
        "means nothing where the type is Lifetime",
    ),
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
    "parent-routes": (
        "parent: {name: one, allowedRoutes: all}",
        "spec.parent.allowedRoutes",
        "any pool may name a parent",
    ),
    "no-step": ("onExhausted: []", "spec.onExhausted", "write [Reject]"),
    "not-a-list": ("onExhausted: Reject", "spec.onExhausted", 'is "Reject": write a list of'),
    "defer": ("onExhausted: [Defer]", "spec.onExhausted[0]", "is Defer, which is not in this"),
    "after-reject": (
        "onExhausted: [Reject, Downgrade]",
        "spec.onExhausted",
        "goes on after Reject",
    ),
    "step-twice": ("onExhausted: [Downgrade, Downgrade]", "spec.onExhausted[1]", "keep one"),
    "reserve": ("reserve: {percent: 20}", "spec.reserve", "not in this version: leave it out"),
    "shadow": ("mode: Shadow", "spec.mode", "the limit is always enforced"),
    "override": ("override: {}", "spec.override", 'write the higher amount into "limit"'),
    "alerts": ("alerts: [50]", "spec.alerts", "is not in this version"),
    "defer-for": ("deferFor: 1h", "spec.deferFor", "is not in this version"),
    "unpriced": ("unpriced: Assume", "spec.unpriced", "is not in this version"),
    "estimate": ("estimate: Expected", "spec.estimate", "is not in this version"),
    "disconnected": ("whenDisconnected: Allow", "spec.whenDisconnected", "is not in this version"),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_wrong_field(case: str) -> None:
    spec, field, says = WRONG_FIELDS[case]
    assert_found(Wrong(text=pool("one", spec), line=6, field=field, says=says))


def test_a_limit_for_each_request_has_no_window() -> None:
    text = pool("one", "per: Request\nwindow:\n  period: Day\n")
    says = "means nothing where the limit is per Request: leave it out"
    assert_found(Wrong(text=text, line=7, field="spec.window", says=says))


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
