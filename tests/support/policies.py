"""Small policies and calls for tests: three tiers; an organisation, a team and its people."""

from dataclasses import replace

from farebox.core.budgets import Keys, OnExhausted, Per, Pool, PoolUid
from farebox.core.call import Call, Identity
from farebox.core.classify import classify
from farebox.core.money import Nanos, parse_dollars
from farebox.core.policy import Policy
from farebox.core.prices import Price, Rates
from farebox.core.routing import Plan, plan
from farebox.core.tasks import AUTO_MODEL, TaskProfile
from farebox.core.tiers import Api, Capability, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from farebox.core.windows import LIFETIME

EVERYTHING = frozenset({Capability.TOOLS, Capability.JSON_SCHEMA, Capability.VISION})


def make_model(name: str, dollars_in: str, dollars_out: str, **changes: object) -> Model:
    """A model with prices in dollars per million tokens."""
    rates = {
        UsageKind.INPUT: int(parse_dollars(dollars_in)),
        UsageKind.OUTPUT: int(parse_dollars(dollars_out)),
    }
    model = Model(
        name=name,
        provider="openai",
        api=Api.OPENAI_CHAT,
        base_url="http://127.0.0.1:9/v1",
        upstream_name=name,
        price=Price(rates=Rates(by_kind=rates)),
        context_window=128_000,
        max_output_tokens=16_384,
        capabilities=EVERYTHING,
    )
    return replace(model, **changes)  # type: ignore[arg-type]  # the caller names fields of Model


SMALL = make_model("gpt-4o-mini", "0.15", "0.60")
MID = make_model("gpt-4o", "2.50", "10.00")
FRONTIER = make_model("o1", "15.00", "60.00")

TIERS = (
    Tier(name="small", rank=1, max_difficulty=350, models=(SMALL,)),
    Tier(name="mid", rank=2, max_difficulty=700, models=(MID,)),
    Tier(name="frontier", rank=3, max_difficulty=1_000, models=(FRONTIER,)),
)

TASKS = (
    TaskProfile(name="classification", default_tier="small", expected_output_tokens=10),
    TaskProfile(name="rag", default_tier="mid"),
    TaskProfile(name="reasoning", default_tier="frontier"),
)


def make_pool(name: str, limit: str, **changes: object) -> Pool:
    """A lifetime pool of the namespace acme."""
    pool = Pool(
        uid=PoolUid(f"acme/{name}"),
        namespace="acme",
        name=name,
        generation=1,
        limit=parse_dollars(limit),
        window=LIFETIME,
    )
    return replace(pool, **changes)  # type: ignore[arg-type]  # the caller names fields of Pool


ORG_POOL = make_pool("org", "10.00")
TEAM_POOL = make_pool("team", "5.00", parent=ORG_POOL.uid)
PEOPLE_POOL = make_pool("people", "1.00", per=Per.USER, parent=TEAM_POOL.uid)


def make_policy(*pools: Pool) -> Policy:
    """A policy with the three tiers and tasks, and these pools (by default org and team)."""
    return Policy(
        generation=1,
        pools=pools or (TEAM_POOL, ORG_POOL),
        catalogue=Catalogue(tiers=TIERS),
        tasks=TASKS,
    )


def without_downgrade(pool: Pool) -> Pool:
    """A pool that rejects at once when it is exhausted."""
    return replace(pool, on_exhausted=(OnExhausted.REJECT,))


def make_call(**changes: object) -> Call:
    """A tagged classification call of 400 bytes that asks for at most 100 tokens."""
    call = Call(
        path="/v1/chat/completions",
        model=AUTO_MODEL,
        identity=Identity(keys=Keys(user="ana"), task="classification"),
        body_bytes=400,
        prompt="Is this mail a complaint or a question?",
        output_tokens=100,
    )
    return call._replace(**changes)  # type: ignore[arg-type]  # the caller names fields of Call


def planned(call: Call, policy: Policy) -> Plan:
    """The candidates of a call under a policy."""
    return plan(call, classify(call, policy), policy)


def dollars(text: str) -> Nanos:
    """An amount in nano-dollars."""
    return parse_dollars(text)
