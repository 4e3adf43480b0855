"""Encoded prompts: the same buckets and shapes as the scorer's, and products that agree."""

import numpy as np
import pytest

from farebox.core.scoring import SPREAD_MAX, buckets_of, spread
from farebox.core.wording import wording_of
from farebox.learn.encoding import SHAPE_SHARE, dense, encode, kind_of, structures_of
from tests.support.learning import made_up, prompts

WORDINGS = [wording_of(prompt) for prompt in prompts(made_up(20))]
STRUCTURES = structures_of(WORDINGS)
KIND = kind_of(STRUCTURES)
ENCODED = encode(WORDINGS, 10, KIND)


def test_rows_have_the_scorers_buckets_and_shape() -> None:
    for row, wording in enumerate(WORDINGS):
        inside = ENCODED.indices[ENCODED.starts[row] : ENCODED.starts[row + 1]]
        assert set(inside.tolist()) == buckets_of(wording.tokens, 10)
        away = np.array(spread(wording.structure, KIND, SPREAD_MAX))
        assert ENCODED.shape[row] == pytest.approx(away * SHAPE_SHARE)


def test_products_agree_with_a_plain_matrix() -> None:
    plain = np.zeros((len(WORDINGS), 1 << 10))
    plain[ENCODED.owners, ENCODED.indices] = ENCODED.values
    chance = np.random.default_rng(5)
    words = chance.normal(size=1 << 10)
    shape = chance.normal(size=len(KIND.means))
    per_row = chance.normal(size=len(WORDINGS))
    assert ENCODED.times(words, shape) == pytest.approx(plain @ words + ENCODED.shape @ shape)
    of_words, of_shape = ENCODED.gather(per_row)
    assert of_words == pytest.approx(plain.T @ per_row)
    assert of_shape == pytest.approx(ENCODED.shape.T @ per_row)


def test_some_rows_are_encoded_as_by_themselves() -> None:
    some = ENCODED.at(np.array([3, 0]))
    alone = encode([WORDINGS[3], WORDINGS[0]], 10, KIND)
    assert some.indices.tolist() == alone.indices.tolist()
    assert some.starts.tolist() == alone.starts.tolist()


def test_a_number_that_never_varies_keeps_a_deviation() -> None:
    assert min(kind_of(np.ones((5, 3))).deviations) > 0


def test_dense_rows_have_no_buckets() -> None:
    rows = dense(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert rows.times(np.zeros(0), np.array([1.0, 1.0])).tolist() == [3.0, 7.0]
