"""The mean of a sequence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.sequence.sequence_encoder import SequenceEncoder


@keras.saving.register_keras_serializable("recs")
class MeanHistory(SequenceEncoder):
    """The mean of the vectors so far: a user as all they did, in no order.

    `h_t = sum_{s <= t} x_s / t`, over the positions that count. It has no weights, trains fast, and
    is the baseline that shows what an order of events is worth.

    Masking, and the arguments, as for `SequenceEncoder`.

    Args:
        max_length: The newest positions to look at. Defaults to `None`: all. As elsewhere, the
            vector of an older position of `return_sequences` is zeros.
        **kwargs: The arguments of `SequenceEncoder`.

    Shapes: `(batch, n, dim)` or ragged -> `(batch, dim)`, or `(batch, n, dim)`.

    Example:
    ```python
    >>> from recs.layers.sequence import MeanHistory
    >>> x = np.array([[[1.0], [3.0], [8.0]]])
    >>> MeanHistory()(x, mask=np.array([[True, True, False]])).numpy().tolist()
    [[2.0]]
    >>> MeanHistory(return_sequences=True)(x).numpy().tolist()
    [[[1.0], [2.0], [4.0]]]

    ```
    """

    def __init__(self, max_length: int | None = None, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def encode(self, inputs: Any, mask: Any, training: bool | None) -> Any:
        """Returns the mean of each position and those before it."""
        # A sum of thousands of halves would lose the small ones.
        total = ops.cumsum(ops.cast(inputs, "float32"), axis=1)
        count = ops.cumsum(ops.cast(mask, "float32"), axis=1)
        mean = total / ops.maximum(ops.expand_dims(count, -1), 1.0)
        return ops.cast(mean, inputs.dtype)
