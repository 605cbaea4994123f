"""Position embeddings."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.sequence.masked import dense_with_mask, from_the_end, is_ragged


@keras.saving.register_keras_serializable("recs")
class PositionEmbedding(keras.layers.Layer):
    """Adds to each vector of a sequence a learned vector of its position, counted from the end.

    `y_t = x_t + P[n_t]`, where `n_t` is the number of positions that count behind `t`: the newest
    has position 0, however long the sequence is and wherever its padding stands. Counted from the
    start, "the last thing they did" would be another position for every length; and a history cut
    to its newest `length` would change the positions of all that is left.

    Positions from `length - 1` on, the oldest, share the last row of `P`.

    Masking: padded positions are not counted and give zeros; the mask is passed on. Ragged
    sequences become dense, with a mask.

    Args:
        length: How many positions have a vector of their own.
        initializer: Of `P`. Defaults to `"uniform"`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: `(batch, n, dim)`, or ragged `(batch, None, dim)`, -> `(batch, n, dim)`.

    Raises:
        ValueError: when `length` is not positive.

    Example:
    ```python
    >>> from recs.layers.sequence import PositionEmbedding
    >>> layer = PositionEmbedding(2)
    >>> _ = layer.build((None, None, 1))
    >>> layer.set_weights([np.array([[1.0], [10.0]])])
    >>> x = np.zeros((1, 4, 1))
    >>> layer(x, mask=np.array([[True, True, True, False]])).numpy().ravel().tolist()
    [10.0, 10.0, 1.0, 0.0]

    ```

    Reference: the learned positions of [Kang & McAuley, 2018](https://arxiv.org/abs/1808.09781),
    who pad at the front, so that theirs count from the end too.
    """

    def __init__(self, length: int, initializer: Any = "uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise ValueError(
                explain(
                    "`length`",
                    rule="must be a positive integer",
                    received=f"length={length!r}",
                    where=f"PositionEmbedding '{self.name}'",
                )
            )
        self.length = length
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Any) -> None:
        """Makes `P`, `(length, dim)`."""
        self.positions = self.add_weight(
            name="positions",
            shape=(self.length, int(input_shape[-1])),
            initializer=self.initializer,
        )
        self.built = True

    def call(self, inputs: Any, mask: Any | None = None) -> Any:
        """Returns the vectors with those of their positions added."""
        inputs, mask = dense_with_mask(inputs, mask)
        place = ops.minimum(from_the_end(mask), self.length - 1)
        placed = inputs + ops.cast(ops.take(self.positions, place, axis=0), inputs.dtype)
        return ops.where(ops.expand_dims(mask, -1), placed, ops.zeros_like(placed))

    def compute_mask(self, inputs: Any, mask: Any | None = None) -> Any | None:
        """Returns which positions count, of ragged inputs too."""
        if not is_ragged(inputs):
            return mask
        symbolic = isinstance(inputs, keras.KerasTensor)  # The mask is found when there are values.
        return None if symbolic else dense_with_mask(inputs, mask)[1]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the inputs."""
        return tuple(input_shape)

    def compute_output_spec(self, inputs: Any, mask: Any | None = None) -> keras.KerasTensor:
        """Returns shape and dtype of the vectors; Keras cannot trace a ragged input."""
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "length": self.length,
            "initializer": keras.initializers.serialize(self.initializer),
        }
