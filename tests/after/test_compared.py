"""The comparison: by task, model and reason, with what can't be known in words."""

import msgspec

from farebox.after.cases import Decision
from farebox.after.compared import caveats, compare
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from tests.support.past import past

SERVED = Decision(
    id="a", task="rag", model="gpt-4o", tier="mid", costs=(("gpt-4o", Nanos(70)),), sure=False
)
REFUSED = Decision(id="b", task="rag", refused=Reason.POOL_EXHAUSTED, pool="acme/org")
WAS_REFUSED = past(refused=Reason.HOLD_PENDING, model="", attempts=(), cost=Nanos(0))


def test_each_side_is_counted_by_task_model_and_reason() -> None:
    compared = compare([past(), WAS_REFUSED], [SERVED, REFUSED])
    total = compared.total
    assert (total.was.calls, total.was.refused, total.was.cost) == (2, 1, 27_000)
    assert (total.would.calls, total.would.refused, total.would.cost) == (2, 1, 70)
    assert total.moved == 2
    assert compared.tasks["rag"] == total
    models = {
        name: (one.was.calls, one.would.calls) for name, one in compared.rows(compared.models)
    }
    assert models == {"gpt-4o": (0, 1), "gpt-4o-mini": (1, 0)}
    reasons = {name: (one.was.calls, one.would.calls) for name, one in compared.refusals.items()}
    assert reasons == {"pool_exhausted": (0, 1), "hold_pending": (1, 0)}
    assert compared.reckoned == 1


def test_what_stays_is_not_moved() -> None:
    same = Decision(id="a", task="rag", model="gpt-4o-mini", waited=DurationMs(5))
    compared = compare([past()], [same])
    assert (compared.total.moved, compared.waited) == (0, 1)


def test_prompts_have_no_past() -> None:
    compared = compare([None], [SERVED])
    assert (compared.total.was.calls, compared.total.would.calls) == (0, 1)
    assert len(caveats([], compared)) == 1


def test_what_can_not_be_known_is_said() -> None:
    older = msgspec.structs.replace(past(rule="heuristic_matched=x"), asked=None)
    said = " ".join(caveats([older, past()], compare([older, past()], [SERVED, SERVED])))
    assert "1 of 2 calls were classified by their text" in said
    assert "2 costs are reckoned" in said
    assert "1 receipts are of an older version" in said
