"""Ranks of feature values within a list."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf  # Keras searches in vectors alone, not in batches of them.
from keras import ops


@keras.saving.register_keras_serializable("recs")
class RankInList(keras.layers.Layer):
    """Replaces each feature by its rank in the list, from -1 (lowest) to 1.

    Of a list of `n` items

        r_i = (number of j with x_j < x_i  -  number of j with x_j > x_i) / n

    Equal values get equal ranks, and a feature that is the same in the whole list, such as one of
    the query, is 0. Ranks say what a small network would have to find out: not whether a match is
    good, but whether it is better than the others. They do not depend on the feature's scale. No
    gradient passes.

    Masking: padded items count for nothing, and have rank 0. A list of one item has ranks 0.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, list, dim)`, finite.
        mask: bool `(batch, list)`, False where there is no item. Defaults to `None`: all are items.

    Shapes: `(batch, list, dim)` -> the same.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import RankInList
    >>> prices = np.array([[[9.0], [1.0], [9.0], [3.0], [0.0]]])
    >>> there = np.array([[True, True, True, True, False]])
    >>> RankInList()(prices, mask=there).numpy().ravel().tolist()
    [0.5, -0.75, 0.5, -0.25, 0.0]

    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        # Half precision would make different numbers equal.
        super().__init__(**{"autocast": False, **kwargs})
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the ranks."""
        x = ops.swapaxes(ops.cast(inputs, "float32"), 1, 2)
        there = tf.ones(tf.shape(x)[::2], tf.bool) if mask is None else ops.cast(mask, "bool")
        # Behind all items, where padding adds to no count.
        values = tf.where(there[:, None, :], x, float("inf"))
        ordered = tf.sort(values, axis=-1)
        below = tf.searchsorted(ordered, values, side="left")
        up_to = tf.searchsorted(ordered, values, side="right")
        count = tf.reduce_sum(tf.cast(there, tf.int32), -1)[:, None, None]
        ranks = (below + up_to - count) / tf.maximum(count, 1)
        ranks = tf.where(there[:, None, :], ranks, 0.0)
        return ops.cast(ops.swapaxes(ranks, 1, 2), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the ranks."""
        return tuple(input_shape)
