"""The features of items and of their context, side by side."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.ranking.flatten_list import FlattenList


@keras.saving.register_keras_serializable("recs")
class ConcatFeatures(keras.layers.Layer):
    """Puts context and example features side by side, for every item of every list.

    The order is that of the names: context features first, then example features. Axes behind that
    of the list are flattened.

    Args:
        circular_padding: bool. As in `FlattenList`. Defaults to `True`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: As `FlattenList` takes them.

    Shapes: -> `(batch, list, dim)`, `dim` the sum over all features.

    Raises:
        ValueError: when there are no example features.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import ConcatFeatures
    >>> items, there = np.array([[[1.0], [2.0]]]), np.array([[True, False]])
    >>> ConcatFeatures()(({"c": np.array([[9.0]])}, {"x": items}, there)).numpy().tolist()
    [[[9.0, 1.0], [9.0, 1.0]]]

    ```

    Reference: `tfr.keras.layers.ConcatFeatures`.
    """

    def __init__(self, circular_padding: bool = True, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.circular_padding = circular_padding
        self._flatten = FlattenList(circular_padding, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Returns the features of every item."""
        context, examples = self._flatten(inputs)
        ordered = [x for part in (context, examples) for _, x in sorted(part.items())]
        rows = [ops.reshape(x, (ops.shape(x)[0], _size(x))) for x in ordered]
        joined = ops.concatenate([ops.cast(x, self.compute_dtype) for x in rows], axis=1)
        batch, width = ops.shape(inputs[2])
        return ops.reshape(joined, (batch, width, joined.shape[1]))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "circular_padding": self.circular_padding}


def _size(x: Any) -> int:
    size = 1
    for one in x.shape[1:]:
        size *= one
    return size
