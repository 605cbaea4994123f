"""Gradients in parts, with and without their shape, against the dense gradient."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.experimental.optimizers import ClippyAdagrad
from recs.optimizers import AdagradDecay, GroupFtrl, LazyAdam, RowWiseAdagrad


@pytest.mark.parametrize("indices", [tf.int32, tf.int64])
@pytest.mark.parametrize("shape", [None, (3, 2)])
@pytest.mark.parametrize(
    "optimizer", [ClippyAdagrad, AdagradDecay, GroupFtrl, LazyAdam, RowWiseAdagrad]
)
def test_parts_of_a_gradient_are_summed(optimizer, shape, indices):
    start = np.arange(6, dtype="float32").reshape(3, 2) + 1
    parts, rows = np.array([[1, 2], [3, 4], [5, 6.0]], "float32"), [2, 0, 2]
    whole = np.zeros((3, 2), "float32")
    np.add.at(whole, rows, parts)
    ends = []
    dense_shape = None if shape is None else tf.constant(shape, indices)
    slices = tf.IndexedSlices(tf.constant(parts), tf.constant(rows, indices), dense_shape)
    for gradient in (tf.constant(whole), slices):
        weight = keras.Variable(start)
        optimizer(0.1).apply([gradient], [weight])
        ends.append(weight.numpy())
    np.testing.assert_array_equal(*ends)
    assert (ends[0] != start).any()
