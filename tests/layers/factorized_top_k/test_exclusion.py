"""Leaving candidates out, against a loop."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE, exclude


@pytest.mark.parametrize("k", [1, 3, 9])
def test_agrees_with_a_loop(rng, k):
    scores = np.sort(rng.normal(size=(6, 8)).astype("float32"))[:, ::-1]
    ids = np.stack([rng.permutation(8) for _ in range(6)])
    out = rng.integers(0, 12, (6, 4))
    got_scores, got_ids = exclude(tf.constant(scores), tf.constant(ids), tf.constant(out), k, "x")
    for row in range(6):
        allowed = [c for c in range(8) if ids[row, c] not in out[row]][:k]
        count = len(allowed)
        np.testing.assert_array_equal(got_ids[row, :count], ids[row, allowed])
        np.testing.assert_array_equal(got_scores[row, :count], scores[row, allowed])
        assert (got_scores[row, count:].numpy() == EXCLUDED_SCORE).all()
        assert got_ids.shape[1] == min(k, 8)


def test_integers_of_two_widths_are_compared_as_numbers():
    ids = tf.constant([[1, 2]], tf.int32)
    out = tf.constant([[2**32 + 1]], tf.int64)
    assert exclude(tf.constant([[2.0, 1.0]]), ids, out, 1, "x")[1].numpy() == [[1]]
