"""Vectors of a bounded length."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("recs")
class MaxNorm(keras.layers.Layer):
    """Shortens vectors that are longer than `max_norm`: `x * min(1, max_norm / |x|)`.

    Behind a `DynamicEmbedding` it bounds embeddings as a constraint would. The rows that are stored
    stay as the optimizer left them; what a model sees of them is never longer, in training and in
    serving, and of a long row only the direction is trained.

    Args:
        max_norm: float above 0, the longest Euclidean length.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(..., dim)` -> the same.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import MaxNorm
    >>> MaxNorm(2.5)(np.array([[3.0, 4.0], [0.5, 0.25]], "float32")).numpy().tolist()
    [[1.5, 2.0], [0.5, 0.25]]

    ```

    Reference: `max_norm` of `tf.nn.embedding_lookup`.
    """

    def __init__(self, max_norm: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.max_norm = max_norm
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Returns the vectors, none longer than the bound."""
        x = ops.cast(inputs, "float32")
        # Scaled by the largest element first: squares of large numbers would be infinite.
        largest = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True, initial=0.0))
        largest = ops.maximum(largest, 1.0)
        squares = ops.sum(ops.square(x / largest), axis=-1, keepdims=True)
        bound = self.max_norm / largest
        long = squares > ops.square(bound)
        # The root of a vector of zeros would have no gradient.
        root = ops.sqrt(ops.where(long, squares, ops.ones_like(squares)))
        return ops.cast(ops.where(long, x * (bound / root), x), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "max_norm": self.max_norm}
