"""Rules grown from a model's routes: pure, named, stored, and measured against the model."""

import json

import numpy as np
import pytest

from farebox.core.wording import STRUCTURE_NAMES, wording_of
from farebox.learn.encoding import structures_of
from farebox.learn.pairs import pooled
from farebox.learn.rules import apply, as_json, grow, loss, of_json
from tests.support.learning import PAIR, made_up

ROWS = made_up(400)
STRUCTURES = structures_of([wording_of(row.prompt) for row in ROWS])
SUMS = np.array(["total" in row.prompt for row in ROWS])


def test_a_route_by_shape_is_found_and_named() -> None:
    rules = grow(STRUCTURES, SUMS, 0.95)
    decided = apply(rules, STRUCTURES)
    assert decided.by_rule.all()
    assert (decided.strong == SUMS).all()
    assert all(rule.name.split(" ")[0] for rule in rules)
    assert any(" <= " in rule.name for rule in rules)


def test_what_is_not_pure_is_not_decided() -> None:
    coins = np.random.default_rng(9).random(len(ROWS)) < 0.5
    decided = apply(grow(STRUCTURES[:, :3].repeat(1, axis=1), coins, 0.99), STRUCTURES)
    assert decided.by_rule.mean() < 0.5


def test_prompts_routed_one_way_need_one_rule() -> None:
    (rule,) = grow(STRUCTURES, np.ones(len(ROWS), dtype=np.bool_), 0.9)
    assert (rule.name, rule.strong, rule.purity) == ("any prompt", True, 1.0)


def test_rules_are_stored_and_read_back() -> None:
    rules = grow(STRUCTURES, SUMS, 0.9)
    read = of_json(json.loads(json.dumps(as_json(rules))))
    assert apply(read, STRUCTURES).strong.tolist() == apply(rules, STRUCTURES).strong.tolist()


def test_a_number_that_no_prompt_has_is_refused() -> None:
    stored = [{"strong": True, "purity": 1.0, "tests": [["colour", 1.0, True]]}]
    assert "colour" not in STRUCTURE_NAMES
    with pytest.raises(ValueError, match="not in tuple"):
        of_json(stored)


def test_the_loss_is_against_the_model_at_the_same_spend() -> None:
    pool = pooled(ROWS, PAIR)
    order = SUMS.astype(np.float64)
    assert loss(order >= 0.5, order, pool) == pytest.approx(0.0)
    assert loss(order < 0.5, order, pool) > 0.05
