"""The blockwise top-k against a stable sort."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import best


@pytest.fixture(params=[1, 4])
def block(request, monkeypatch):
    monkeypatch.setattr(best, "BLOCK", request.param)
    return request.param


@pytest.mark.parametrize("k", [1, 2, 7, 30])
@pytest.mark.parametrize("columns", [30, 117, 128])
@pytest.mark.parametrize("levels", [3, 10**6])
@pytest.mark.parametrize("static", [True, False])
def test_columns(rng, block, k, columns, levels, static):
    scores = rng.integers(-levels, levels, (5, columns)).astype("float32")
    shape = scores.shape if static else [None, None]
    traced = tf.function(
        best.best_columns, input_signature=[tf.TensorSpec(shape), tf.TensorSpec([], tf.int32)]
    )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    for values, where in (traced(scores, k), best.best_columns(tf.constant(scores), k)):
        np.testing.assert_array_equal(where, order)
        np.testing.assert_array_equal(values, np.take_along_axis(scores, order, 1))


@pytest.mark.parametrize("k", [1, 9, 50])
@pytest.mark.parametrize("levels", [2, 10**6])
def test_rows_some_at_a_time(rng, block, k, levels, monkeypatch):
    monkeypatch.setattr(best, "SCORES_AT_ONCE", 4 * 16)
    monkeypatch.setattr(best, "COLUMNS_AT_ONCE", 16)
    queries = rng.integers(-levels, levels, (9, 2)).astype("float32")
    candidates = rng.integers(-2, 2, (50, 2)).astype("float32")
    scores = queries @ candidates.T
    score = lambda few, some: tf.matmul(few, some, transpose_b=True)  # noqa: E731
    values, rows = best.best_rows(score, tf.constant(queries), tf.constant(candidates), k)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_array_equal(values, np.take_along_axis(scores, order, 1))
    assert values.shape == (9, k)
