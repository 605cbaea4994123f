"""Gradients that an embedding of Keras gives in parts, as a whole."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def dense_gradient(gradient: Any, variable: Any) -> tf.Tensor:
    """Returns the gradient of a dense weight with the parts of equal rows summed.

    A rule that is not linear in the gradient needs the sum of a row's parts first. The shape is the
    weight's: parts need not say it.

    Args:
        gradient: A tensor or `tf.IndexedSlices`, with or without `dense_shape`.
        variable: The weight.
    """
    if isinstance(gradient, tf.IndexedSlices) and gradient.dense_shape is None:
        shape = tf.constant(tuple(variable.shape), gradient.indices.dtype)
        gradient = tf.IndexedSlices(gradient.values, gradient.indices, shape)
    return tf.convert_to_tensor(gradient)
