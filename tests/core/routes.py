"""Calls, classifications and catalogues for the tests of routing.

The one rule: prices and tiers are those of `tests.support.policies`; this only varies them.
"""

from dataclasses import replace

from farebox.core.call import Call, Identity
from farebox.core.classify import Classification
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Plan, Rejected
from farebox.core.tasks import Freedom, RoutingPolicy, TaskMatch, TaskProfile
from farebox.core.tiers import Catalogue, Model
from tests.support.policies import TIERS, make_call, make_model, make_policy

RICH = Nanos(10**18)
POLICY = make_policy()
UNLISTED = make_model("gpt-3.5-turbo", "0.50", "1.50", capabilities=frozenset())
TRIAGE = TaskProfile(name="triage", match=TaskMatch(aliases=("acme/triage",)), default_tier="small")


def found(difficulty: int = 300, **changes: object) -> Classification:
    classification = Classification(difficulty=difficulty, reason=Reason.TASK_TAGGED, rule="test")
    return classification._replace(**changes)  # type: ignore[arg-type]  # names its fields


def call(**changes: object) -> Call:
    return make_call(identity=Identity(), **changes)


def with_catalogue(*models: tuple[Model, ...], unlisted: tuple[Model, ...] = ()) -> Policy:
    tiers = tuple(replace(tier, models=own) for tier, own in zip(TIERS, models, strict=True))
    return replace(POLICY, catalogue=Catalogue(tiers=tiers, unlisted=unlisted))


def with_freedom(freedom: Freedom) -> Policy:
    return replace(POLICY, routing=RoutingPolicy(freedom=freedom))


def names(of: Plan) -> tuple[list[str], list[str]]:
    """The sufficient candidates and the others, cheapest first."""
    return (
        [one.model.name for one in of.candidates if one.sufficient],
        [one.model.name for one in of.candidates if not one.sufficient],
    )


def reasons(rejected: tuple[Rejected, ...]) -> dict[str, str]:
    return {one.model: one.reason.value for one in rejected}
