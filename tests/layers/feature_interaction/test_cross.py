"""Cross layers by themselves; values and gradients are compared in tests/parity."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import dcn
from recs.layers.feature_interaction import Cross, MultiLayerDCN

RNG = np.random.default_rng(2)
X0, X = RNG.normal(size=(2, 6, 4))


def with_weights(layer, width=4):
    layer.build((None, width))
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.weights])
    return layer, [w.numpy().astype(float) for w in layer.weights]


def test_full_rank():
    layer, (w, b) = with_weights(Cross(diag_scale=0.5, preactivation="tanh"))
    expected = X0 * (np.tanh(X @ w + b) + 0.5 * X) + X
    np.testing.assert_allclose(layer(X0, X), expected, rtol=1e-5, atol=1e-6)
    alone = X0 * (np.tanh(X0 @ w + b) + 0.5 * X0) + X0
    np.testing.assert_allclose(layer(X0), alone, rtol=1e-5, atol=1e-6)


def test_low_rank():
    layer, (u, v, b) = with_weights(Cross(projection_dim=2))
    assert (u.shape, v.shape) == ((4, 2), (2, 4))
    np.testing.assert_allclose(layer(X0, X), X0 * (X @ u @ v + b) + X, rtol=1e-5, atol=1e-6)


def test_many_layers_are_a_stack_of_cross_layers():
    many, weights = with_weights(MultiLayerDCN(projection_dim=2, num_layers=3))
    x = tf.constant(X0, "float32")
    for i in range(3):
        one = Cross(projection_dim=2)
        one.build((None, 4))
        one.set_weights([weights[i], *weights[3 + 2 * i : 5 + 2 * i]])
        x = one(tf.constant(X0, "float32"), x)
    np.testing.assert_allclose(many(X0), x, rtol=1e-5, atol=1e-6)


def test_the_batch_of_one_input_may_be_unknown():
    layer = Cross()
    specs = [tf.TensorSpec([None, 4]), tf.TensorSpec([6, 4])]
    traced = tf.function(lambda x0, x: layer(x0, x), input_signature=specs)
    x0, x = X0.astype("float32"), X.astype("float32")
    np.testing.assert_allclose(traced(x0, x), layer(x0, x), rtol=1e-6)


def test_a_mask_passes_through():
    lists = tf.constant([[[1.0, 2.0], [0.0, 0.0]]])
    masked = keras.layers.Masking()(lists)
    for layer in (Cross(), MultiLayerDCN()):
        assert layer(masked)._keras_mask.numpy().tolist() == [[True, False]]


def test_dcn_is_where_tfrs_has_it():
    assert dcn.Cross is Cross


BAD = {
    "diag": (lambda: Cross(diag_scale=-0.1), "`diag_scale` must be at least 0. Received: diag_s"),
    "nan": (lambda: Cross(diag_scale=float("nan")), "`diag_scale` must be at least 0"),
    "rank": (
        lambda: Cross(projection_dim=0),
        "`projection_dim` must be a positive integer or None",
    ),
    "half": (lambda: Cross(projection_dim=1.5), "`projection_dim` must be a positive integer or"),
    "none": (lambda: MultiLayerDCN(None), r"`projection_dim` must be a positive integer\. Rec"),
    "layers": (lambda: MultiLayerDCN(num_layers=0), "`num_layers` must be a positive integer"),
    "widths": (
        lambda: Cross(name="c")(X0, RNG.normal(size=(6, 5))),
        r"must have the same width. Received: shapes \(6, 4\) and \(6, 5\) \(in Cross 'c'\)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
