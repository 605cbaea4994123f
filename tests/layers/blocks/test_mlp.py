"""The dense stack by itself; values and gradients are compared in tests/parity."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.blocks import MLP


def test_formula():
    layer = MLP([3, 2], activation="relu", final_activation="sigmoid")
    layer.build((None, 4))
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = weights = [rng.normal(size=w.shape) for w in layer.weights]
    layer.set_weights(weights)
    x = rng.normal(size=(5, 4))
    expected = 1 / (1 + np.exp(-(np.maximum(x @ w1 + b1, 0) @ w2 + b2)))
    np.testing.assert_allclose(layer(x.astype("float32")), expected, rtol=1e-5)


def test_activations_may_be_layers_and_functions():
    layer = MLP([2, 2], activation=keras.layers.LeakyReLU(0.5), final_activation=tf.abs)
    layer.build((None, 2))
    layer.set_weights([np.eye(2), np.zeros(2)] * 2)
    assert layer(np.array([[-2.0, 4.0]])).numpy().tolist() == [[1.0, 4.0]]


def test_a_mask_passes_through():
    x = tf.constant([[[1.0], [2.0], [0.0]]])
    masked = keras.layers.Masking()(x)
    out = MLP([4, 2])(masked)
    assert out._keras_mask.numpy().tolist() == [[True, True, False]]


@pytest.mark.parametrize("units", [[], [0], [3, -1], [2.5], [True]])
def test_sizes_are_checked(units):
    with pytest.raises(ValueError, match=r"`units` must be positive integers.*in MLP 'm'"):
        MLP(units, name="m")
