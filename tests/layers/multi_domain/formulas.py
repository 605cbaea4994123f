"""The papers' formulas in NumPy, and gradients by finite differences."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def relu(x):
    return np.maximum(x, 0.0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def weights_of(layer, seed=1):
    """Gives a layer other weights than it begins with, and returns them by path, float64."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        drawn = rng.normal(size=weight.shape) * 0.5
        weight.assign(np.abs(drawn) + 0.5 if "variance" in weight.path else drawn)
    return {w.path.split("/", 1)[1]: w.numpy().astype("float64") for w in layer.weights}


def check_gradients(layer, reference, weights, frozen=(), places=3, **call):
    """Holds gradients of a weighed sum of the outputs against differences of the reference.

    `reference(weights)` is the output in float64; each trainable weight is moved at some places.
    """
    outputs = keras.tree.flatten(layer(**call))
    rng = np.random.default_rng(5)
    factors = [rng.normal(size=x.shape) for x in outputs]
    with tf.GradientTape() as tape:
        made = keras.tree.flatten(layer(**call))
        total = sum(tf.reduce_sum(x * f) for x, f in zip(made, factors, strict=True))
    found = tape.gradient(total, [w.value for w in layer.trainable_weights])

    def value(changed):
        return sum(
            (x * f).sum()
            for x, f in zip(keras.tree.flatten(reference(changed)), factors, strict=True)
        )

    assert found
    for weight, gradient in zip(layer.trainable_weights, found, strict=True):
        name = weight.path.split("/", 1)[1]
        gradient = tf.convert_to_tensor(gradient).numpy()
        for _ in range(places):
            place = tuple(rng.integers(0, size) for size in weight.shape)
            step = 1e-5
            ends = []
            for sign in (1, -1):
                moved = weights[name].copy()
                moved[place] += sign * step
                ends.append(value({**weights, name: moved}))
            want = (ends[0] - ends[1]) / (2 * step)
            np.testing.assert_allclose(gradient[place], want, rtol=2e-3, atol=2e-4, err_msg=name)
