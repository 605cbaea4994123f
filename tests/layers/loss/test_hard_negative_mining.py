"""`HardNegativeMining` where TFRS differs or fails."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.loss import HardNegativeMining


@pytest.mark.parametrize("n", [0, -1, 3, 9])
def test_all_are_kept(n):
    logits, labels = np.arange(8.0).reshape(2, 4), np.eye(2, 4)
    mined, kept = HardNegativeMining(n)(logits, labels)
    assert sorted(np.asarray(mined)[1]) == [4, 5, 6, 7]
    np.testing.assert_array_equal(np.asarray(kept).sum(axis=1), 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_positive_stays_whatever_the_logits(dtype):
    logits = np.array([[-60000.0, 60000.0, 1.0]], dtype)
    mined, labels = HardNegativeMining(1)(logits, np.array([[1, 0, 0]]))
    assert np.asarray(mined).tolist() == [[-60000.0, 60000.0]]
    assert np.asarray(labels).tolist() == [[1, 0]]


def test_unknown_number_of_columns():
    layer = HardNegativeMining(2)
    traced = tf.function(layer.__call__, input_signature=[tf.TensorSpec([None, None])] * 2)
    for columns, kept in ((2, 2), (5, 3)):
        mined, _ = traced(tf.random.normal((2, columns)), tf.eye(2, columns))
        assert mined.shape == (2, kept)


@pytest.mark.parametrize("n", [1.0, True, None])
def test_error(n):
    with pytest.raises(ValueError, match=r"`num_hard_negatives` must be an integer.*Zero or less"):
        HardNegativeMining(n)
