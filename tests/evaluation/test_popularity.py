from __future__ import annotations

from collections import Counter

import pytest

from recs.evaluation import HeldOut, evaluate_top_k, popularity_vectors
from tests.evaluation.oracle import naive
from tests.evaluation.test_top_k import pairs_of, random_case


def test_popularity_is_judged_like_a_model(rng):
    train, test, catalogue = random_case(rng, kind="string")
    held_out = HeldOut.of(train, test, catalogue)
    counts = Counter(train.item.tolist())
    expected = naive(
        pairs_of(train), pairs_of(test), catalogue.tolist(), lambda _, i: counts[i], (1, 5)
    )
    vectors = popularity_vectors(train, held_out)
    assert evaluate_top_k(*vectors, held_out, (1, 5)) == pytest.approx(expected, abs=1e-12)


def test_items_without_training_have_popularity_zero(rng):
    train, test, catalogue = random_case(rng)
    held_out = HeldOut.of(train.take(train.item < 5), test, catalogue)
    items = popularity_vectors(train.take(train.item < 5), held_out)[1]
    assert (items[5:] == 0).all()
    assert items.sum() == (train.item < 5).sum()
