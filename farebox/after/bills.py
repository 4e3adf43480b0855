"""What a call that was made once would cost if it went this way or that.

The one rule: an answer that was really given costs what it was billed; for any other the tokens of
the one that was given are priced, and that is said. This module must not know pools.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from farebox.after.cases import Bill, Try
from farebox.after.receipts import ANSWER, Attempt, Past, usage_of
from farebox.core.classify import Classification
from farebox.core.money import Nanos, divide_up
from farebox.core.policy import Policy
from farebox.core.prices import cost
from farebox.core.reasons import Reason
from farebox.core.routing import Route
from farebox.core.tiers import Model
from farebox.core.usage import Usage

_THOUSAND: Final = 1_000
_FATES: Final = {Reason.GATE_FAILED, Reason.PROVIDER_UNREACHABLE, Reason.PROVIDER_SILENT}
"""What befalls a call after it was sent, whoever decided that."""


def bill_of(past: Past, found: Classification, policy: Policy) -> Callable[[Route], Bill]:
    """How to price a call of the past on a route."""
    return partial(_bill, past, found, policy)


def estimated(route: Route) -> Bill:
    """The bill of a call of which nothing is known: what is expected of it."""
    return _reckoned(route, _expected(route))


def _bill(past: Past, found: Classification, policy: Policy, route: Route) -> Bill:
    model = route.candidate.model
    first = past.attempts[0] if past.attempts else None
    if first is not None and first.model == model.name and _fits(first, past, route):
        tries = tuple(Try(one.model, one.held, one.cost) for one in past.attempts)
        serves = past.model or model.name
        refused = Reason(past.refused) if past.refused in _FATES else None
        return Bill(tries, serves, past.tier or _tier(route), sure=True, refused=refused)
    answered = _answer_of(past, model.name)
    if answered is not None and _fits(answered, past, route):
        tries = (Try(model.name, route.hold, answered.cost),)
        return Bill(tries, serves=model.name, tier=_tier(route), sure=True)
    usage = past.tokens()
    if usage is None:
        return estimated(route)
    priced = min(_priced(model, usage, route), route.hold)
    return _with_escalations(_reckoned(route, priced), found, policy, route, usage)


def _fits(attempt: Attempt, past: Past, route: Route) -> bool:
    """Whether the answer could be as it was: one that is now to be shorter costs less."""
    if route.hold >= attempt.held:
        return True
    usage = past.tokens() if attempt.usage is None else usage_of(attempt.usage)
    written = 0 if usage is None else usage.output
    choices = past.asked.choices if past.asked is not None else 1
    return attempt.cost <= route.hold and written <= route.output_asked * choices


def _answer_of(past: Past, model: str) -> Attempt | None:
    """The attempt of a model that gave an answer, though another was tried before it."""
    answers = (one for one in past.attempts if one.purpose == ANSWER and one.usage is not None)
    return next((one for one in answers if one.model == model), None)


def _with_escalations(
    bill: Bill, found: Classification, policy: Policy, route: Route, usage: Usage
) -> Bill:
    """With what escalations cost on average, where the task's baseline foresees them."""
    profile = policy.marks.by_name.get(found.task)
    tier, higher = route.candidate.tier, _next_model(route, policy)
    if profile is None or profile.baseline is None or tier is None or higher is None:
        return bill
    passes = dict(profile.baseline.pass_rates).get(tier.name)
    if not found.gates or passes is None:
        return bill
    share = divide_up(cost(higher.price, usage) * (_THOUSAND - passes), _THOUSAND)
    return bill._replace(tries=(*bill.tries, Try(higher.name, Nanos(share), Nanos(share))))


def _next_model(route: Route, policy: Policy) -> Model | None:
    """The first model of the next higher tier."""
    tier = route.candidate.tier
    if tier is None:
        return None
    higher = (one for one in policy.catalogue.tiers if one.rank > tier.rank and one.models)
    return next((one.models[0] for one in higher), None)


def _priced(model: Model, usage: Usage, route: Route) -> Nanos:
    """The tokens of the answer that was given, as far as this route lets the model write them."""
    output = min(usage.output, route.output_asked)
    return cost(model.price, replace(usage, output=output))


def _reckoned(route: Route, amount: Nanos) -> Bill:
    name = route.candidate.model.name
    return Bill((Try(name, route.hold, amount),), serves=name, tier=_tier(route), sure=False)


def _expected(route: Route) -> Nanos:
    return min(route.candidate.estimate.expected, route.hold)


def _tier(route: Route) -> str:
    tier = route.candidate.tier
    return "" if tier is None else tier.name
