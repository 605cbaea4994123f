from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.loss import Temperature


def test_value_and_gradient():
    layer = Temperature(0.2)
    with tf.GradientTape() as tape:
        y = layer(tf.constant([1.0, -3.0]))
        loss = tf.reduce_sum(y * [1.0, 2.0])
    np.testing.assert_allclose(y, [5.0, -15.0], rtol=1e-6)
    # d/dw of x exp(-w) is -x exp(-w).
    gradient = tape.gradient(loss, layer.trainable_weights[0].value)
    np.testing.assert_allclose(gradient, -(5.0 - 30.0), rtol=1e-6)


def test_never_below_the_minimum():
    layer = Temperature(0.05, minimum=0.04)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.apply([tf.constant(100.0)], layer.trainable_weights)
    assert float(layer.value) == pytest.approx(0.04)


@pytest.mark.parametrize("arguments", [(0.0,), (0.1, 0.2), (-1.0, -2.0), (float("inf"),)])
def test_errors(arguments):
    with pytest.raises(ValueError, match="must be positive, and `initial` not the smaller"):
        Temperature(*arguments)
