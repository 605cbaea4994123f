"""Counts of candidates above limits, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import BruteForce, top_k
from recs.ops.count_higher import count_higher


@pytest.fixture
def given(rng):
    # Whole numbers: many scores are equal, and none is rounded.
    queries, candidates = rng.integers(-3, 4, (50, 6)), rng.integers(-3, 4, (333, 6))
    limits = rng.integers(-9, 9, (50, 2))
    return [x.astype("float32") for x in (queries, candidates, limits)]


def expected(queries, candidates, limits):
    return (queries @ candidates.T)[:, :, None] > limits[:, None, :]


@pytest.mark.parametrize("traced", [False, True])
def test_one_limit_and_several(given, traced):
    queries, candidates, limits = given
    want = expected(*given).sum(axis=1)
    call = tf.function(count_higher) if traced else count_higher
    np.testing.assert_array_equal(call(queries, candidates, tf.constant(limits)), want)
    np.testing.assert_array_equal(call(queries, candidates, tf.constant(limits[:, 0])), want[:, 0])


@pytest.mark.parametrize("one_op", [True, False])
def test_an_index_counts_with_it_or_without(given, one_op, monkeypatch):
    monkeypatch.setattr(top_k, "suits_tensors", lambda: one_op)
    queries, candidates, limits = given
    candidates[7, 1] = 1e30
    index = BruteForce().index(candidates)
    traced = tf.function(lambda q, some: index.count_higher(q, some))
    want = expected(queries, candidates, limits).sum(axis=1)
    np.testing.assert_array_equal(traced(queries, tf.constant(limits)), want)
    types = {op.type for op in traced.get_concrete_function(queries, limits).graph.get_operations()}
    assert ("RecsCountHigher" in types) == one_op


@pytest.mark.parametrize("scale", [1.0, 1e18, 1e-21])
def test_counts_are_those_of_double_precision(rng, scale):
    # Every candidate is there five times, and each limit is the score of one, or next to it.
    candidates = np.tile(rng.normal(size=(30, 40)), (5, 1))[rng.permutation(150)]
    candidates = (candidates * scale).astype("float32")
    queries = (rng.normal(size=(100, 40)) * scale).astype("float32")
    scores = queries.astype("float64") @ candidates.astype("float64").T
    size = np.abs(queries.astype("float64")) @ np.abs(candidates.astype("float64")).T
    own = np.stack([np.arange(100), rng.integers(0, 150, 100)])
    step = 1e-13 * size[tuple(own)]
    limits = np.stack([scores[tuple(own)] + step, scores[tuple(own)] - step], axis=1)
    want = (scores[:, :, None] > limits[:, None, :]).sum(axis=1)
    assert (want[:, 1] - want[:, 0] >= 5).all()
    np.testing.assert_array_equal(count_higher(queries, candidates, tf.constant(limits)), want)


def test_wrong_shapes(given):
    queries, candidates, limits = given
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be matrices.*of as many colum"):
        count_higher(queries[:, :4], candidates, tf.constant(limits))
    with pytest.raises(tf.errors.InvalidArgumentError, match="limits of as many rows as queries"):
        count_higher(queries, candidates, tf.constant(limits[:9]))
