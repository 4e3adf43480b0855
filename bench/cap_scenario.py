"""What one run of the cap benchmark does: limits, windows, callers, faults, kills.

The one rule: everything follows from the seed, so that a seed replays (as far as two cores allow:
what is done when is the same, who wins a race is not). Money is counted here again from prices and
bytes, without the code under test. This module must not know processes or results.
"""

import enum
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

CALLERS: Final = 100
SIDECARS: Final = ("sidecar-0", "sidecar-1")
CONTROLLER: Final = "controller"
USERS: Final = tuple(f"user-{number}" for number in range(8))

CALLS_WORTH_MIN: Final = 5
CALLS_WORTH_MAX: Final = 100
"""The bounds of every limit, in worst cases of a typical call."""

WINDOW_S_MIN: Final = 6
WINDOW_S_MAX: Final = 15
OUTPUT_DEFAULT: Final = 300
"""The max_tokens that the routing policy gives to calls without any."""

_TOGETHER_CHANCE: Final = 0.35
_PAUSES_MS: Final = (0, 0, 400, 2_500)
_LIFETIME_CHANCE: Final = 0.2
_BODY_BYTES_TYPICAL: Final = 400
_OUTPUT_TYPICAL: Final = 240
_WORDS: Final = (
    "account agent answer balance batch branch cache change claim client cost count cycle deal "
    "delay draft edge event factor field figure form gate goal guide index input invoice item lane "
    "ledger level list market method model office order owner page parcel phase plan policy price"
).split()


class Kind(enum.StrEnum):
    """The two runs of a seed."""

    STORM = "storm"
    EXHAUSTION = "exhaustion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of one tier; prices in n$ a token. The provider may overrun as it is declared."""

    name: str
    tier: str
    input_nanos: int
    output_nanos: int


SMALL: Final = Model(name="gpt-4o-mini", tier="small", input_nanos=150, output_nanos=600)
MID: Final = Model(name="gpt-4o", tier="mid", input_nanos=400, output_nanos=1_600)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """One pool. `period_ms` None: for ever. `calls_worth`: the limit in typical worst cases."""

    name: str
    limit_nanos: int
    calls_worth: int
    period_ms: int | None
    per_user: bool = False
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One SIGKILL `at_ms` after the callers began; the victim starts again `pause_ms` later."""

    at_ms: int
    victim: str
    pause_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One call as its caller makes it, after a pause."""

    user: str
    model: str
    prompt: str
    max_tokens: int | None
    stream: bool
    usage_wanted: bool
    pause_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything about one run. Durations in milliseconds."""

    seed: int
    kind: Kind
    pools: tuple[PoolPlan, ...]
    models: tuple[Model, ...]
    overrun_percent: int
    tokenizer: str
    fill_max: bool
    latency_ms: int
    tokens_per_second: int
    faults: Mapping[str, float]
    kills: tuple[Kill, ...]
    storm_ms: int
    think_ms_max: int
    heartbeat_ms: int
    ttl_ms: int

    def orders(self, caller: int) -> Iterator[Order]:
        """What a caller asks for, call by call, without end."""
        chance = random.Random(f"{self.seed}/{self.kind}/caller/{caller}")
        home = chance.choice(USERS)
        while True:
            # To exhaust a user's pool its callers must stay with it until they are refused.
            yield self._order(chance, chance.choice(USERS) if self.kind is Kind.STORM else home)

    def sidecar_of(self, caller: int) -> int:
        """Beside which sidecar a caller lives."""
        return random.Random(f"{self.seed}/{self.kind}/home/{caller}").randrange(len(SIDECARS))

    def _order(self, chance: random.Random, user: str) -> Order:
        storm = self.kind is Kind.STORM
        names = [model.name for model in self.models]
        words = chance.choices(_WORDS, k=chance.randint(8, 60) if storm else 20)
        tokens = chance.randint(40, 400) if storm else OUTPUT_DEFAULT
        silent = chance.random() < 0.3
        return Order(
            user=user,
            model=chance.choice(["farebox/auto", "farebox/auto", *names]),
            prompt=" ".join(words),
            max_tokens=None if silent else tokens,
            stream=chance.random() < (0.4 if storm else 0.3),
            usage_wanted=chance.random() < 0.5,
            pause_ms=chance.randint(0, self.think_ms_max),
        )


def storm(seed: int) -> Scenario:
    """The run that tries to break the cap: every fault, and kills."""
    chance = random.Random(f"{seed}/{Kind.STORM}")
    storm_ms = chance.randint(8_000, 10_000)
    overrun_percent = chance.choice([0, 10, 25, 50])
    return Scenario(
        seed=seed,
        kind=Kind.STORM,
        pools=_pools(chance, overrun_percent, _storm_period),
        models=(SMALL, MID),
        overrun_percent=overrun_percent,
        tokenizer=chance.choice(["Pieces", "Bytes"]),
        fill_max=chance.random() < 0.5,
        latency_ms=chance.randint(20, 250),
        tokens_per_second=chance.choice([0, 0, 1_000]),
        faults=_faults(chance, overrun_percent),
        kills=_kills(chance, storm_ms),
        storm_ms=storm_ms,
        think_ms_max=chance.choice([50, 300, 1_000]),
        heartbeat_ms=chance.choice([250, 500]),
        # Short ones run out while a sidecar is away; long ones never do.
        ttl_ms=chance.choice([1_500, 3_000, 15_000]),
    )


def exhaustion(seed: int) -> Scenario:
    """The run that spends everything: no faults, and calls that cost what they may cost."""
    chance = random.Random(f"{seed}/{Kind.EXHAUSTION}")
    return Scenario(
        seed=seed,
        kind=Kind.EXHAUSTION,
        pools=_pools(chance, 0, _no_period),
        models=(SMALL,),
        overrun_percent=0,
        tokenizer="Bytes",
        fill_max=True,
        latency_ms=chance.randint(5, 60),
        tokens_per_second=0,
        faults={},
        kills=(),
        storm_ms=12_000,
        think_ms_max=20,
        heartbeat_ms=500,
        ttl_ms=5_000,
    )


def typical_worst_nanos(overrun_percent: int) -> int:
    """What a typical call on the small model may cost at worst."""
    output = _OUTPUT_TYPICAL * (100 + overrun_percent) // 100
    return _BODY_BYTES_TYPICAL * SMALL.input_nanos + output * SMALL.output_nanos


def _pools(
    chance: random.Random, overrun_percent: int, period: Callable[[random.Random], int | None]
) -> tuple[PoolPlan, ...]:
    worst = typical_worst_nanos(overrun_percent)
    plans = []
    for name, parent in (("org", ""), ("team", "org"), ("people", "team")):
        period_ms = period(chance)
        worth = chance.randint(CALLS_WORTH_MIN, CALLS_WORTH_MAX)
        plan = PoolPlan(
            name=name,
            # An odd amount: the limit is no multiple of what a call costs.
            limit_nanos=worth * worst + chance.randrange(worst),
            calls_worth=worth,
            period_ms=period_ms,
            per_user=name == "people",
            parent=parent,
        )
        plans.append(plan)
    return tuple(plans)


def _storm_period(chance: random.Random) -> int | None:
    """Mostly windows that end in the course of the run, so that a limit renews itself."""
    if chance.random() < _LIFETIME_CHANCE:
        return None
    return chance.randint(WINDOW_S_MIN, WINDOW_S_MAX) * 1_000


def _no_period(_: random.Random) -> int | None:
    return None


def _faults(chance: random.Random, overrun_percent: int) -> dict[str, float]:
    kinds = ["error429", "error500", "error503", "cutStream", "missingUsage", "slowBody"]
    kinds += ["latency", "hangUp"]
    if overrun_percent:
        kinds.append("longAnswer")
    return {kind: round(chance.uniform(0.01, 0.06), 3) for kind in kinds}


def _kills(chance: random.Random, storm_ms: int) -> tuple[Kill, ...]:
    """3 to 6 kills; some fall together, so that a controller comes back while a holder is away."""
    kills: list[Kill] = []
    for at_ms in sorted(chance.randint(300, storm_ms - 500) for _ in range(chance.randint(3, 6))):
        together = bool(kills) and chance.random() < _TOGETHER_CHANCE
        kill = Kill(
            at_ms=kills[-1].at_ms if together else at_ms,
            victim=chance.choice((*SIDECARS, CONTROLLER)),
            pause_ms=chance.choice(_PAUSES_MS),
        )
        kills.append(kill)
    return tuple(kills)
