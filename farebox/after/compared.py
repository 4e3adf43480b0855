"""What a policy would have done beside what was done: by task, by model, by reason.

The one rule: what was billed and what is reckoned are told apart, and what receipts can't tell is
said in words. This module must not know how it is shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from farebox.after.cases import Decision
from farebox.after.receipts import Past
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason


@dataclass(slots=True)
class Side:
    """One side of a comparison. `refused` calls cost nothing, or only what was tried before."""

    calls: int = 0
    refused: int = 0
    cost: Nanos = ZERO

    def count(self, *, cost: Nanos, refused: bool) -> None:
        """Add a call."""
        self.calls += 1
        self.refused += refused
        self.cost = Nanos(self.cost + cost)


@dataclass(slots=True)
class Pair:
    """What was, and what would have been. `moved` calls go to another model or end otherwise."""

    was: Side = field(default_factory=Side)
    would: Side = field(default_factory=Side)
    moved: int = 0


@dataclass(slots=True, kw_only=True)
class Compared:
    """Everything, by task and by model; refusals by reason. `reckoned` costs were not billed."""

    total: Pair = field(default_factory=Pair)
    tasks: dict[str, Pair] = field(default_factory=dict)
    models: dict[str, Pair] = field(default_factory=dict)
    refusals: dict[str, Pair] = field(default_factory=dict)
    reckoned: int = 0
    waited: int = 0

    def rows(self, pairs: dict[str, Pair]) -> list[tuple[str, Pair]]:
        """By name."""
        return sorted(pairs.items())


def compare(calls: Sequence[Past | None], decisions: Sequence[Decision]) -> Compared:
    """Set decisions beside what happened; None where nothing did, as with a file of prompts."""
    compared = Compared()
    for past, decision in zip(calls, decisions, strict=True):
        _compare(compared, past, decision)
    return compared


def _compare(compared: Compared, past: Past | None, decision: Decision) -> None:
    task = compared.tasks.setdefault(decision.task, Pair())
    refused = decision.refused is not None
    for pair in (compared.total, task):
        pair.would.count(cost=decision.cost, refused=refused)
        if past is not None:
            pair.was.count(cost=past.cost, refused=past.refused is not None)
            pair.moved += _ended(past) != (decision.refused or decision.model)
    _count_models(compared, past, decision)
    if refused:
        _refusal(compared, str(decision.refused)).would.calls += 1
    if past is not None and past.refused is not None:
        _refusal(compared, past.refused).was.calls += 1
    compared.reckoned += not decision.sure
    compared.waited += decision.waited > 0


def _ended(past: Past) -> str:
    return past.refused if past.refused is not None else past.model


def _count_models(compared: Compared, past: Past | None, decision: Decision) -> None:
    def side(name: str) -> Pair:
        return compared.models.setdefault(name, Pair())

    if decision.refused is None:
        side(decision.model).would.calls += 1
    for name, cost in decision.costs:
        would = side(name).would
        would.cost = Nanos(would.cost + cost)
    if past is None:
        return
    if past.model and past.refused is None:
        side(past.model).was.calls += 1
    for attempt in past.attempts:
        was = side(attempt.model).was
        was.cost = Nanos(was.cost + attempt.cost)


def _refusal(compared: Compared, reason: str) -> Pair:
    return compared.refusals.setdefault(reason, Pair())


def caveats(calls: Iterable[Past], compared: Compared) -> list[str]:
    """What this comparison can't know, each in a sentence."""
    calls = list(calls)
    said = [
        "Leases are left out: one account stands for all sidecars, and money is at hand at once."
    ]
    if not calls:
        return said
    said.append("Pacing, and answers that other models would have given, are not in receipts.")
    known = {Reason.TASK_TAGGED, Reason.NOTHING_MATCHED}
    by_text = sum(past.reason not in known and not past.prompt for past in calls)
    unasked = sum(past.asked is None for past in calls)
    if by_text:
        said.append(
            f"{by_text} of {len(calls)} calls were classified by their text, which receipts do not "
            "keep: what was found then is used again."
        )
    if compared.reckoned:
        said.append(
            f"{compared.reckoned} costs are reckoned, not billed: tokens of the answer that was "
            "given (or the estimate, without one) at another model's price."
        )
    if unasked:
        said.append(
            f"{unasked} receipts are of an older version and do not say how large their calls were."
        )
    return said
