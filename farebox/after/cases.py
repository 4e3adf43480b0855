"""Calls to decide about, what each costs this way or that, and what was decided.

The one rule: a bill says whether it was really made out or only reckoned. This module must not know
pools, nor where calls come from.
"""

from collections.abc import Callable
from typing import NamedTuple

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Route


class Try(NamedTuple):
    """One attempt: what must be free for it to be made, and what it comes to."""

    model: str
    needs: Nanos
    costs: Nanos


class Bill(NamedTuple):
    """What a call costs on the model that serves it first, and who serves it in the end.

    The first of `tries` is the answer; the others follow when it has come (escalations, gates that
    ask a model), as far as there is money. `sure`: as it was billed, not reckoned. `refused`: why
    the caller gets none of the answers.
    """

    tries: tuple[Try, ...]
    serves: str
    tier: str
    sure: bool
    refused: Reason | None = None


class Case(NamedTuple):
    """One call to decide about. `bill` says what it costs when it goes this way.

    `refused`: whatever the policy, for what the caller itself asks.
    """

    id: str
    at: UtcMs
    duration: DurationMs
    call: Call
    found: Classification
    bill: Callable[[Route], Bill]
    refused: Reason | None = None


class Decision(NamedTuple):
    """What became of a call. `refused` is None for a served one; `model` answered last, if any.

    `costs` are by model, one for each attempt.
    """

    id: str
    task: str
    model: str = ""
    tier: str = ""
    why: Reason | None = None
    refused: Reason | None = None
    pool: str = ""
    costs: tuple[tuple[str, Nanos], ...] = ()
    sure: bool = True
    waited: DurationMs = DurationMs(0)

    @property
    def cost(self) -> Nanos:
        return Nanos(sum(cost for _, cost in self.costs))
