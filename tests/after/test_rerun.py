"""A policy decides again: as the sidecar's own cashier did, when it is the same policy."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.after.cases import Bill, Decision
from farebox.after.past import case_of
from farebox.after.receipts import Past
from farebox.after.rerun import Rerun
from farebox.core.budgets import Keys, OnExhausted, Per, Pool, Priority
from farebox.core.call import Call, Identity
from farebox.core.classify import classify
from farebox.core.gates import Gate, GateKind, Verdict
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.prices import cost
from farebox.core.reasons import Reason
from farebox.core.routing import Route
from farebox.core.usage import Usage
from sidecar.commands import Asked, AttemptRecord
from sidecar.events import MoneyHeld, MoneyRefused
from tests.support.desks import Desk
from tests.support.money import ORG, TEAM
from tests.support.past import attempt, past
from tests.support.policies import (
    MID,
    ORG_POOL,
    SMALL,
    TASKS,
    TEAM_POOL,
    make_call,
    make_policy,
    make_pool,
)
from tests.support.tallies import BASELINE


class Asking(NamedTuple):
    """One call of a property test: when, how long, how large, and what part of it was written."""

    gap: int
    duration: int
    body_bytes: int
    output_tokens: int
    task: str
    written: int

    def call(self) -> Call:
        return make_call(
            identity=Identity(keys=Keys(user="ana"), task=self.task),
            body_bytes=self.body_bytes,
            output_tokens=self.output_tokens,
            prompt="",
        )


askings = st.lists(
    st.builds(
        Asking,
        gap=st.integers(0, 200),
        duration=st.integers(1, 400),
        body_bytes=st.integers(50, 4_000),
        output_tokens=st.integers(1, 2_000),
        task=st.sampled_from([task.name for task in TASKS]),
        written=st.integers(0, 100),
    ),
    min_size=1,
    max_size=40,
)


class Living:
    """A real cashier whose pools are lent to it in full; it writes receipts of what it does."""

    def __init__(self, org: int, team: int, *, downgrade: bool) -> None:
        options = (OnExhausted.DOWNGRADE, OnExhausted.REJECT) if downgrade else ()
        pools = [
            replace(pool, limit=Nanos(limit), on_exhausted=options or (OnExhausted.REJECT,))
            for pool, limit in ((TEAM_POOL, team), (ORG_POOL, org))
        ]
        self.policy = make_policy(*pools)
        self.desk = Desk(org=org, team=team)
        self.receipts: list[Past] = []
        self._at = 0
        self._open: list[tuple[int, MoneyHeld, Nanos]] = []

    def come(self, asking: Asking) -> None:
        """A call comes; what has ended until then has been settled."""
        self._at += asking.gap
        self.desk.clock.advance(asking.gap)
        self._settle()
        call = asking.call()
        money = self.desk.now(call, self.policy)
        if money is None:
            for charge in (ORG, TEAM):
                self.desk.deny(charge, Reason.POOL_EXHAUSTED)
            money = self.desk.now(call, self.policy)
        found = classify(call, self.policy)
        changes: dict[str, Any] = {
            "at": self._at,
            "call_id": f"call-{len(self.receipts)}",
            "duration": asking.duration,
            "identity": call.identity,
            "asked": Asked(body_bytes=asking.body_bytes, output_tokens=asking.output_tokens),
            "task": found.task,
            "difficulty": found.difficulty,
            "rule": f"{found.reason}={found.rule}",
        }
        if isinstance(money, MoneyRefused):
            changes.update(_refused(money))
        else:
            assert isinstance(money, MoneyHeld)
            changes.update(self._served(asking, money))
        self.receipts.append(past(**changes))

    def _served(self, asking: Asking, money: MoneyHeld) -> dict[str, Any]:
        candidate = money.route.candidate
        usage = Usage(
            input=asking.body_bytes // 8,
            output=money.route.output_asked * asking.written // 100,
            call=1,
        )
        bill = cost(candidate.model.price, usage)
        self._open.append((self._at + asking.duration, money, bill))
        tier = candidate.tier.name if candidate.tier is not None else ""
        made = attempt(model=candidate.model.name, tier=tier, held=money.route.hold, cost=bill)
        return {
            "model": candidate.model.name,
            "tier": tier,
            "route": money.route.reason,
            "attempts": (made,),
            "usage": usage,
            "cost": bill,
        }

    def _settle(self) -> None:
        for one in sorted(self._open, key=lambda one: one[0]):
            ends, money, bill = one
            if ends <= self._at:
                self.desk.cashier.settle(money.hold, bill, Reason.USAGE_REPORTED)
                self._open.remove(one)


def _refused(money: MoneyRefused) -> dict[str, Any]:
    return {
        "refused": money.detail.reason,
        "refused_pool": money.detail.pool,
        "model": "",
        "tier": "",
        "route": None,
        "attempts": (),
        "usage": None,
        "cost": Nanos(0),
    }


def decided(policy: Policy, *calls: Past) -> list[Decision]:
    """Asked by a sidecar that does not wait for what others hold, but in line."""
    return Rerun(policy, ask=DurationMs(0)).run([case_of(one, policy) for one in calls])


@given(
    calls=askings,
    org=st.integers(10_000, 40_000_000),
    team=st.integers(10_000, 40_000_000),
    downgrade=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_against_the_policy_that_made_the_receipts_nothing_changes(
    calls: list[Asking], org: int, team: int, downgrade: bool
) -> None:
    """To the nano-dollar, where all money was at hand; which pool is named may differ."""
    living = Living(org, team, downgrade=downgrade)
    for asking in calls:
        living.come(asking)
    decisions = decided(living.policy, *living.receipts)
    assert [(one.model, one.cost, one.refused is None, one.sure) for one in decisions] == [
        (one.model, one.cost, one.refused is None, True) for one in living.receipts
    ]


@given(calls=askings, limit=st.integers(10_000, 40_000_000), narrower=st.integers(1, 100))
@settings(deadline=None, max_examples=50)
def test_a_limit_is_never_exceeded_whatever_the_policy(
    calls: list[Asking], limit: int, narrower: int
) -> None:
    living = Living(limit, limit, downgrade=True)
    for asking in calls:
        living.come(asking)
    cap = Nanos(limit * narrower // 100)
    policy = make_policy(replace(ORG_POOL, limit=cap, selector={}))
    decisions = decided(policy, *living.receipts)
    assert decisions == decided(policy, *living.receipts)
    assert sum(one.cost for one in decisions) <= cap


LARGE = {"asked": Asked(body_bytes=4_000, output_tokens=1_000)}
USER_POOL = make_pool("people", "1.00", per=Per.USER)


def test_another_model_is_priced_by_the_tokens_that_were_used() -> None:
    tasks = tuple(replace(task, default_tier="mid", floor_tier="mid") for task in TASKS)
    (decision,) = decided(replace(make_policy(), tasks=tasks), past(**LARGE))
    assert (decision.model, decision.sure) == ("gpt-4o", False)
    assert decision.cost == cost(MID.price, Usage(input=100, output=20, call=1))


def test_an_answer_that_was_given_on_the_way_costs_what_it_was_billed() -> None:
    escalated = past(
        model="gpt-4o",
        tier="mid",
        attempts=(attempt(), attempt(model="gpt-4o", tier="mid", cost=Nanos(700_000), usage=USED)),
        **LARGE,
    )
    tasks = tuple(replace(task, default_tier="mid", floor_tier="mid") for task in TASKS)
    (decision,) = decided(replace(make_policy(), tasks=tasks), escalated)
    assert (decision.cost, decision.sure) == (700_000, True)


USED = Usage(input=100, output=20, call=1)
FAILED = (Verdict("label", passed=False),)


def test_escalations_that_happened_happen_again_as_far_as_there_is_money() -> None:
    second = attempt(model="gpt-4o", tier="mid", held=Nanos(9_000_000), cost=Nanos(700_000))
    escalated = past(
        attempts=(attempt(verdicts=FAILED), second), model="gpt-4o", tier="mid", cost=Nanos(727_000)
    )
    (rich,) = decided(make_policy(), escalated)
    assert (rich.model, rich.cost) == ("gpt-4o", 727_000)
    poor = make_policy(replace(ORG_POOL, limit=Nanos(5_000_000)))
    (decision,) = decided(poor, escalated)
    assert (decision.model, decision.cost) == ("gpt-4o-mini", 27_000)


def test_escalations_that_only_a_baseline_foresees_cost_their_mean() -> None:
    gate = Gate(name="label", kind=GateKind.LABELS, labels=("yes",))
    tasks = (replace(TASKS[0], gates=(gate,), baseline=BASELINE),)
    dear = past(model="gpt-4o", tier="mid", attempts=(attempt(model="gpt-4o"),), **LARGE)
    (decision,) = decided(replace(make_policy(), tasks=tasks), dear)
    assert decision.costs == (
        ("gpt-4o-mini", cost(SMALL.price, USED)),
        ("gpt-4o", cost(MID.price, USED) // 10),
    )


def test_a_call_that_nothing_is_known_of_costs_what_is_expected() -> None:
    unserved = past(**_refused_like(Reason.POOL_EXHAUSTED, "acme/team"), **LARGE)
    (decision,) = decided(make_policy(), unserved)
    assert (decision.model, decision.sure, decision.refused) == ("gpt-4o-mini", False, None)
    assert decision.cost > 0


def test_what_the_caller_itself_forbade_is_refused_again() -> None:
    (decision,) = decided(make_policy(), past(**_refused_like(Reason.REQUEST_TOO_LARGE, "")))
    assert decision.refused is Reason.REQUEST_TOO_LARGE


def test_an_answer_that_no_gate_took_is_paid_and_not_given() -> None:
    unmended = past(refused=Reason.GATE_FAILED, attempts=(attempt(verdicts=FAILED),))
    (decision,) = decided(make_policy(), unmended)
    assert (decision.refused, decision.cost) == (Reason.GATE_FAILED, 27_000)


def _refused_like(reason: Reason, pool: str) -> dict[str, Any]:
    return {
        "refused": reason,
        "refused_pool": pool,
        "model": "",
        "attempts": tuple[AttemptRecord, ...](),
        "usage": None,
        "cost": Nanos(0),
    }


def waiting_pool(limit: int, *options: OnExhausted, patience: int = 1_000) -> Policy:
    pool: Pool = replace(
        ORG_POOL, limit=Nanos(limit), on_exhausted=options, defer_for=DurationMs(patience)
    )
    return make_policy(pool)


WORST = 400 + 8 + 32
HOLD = int(WORST * 150 + 100 * 600)
"""What a call of 400 bytes and 100 tokens holds on the small model."""


@pytest.mark.parametrize(
    ("second_at", "patience", "waited", "refused"),
    [
        (10, 1_000, 90, None),
        (10, 50, 0, Reason.DEFERRED_TOO_LONG),
        (200, 1_000, 0, None),
    ],
)
def test_a_call_waits_in_line_for_money_that_is_held(
    second_at: int, patience: int, waited: int, refused: Reason | None
) -> None:
    policy = waiting_pool(HOLD + 30_000, OnExhausted.DEFER, patience=patience)
    first = past(call_id="a", duration=100)
    _, second = decided(policy, first, past(call_id="b", at=second_at))
    assert (second.waited, second.refused) == (waited, refused)


@pytest.mark.parametrize(("duration", "waited", "served"), [(100, 90, True), (5_000, 0, False)])
def test_a_call_waits_a_little_for_money_that_another_holds(
    duration: int, waited: int, served: bool
) -> None:
    policy = waiting_pool(HOLD + 30_000, OnExhausted.REJECT)
    calls = (past(call_id="a", duration=duration), past(call_id="b", at=10, **LARGER))
    _, second = Rerun(policy).run([case_of(one, policy) for one in calls])
    assert (second.waited, second.refused is None) == (waited, served)


LARGER = {"asked": Asked(body_bytes=400, output_tokens=101)}
"""What a call asks that can't be made do with what another leaves."""


def test_a_call_of_high_priority_is_never_put_off() -> None:
    policy = waiting_pool(HOLD + 30_000, OnExhausted.DEFER)
    urgent = Identity(keys=Keys(user="ana"), task="classification", priority=Priority.HIGH)
    first = past(call_id="a", duration=100)
    _, second = decided(policy, first, past(call_id="b", at=10, identity=urgent))
    assert second.refused in {None, Reason.HOLD_PENDING}
    assert second.waited == 0


def test_each_user_has_its_own_pool() -> None:
    policy = make_policy(replace(USER_POOL, limit=Nanos(HOLD)))
    ben = Identity(keys=Keys(user="ben"), task="classification")
    calls = (past(call_id="a"), past(call_id="b", at=1, identity=ben), past(call_id="c", at=2))
    assert [one.refused is None for one in decided(policy, *calls)] == [True, True, False]


def test_a_model_that_no_tier_lists_has_no_price_here() -> None:
    (decision,) = decided(make_policy(), past(model_asked="nobody-knows-it", **NOBODY))
    assert decision.refused is Reason.UNPRICED_MODEL


NOBODY: dict[str, Any] = {"identity": Identity(keys=Keys(user="ana"))}


def test_a_route_is_priced_once_for_all() -> None:
    policy = make_policy()
    case = case_of(past(), policy)
    asked: list[Route] = []

    def counting(route: Route) -> Bill:
        asked.append(route)
        return case.bill(route)

    counted = case._replace(bill=counting)
    Rerun(policy).run([counted])
    assert len(asked) == 1
