"""The statuses of ModelTier, TaskProfile and RoutingPolicy.

The one rule: a condition speaks of the version that stands in the API server, also where an older
one is in force. Pure: this module must not know who watches tasks, or the API server.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from controller.kube.conditions import Found, Seen, conditions, ready, sentence, told_problems
from farebox.core.instant import UtcMs
from farebox.core.tiers import Tier
from farebox.core.watching import Condition, ConditionType, Status

PRICED: Final = "Priced"
TIER_CONDITIONS: Final = ("Ready", PRICED)
TASK_CONDITIONS: Final = (
    "Ready",
    *(str(one) for one in ConditionType if one is not ConditionType.PRICES_OLD),
)
POLICY_CONDITIONS: Final = ("Ready",)
MODEL_NAMES_CHARACTERS_MAX: Final = 512

_MODEL: Final = re.compile(r"spec\.models\[(\d+)\]")
_PRICE: Final = re.compile(r"spec\.models\[\d+\]\.price")


def tier_status(seen: Seen, prices: Condition | None, now: UtcMs) -> dict[str, Any]:
    """`status` of a ModelTier; `prices` says whether the built-in price table is old."""
    status: dict[str, Any] = {"observedGeneration": seen.generation}
    if isinstance(seen.value, Tier):
        names = ", ".join(model.name for model in seen.value.models)
        status["modelNames"] = (
            names
            if len(names) <= MODEL_NAMES_CHARACTERS_MAX
            else names[: MODEL_NAMES_CHARACTERS_MAX - 1] + "…"
        )
    status["conditions"] = conditions(
        (ready(seen), _priced(seen, prices)),
        before=seen.status,
        generation=seen.generation,
        now=now,
    )
    return status


def task_status(
    seen: Seen, watched: Mapping[ConditionType, Condition], now: UtcMs
) -> dict[str, Any]:
    """`status` of a TaskProfile; `watched` is what the watch over tasks has found."""
    found = [
        Found(one.type, one.status, one.reason, sentence(one.message))
        for one in watched.values()
        if str(one.type) in TASK_CONDITIONS
    ]
    return _status(seen, found, now)


def policy_status(seen: Seen, now: UtcMs) -> dict[str, Any]:
    """`status` of a RoutingPolicy."""
    return _status(seen, (), now)


def _status(seen: Seen, found: Iterable[Found], now: UtcMs) -> dict[str, Any]:
    listed = conditions(
        (ready(seen), *found), before=seen.status, generation=seen.generation, now=now
    )
    return {"observedGeneration": seen.generation, "conditions": listed}


def _priced(seen: Seen, prices: Condition | None) -> Found:
    """Whether every model of the latest version has a price, and none an old one of the table."""
    models = seen.spec.get("models")
    rows = [row for row in models if isinstance(row, Mapping)] if isinstance(models, list) else []
    unfit = tuple(problem for problem in seen.problems if _PRICE.match(problem.field))
    if unfit:
        names = dict.fromkeys(_name(rows, problem.field) for problem in unfit)
        says = sentence(f"no price of {', '.join(names)}", told_problems(unfit))
        return Found(PRICED, Status.FALSE, "NoPrice", says)
    by_table = [str(row.get("name", "")) for row in rows if "price" not in row]
    if by_table and prices is not None and prices.status is Status.TRUE:
        says = sentence(f"{', '.join(by_table)}: {prices.message}")
        return Found(PRICED, Status.FALSE, "PriceTableOld", says)
    whose = f"{len(rows) - len(by_table)} their own, {len(by_table)} the built-in price table's"
    return Found(PRICED, Status.TRUE, "AllPriced", f"every model has a price: {whose}")


def _name(rows: list[Mapping[str, Any]], field: str) -> str:
    """The name of the model that a field belongs to."""
    found = _MODEL.match(field)
    index = int(found.group(1)) if found else len(rows)
    return str(rows[index].get("name", field)) if index < len(rows) else field
