"""A bilinear form of two vectors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("recs")
class Bilinear(keras.layers.Layer):
    """Scores two vectors by each other: `v1' W_k v2 + A_k v1 + B_k v2 + b_k`.

    Args:
        embedding_dim: int. Length of both vectors.
        output_dim: int. How many numbers come out.
        kernel_regularizer: Of `W`. Defaults to `None`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A pair of tensors, `(..., embedding_dim)`.

    Shapes: -> `(..., output_dim)`.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.ranking import Bilinear
    >>> Bilinear(4, 1)((keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 3, 4)))).shape
    TensorShape([2, 3, 1])

    ```

    Reference: `tfr.keras.layers.Bilinear`.
    """

    def __init__(
        self, embedding_dim: int, output_dim: int, kernel_regularizer: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embedding_dim = embedding_dim
        self.output_dim = output_dim
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        dim, out = self.embedding_dim, self.output_dim
        normal = keras.initializers.RandomNormal
        self.kernel = self.add_weight(
            name="kernel",
            shape=(dim, dim, out),
            initializer=normal(stddev=1 / dim),
            regularizer=self.kernel_regularizer,
        )
        self.first, self.second = (
            self.add_weight(name=name, shape=(dim, out), initializer=normal(stddev=dim**-0.5))
            for name in ("first", "second")
        )
        self.bias = self.add_weight(name="bias", shape=(out,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Returns the form's values."""
        v1, v2 = inputs
        both = ops.einsum("...d,dek,...e->...k", v1, self.kernel, v2)
        return both + ops.matmul(v1, self.first) + ops.matmul(v2, self.second) + self.bias

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "output_dim": self.output_dim,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
