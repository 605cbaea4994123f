"""From scores of items to scores of lists."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.ranking.circular import circular_indices

# What TF-Ranking gives to places without an item.
NO_ITEM = math.log(1e-10)


@keras.saving.register_keras_serializable("recs")
class RestoreList(keras.layers.Layer):
    """Turns the scores of items, as `FlattenList` laid them, into those of lists.

    Masking: places without an item get `log(1e-10)`.

    Args:
        by_scatter: bool. Whether an item's score is the mean over all the places that circular
            padding put it in, instead of the score at its own place. Use it when items were not in
            front of their list's padding: `FlattenList` moves them there. Defaults to `False`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tuple: scores, `(batch * list,)` or `(batch * list, 1)`; the mask, bool
            `(batch, list)`.

    Shapes: -> `(batch, list)`.

    Raises:
        ValueError: when an item has more than one score.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import RestoreList
    >>> there = np.array([[True, True, False], [True, False, False]])
    >>> scores = np.array([1.0, 0.5, 2.0, 0.0, -1.0, 0.0], "float32")
    >>> np.round(RestoreList(by_scatter=True)((scores, there)), 2)
    array([[  1.5 ,   0.5 , -23.03],
           [ -0.33, -23.03, -23.03]], dtype=float32)

    ```

    Reference: `tfr.keras.layers.RestoreList`. A list without items gets `log(1e-10)` everywhere,
    by scatter too.
    """

    def __init__(self, by_scatter: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.by_scatter = by_scatter
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Returns scores by list."""
        scores, mask = inputs
        if len(scores.shape) > 2 or (len(scores.shape) == 2 and scores.shape[1] != 1):
            raise ValueError(
                explain(
                    "The scores",
                    rule="must be of shape (batch * list,) or (batch * list, 1)",
                    received=f"shape {tuple(scores.shape)}",
                    where=f"{type(self).__name__} '{self.name}'",
                )
            )
        mask = ops.cast(mask, "bool")
        scores = ops.reshape(scores, ops.shape(mask))
        if self.by_scatter:
            width = ops.shape(mask)[1]
            # (batch, place, item): which item stands where.
            stands = circular_indices(mask)[:, :, None] == ops.arange(width, dtype="int32")
            stands = ops.cast(stands, scores.dtype)
            counts = ops.maximum(ops.sum(stands, axis=1), 1)
            scores = ops.einsum("bp,bpi->bi", scores, stands) / counts
        return ops.where(mask, scores, ops.cast(NO_ITEM, scores.dtype))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "by_scatter": self.by_scatter}
