"""What a call asks for, and what its pools let it try."""

import pytest

from farebox.core.budgets import NO_KEY, Keys, OnExhausted
from farebox.core.call import Identity, Priority
from farebox.core.money import Nanos
from sidecar.asking import Ask, least_of, limit_of, options_of, target_of
from sidecar.draws import draw_of
from sidecar.events import MoneyRefused
from sidecar.purse import UNBOUNDED
from tests.support.desks import CALL, NEED, POLICY
from tests.support.policies import make_call, make_pool, planned

DOWNGRADE, DEFER, REJECT = OnExhausted.DOWNGRADE, OnExhausted.DEFER, OnExhausted.REJECT


@pytest.mark.parametrize(
    ("case", "pools", "priority", "expected"),
    [
        ("no pool is short any more", [], Priority.NORMAL, [DOWNGRADE]),
        ("one pool's order", [[DEFER, DOWNGRADE, REJECT]], Priority.NORMAL, [DEFER, DOWNGRADE]),
        ("nothing stands behind a refusal", [[REJECT, DOWNGRADE]], Priority.NORMAL, []),
        ("no refusal is listed", [[DOWNGRADE, DEFER]], Priority.NORMAL, [DOWNGRADE, DEFER]),
        (
            "all must allow it, in the order of the first",
            [[DEFER, DOWNGRADE], [DOWNGRADE, DEFER, REJECT]],
            Priority.NORMAL,
            [DEFER, DOWNGRADE],
        ),
        ("one does not", [[DEFER, DOWNGRADE], [DOWNGRADE]], Priority.NORMAL, [DOWNGRADE]),
        ("what is critical is never put off", [[DEFER, DOWNGRADE]], Priority.HIGH, [DOWNGRADE]),
    ],
)
def test_options(
    case: str, pools: list[list[OnExhausted]], priority: Priority, expected: list[OnExhausted]
) -> None:
    short = [make_pool("p", "1.00", on_exhausted=tuple(options)) for options in pools]
    assert list(options_of(short, priority)) == expected, case


@pytest.mark.parametrize(
    ("keys", "caller"),
    [
        (Keys(user="ana", session="s1"), "ana"),
        (Keys(session="s1", workflow="w"), "s1"),
        (Keys(workflow="w"), "w"),
        (Keys(), NO_KEY),
    ],
)
def test_whose_turn_a_call_uses(keys: Keys, caller: str) -> None:
    call = make_call(identity=Identity(keys=keys))
    plan = planned(call, POLICY)
    target = target_of(plan, call, POLICY, frozenset(), None)
    assert not isinstance(target, MoneyRefused)
    draw = draw_of(POLICY, call.identity)
    ask = Ask(plan, call, frozenset(), UNBOUNDED, draw, target, 1)
    assert ask.caller == caller
    assert 0 < least_of(ask) <= target.hold


def test_the_target_is_within_the_calls_own_cap() -> None:
    plan = planned(CALL, POLICY)
    plenty = target_of(plan, CALL, POLICY, frozenset(), None)
    capped = target_of(plan, CALL, POLICY, frozenset(), Nanos(NEED - 20_000))
    refused = target_of(plan, CALL, POLICY, frozenset(), Nanos(1))
    assert not isinstance(plenty, MoneyRefused)
    assert not isinstance(capped, MoneyRefused)
    assert isinstance(refused, MoneyRefused)
    assert (plenty.hold, limit_of(None)) == (NEED, UNBOUNDED)
    assert capped.hold <= NEED - 20_000
