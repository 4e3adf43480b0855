"""The status of a pool: figures in dollars, and conditions that tell the truth."""

from dataclasses import replace
from typing import Any

import pytest

from controller.kube.conditions import Seen, conditions_of
from controller.kube.facts import PoolFacts
from controller.kube.pool_status import PoolView, dollars, pool_status, window_words
from farebox.core.budgets import Mode, Per, Pool, WhenDisconnected
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import NANOS_PER_DOLLAR, Nanos
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType
from farebox.manifests.resources import Kind, Problem, ResourceId
from tests.deploy.crds import CRDS
from tests.deploy.validation import faults
from tests.support.scenes import HOURLY, MINUTE, START, TEN_MINUTES, pool

NOW = UtcMs(START + 5_000)
ID = ResourceId(Kind.BUDGET_POOL, "acme", "org")
ORG = pool(limit=50 * NANOS_PER_DOLLAR, window=MINUTE)


def usd(text: str) -> Nanos:
    """An amount of dollars."""
    whole, fraction = text.split(".")
    return Nanos(int(whole) * NANOS_PER_DOLLAR + int(fraction.ljust(9, "0")))


def facts(of: Pool = ORG, **more: Any) -> PoolFacts:
    return PoolFacts(pool=of, limit=of.limit, headroom=of.limit, **more)


def seen(value: Pool | None = ORG, **more: Any) -> Seen:
    in_force = None if value is None else 2
    return Seen(
        **{
            "id": ID,
            "uid": "u-1",
            "generation": 2,
            "version": "9",
            "in_force": in_force,
            "value": value,
            **more,
        }
    )


def view(of: Pool = ORG, *, bare_pods: int | None = None, **more: Any) -> PoolView:
    return PoolView(seen(of), facts(of, **more), bare_pods)


def condition(of: PoolView, type_: str) -> tuple[str, str, str]:
    found = conditions_of(pool_status(of, NOW))[type_]
    return found["status"], found["reason"], found["message"]


def test_figures_are_exact_dollars_without_needless_zeros() -> None:
    status = pool_status(
        view(
            spent=usd("1.25"),
            held=usd("0.000000001"),
            leased=usd("2.0"),
            holders=3,
            starts=START,
            ends=UtcMs(START + 60_000),
        ),
        NOW,
    )
    assert {name: value for name, value in status.items() if name != "conditions"} == {
        "observedGeneration": 2,
        "window": {
            "name": "1m",
            "starts": "2026-09-21T14:14:00Z",
            "ends": "2026-09-21T14:15:00Z",
        },
        "limit": "50.00",
        "spent": "1.25",
        "held": "0.000000001",
        "leased": "2.00",
        "headroom": "50.00",
        "holders": 3,
    }


def test_a_pool_that_is_split_counts_its_sub_pools() -> None:
    people = replace(ORG, per=Per.USER)
    assert pool_status(view(people, sub_pools=4), NOW)["subPools"] == 4


def test_a_limit_of_each_call_has_a_limit_only() -> None:
    cap = replace(ORG, per=Per.REQUEST)
    status = pool_status(PoolView(seen(cap), None), NOW)
    assert (status["limit"], status["window"]) == ("50.00", {"name": "each request"})
    assert "spent" not in status
    assert condition(PoolView(seen(cap), None), "Exhausted")[:2] == ("False", "PerRequest")
    assert condition(PoolView(seen(cap), None), "Enforced")[:2] == ("True", "Enforced")


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY), "Day"),
        (
            WindowSpec(type=WindowType.FIXED, period=CalendarUnit.MONTH, zone="Europe/Berlin"),
            "Month Europe/Berlin",
        ),
        (MINUTE, "1m"),
        (TEN_MINUTES, "10m sliding"),
        (HOURLY, "1h bucket"),
        (WindowSpec(type=WindowType.TOKEN_BUCKET, refill_per_hour=usd("2.50")), "2.50/h bucket"),
        (WindowSpec(type=WindowType.FIXED, period=DurationMs(5_400_000)), "1h30m"),
        (WindowSpec(type=WindowType.LIFETIME), "lifetime"),
    ],
)
def test_the_window_has_words(window: WindowSpec, words: str) -> None:
    assert window_words(pool(window=window)) == words


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00"), (50 * NANOS_PER_DOLLAR, "50.00"), (120_000, "0.00012"), (1, "0.000000001")],
)
def test_amounts_have_cents_and_every_digit_that_counts(amount: int, text: str) -> None:
    assert dollars(Nanos(amount)) == text


TURNED_AWAY = "the smallest call that was turned away"
BACK = "2026-09-21T14:15:00Z, or when the limit is raised"
SHADOW = replace(ORG, mode=Mode.SHADOW)
LENIENT = replace(ORG, when_disconnected=WhenDisconnected.ALLOW)


@pytest.mark.parametrize(
    ("of", "status", "reason", "says"),
    [
        (view(), "True", "Enforced", "no call passes that does not fit the limit"),
        (view(bare_pods=0), "True", "Enforced", "no call passes"),
        (view(SHADOW), "False", "Shadow", "every call passes; write Enforce"),
        (view(LENIENT), "False", "AllowsWhenDisconnected", "write SpendLease"),
        (view(bare_pods=1), "False", "PodsWithoutSidecar", "1 pod that the selector"),
        (view(LENIENT, bare_pods=3), "False", "PodsWithoutSidecar", "3 pods that the selector"),
        (PoolView(seen(None), None), "False", "NotInForce", "no version"),
    ],
    ids=[
        "the limit holds",
        "all its pods have sidecars",
        "nothing is refused",
        "pods that can't reach the controller pass",
        "a pod without a sidecar",
        "the nearer reason comes first",
        "it was never good",
    ],
)
def test_enforced_is_true_only_where_the_limit_holds(
    of: PoolView, status: str, reason: str, says: str
) -> None:
    found = condition(of, "Enforced")
    assert found[:2] == (status, reason)
    assert says in found[2]


@pytest.mark.parametrize(
    ("of", "status", "reason", "says"),
    [
        (view(), "False", "MoneyLeft", "calls find money"),
        (
            view(exhausted=1, need=usd("0.02"), back=UtcMs(START + 60_000)),
            "True",
            "LimitReached",
            f"the limit is reached; {TURNED_AWAY} needs $0.02; money comes back at {BACK}",
        ),
        (
            view(exhausted=1),
            "True",
            "LimitReached",
            "the limit is reached; no money comes back by itself: raise the limit",
        ),
        (
            view(exhausted=2, sub_pools=7),
            "True",
            "LimitReached",
            "the limit is reached in 2 of 7 sub-pools",
        ),
        (view(above="acme/all"), "True", "ParentExhausted", "the pool above, acme/all, is"),
        (view(only_reserve=True), "True", "OnlyReserveLeft", "for calls of high priority"),
        (view(SHADOW, exhausted=1), "False", "Shadow", "mode is Shadow, so calls pass"),
        (view(SHADOW, only_reserve=True), "False", "MoneyLeft", "calls find money"),
        (PoolView(seen(None), None), "Unknown", "NotInForce", "no version"),
    ],
    ids=[
        "there is money",
        "until the window ends",
        "for good",
        "for some",
        "the pool above is",
        "for most calls",
        "only in thought",
        "a reserve in shadow mode keeps nobody out",
        "it was never good",
    ],
)
def test_exhausted_says_whether_calls_are_turned_away(
    of: PoolView, status: str, reason: str, says: str
) -> None:
    found = condition(of, "Exhausted")
    assert found[:2] == (status, reason)
    assert says in found[2]


@pytest.mark.parametrize(
    ("of", "status", "reason", "says"),
    [
        (view(), "False", "WithinLimit", "is within the limit"),
        (view(over=usd("2.5"), overs=1), "True", "BeyondLimit", "$2.50 more is spent, held"),
        (view(over=usd("2.5"), overs=3, sub_pools=9), "True", "BeyondLimit", "in 3 sub-pools"),
        (view(SHADOW, over=usd("2.5"), overs=1), "True", "Shadow", "mode is Shadow"),
        (PoolView(seen(None), None), "Unknown", "NotInForce", "no version"),
    ],
    ids=["within", "beyond", "some sub-pools", "in shadow mode", "it was never good"],
)
def test_over_committed_says_what_is_beyond_the_limit(
    of: PoolView, status: str, reason: str, says: str
) -> None:
    found = condition(of, "OverCommitted")
    assert found[:2] == (status, reason)
    assert says in found[2]


def test_while_a_bad_version_stands_the_good_one_shows_its_figures() -> None:
    problem = Problem(file="", line=0, resource=str(ID), field="spec.parent", message="is a circle")
    bad = seen(generation=5, in_force=2, problems=(problem,))
    status = pool_status(PoolView(bad, facts(spent=usd("3.0"))), NOW)
    assert (status["observedGeneration"], status["spent"]) == (5, "3.00")
    ready = conditions_of(status)["Ready"]
    assert (ready["status"], ready["observedGeneration"]) == ("False", 5)
    assert ready["message"] == "spec.parent: is a circle; generation 2 stays in force"


def test_a_pool_that_was_never_good_has_no_figures() -> None:
    assert set(pool_status(PoolView(seen(None), None), NOW)) == {"observedGeneration", "conditions"}


def test_every_field_is_one_of_the_schema_and_fits_it() -> None:
    status = pool_status(view(starts=START, ends=NOW, sub_pools=1), NOW)
    fields = CRDS[Kind.BUDGET_POOL].schema["properties"]["status"]["properties"]
    assert set(status) == set(fields)
    assert set(status["window"]) == set(fields["window"]["properties"])
    row = fields["conditions"]["items"]["properties"]
    assert all(set(one) == set(row) for one in status["conditions"])
    resource = {"metadata": {"name": "org"}, "spec": {"limit": "50.00"}, "status": status}
    assert faults(Kind.BUDGET_POOL, resource) == []
