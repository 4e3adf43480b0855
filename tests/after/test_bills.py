"""What a call costs another way: as billed where it was really answered, else reckoned."""

import pytest

from farebox.after.bills import bill_of, estimated
from farebox.after.past import call_of, found_again
from farebox.after.receipts import Past
from farebox.core.money import Nanos
from farebox.core.prices import cost
from farebox.core.reasons import Reason
from farebox.core.routing import Route, plan, route
from farebox.core.tiers import Model
from farebox.core.usage import Usage
from tests.support.past import attempt, past
from tests.support.policies import FRONTIER, MID, SMALL, make_policy

POLICY = make_policy()
PLENTY = Nanos(10**12)


def on(model: Model, of: Past, *, headroom: Nanos = PLENTY) -> Route:
    """The route of a past call to one model."""
    call = call_of(of)
    planned = plan(call, found_again(of, call, POLICY), POLICY)
    others = frozenset(c.model.name for c in planned.candidates if c.model.name != model.name)
    chosen = route(planned, call, headroom=headroom, may_downgrade=True, tried=others)
    assert isinstance(chosen, Route)
    return chosen


def bill(of: Past, model: Model, **options: Nanos) -> tuple[int, bool]:
    chosen = on(model, of, **options)
    made = bill_of(of, found_again(of, call_of(of), POLICY), POLICY)(chosen)
    return sum(one.costs for one in made.tries), made.sure


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (SMALL, (27_000, True)),
        (MID, (cost(MID.price, Usage(input=100, output=20, call=1)), False)),
        (FRONTIER, (cost(FRONTIER.price, Usage(input=100, output=20, call=1)), False)),
    ],
)
def test_where_it_was_answered_it_costs_what_it_cost(
    model: Model, expected: tuple[int, bool]
) -> None:
    assert bill(past(), model) == expected


def test_a_shorter_answer_costs_less_and_that_is_reckoned() -> None:
    hold = on(SMALL, past()).hold
    made = attempt(held=hold, cost=Nanos(75_000))
    long = past(usage=Usage(input=100, output=100, call=1), attempts=(made,))
    room = Nanos(on(SMALL, long).hold - 50 * 600)
    whole, sure = bill(long, SMALL)
    cut, cut_sure = bill(long, SMALL, headroom=room)
    assert (whole, sure) == (75_000, True)
    assert (cut, cut_sure) == (100 * 150 + 50 * 600, False)


def test_an_answer_that_overran_its_hold_does_so_again() -> None:
    hold = on(SMALL, past()).hold
    over = past(attempts=(attempt(held=hold, cost=Nanos(hold + 9)),))
    assert bill(over, SMALL) == (hold + 9, True)


def test_a_failed_attempt_before_the_answer_is_in_the_bill() -> None:
    retried = past(
        model="gpt-4o",
        tier="mid",
        attempts=(attempt(cost=Nanos(0)), attempt(model="gpt-4o", tier="mid", cost=Nanos(500))),
    )
    chosen = on(SMALL, retried)
    made = bill_of(retried, found_again(retried, call_of(retried), POLICY), POLICY)(chosen)
    assert [one.costs for one in made.tries] == [0, 500]
    assert (made.serves, made.tier, made.sure) == ("gpt-4o", "mid", True)


def test_what_is_not_known_is_expected() -> None:
    chosen = on(SMALL, past())
    assert estimated(chosen).tries[0].costs == chosen.candidate.estimate.expected
    assert not estimated(chosen).sure


def test_what_befell_a_call_after_it_was_sent_befalls_it_again() -> None:
    silent = past(refused=Reason.PROVIDER_SILENT)
    made = bill_of(silent, found_again(silent, call_of(silent), POLICY), POLICY)
    assert made(on(SMALL, silent)).refused is Reason.PROVIDER_SILENT
