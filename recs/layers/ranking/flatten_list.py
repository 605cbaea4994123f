"""From lists of items to items."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.errors import explain
from recs.layers.ranking.circular import circular_indices, flat, take_items


@keras.saving.register_keras_serializable("recs")
class FlattenList(keras.layers.Layer):
    """Lays the items of all lists below each other, each with the context of its list.

    Masking: padding would reach batch normalization and regularizers as if it were items. With
    `circular_padding` the items of the list itself, round and round, stand in its place; a list
    without items stays as it is.

    Args:
        circular_padding: bool. Whether items take the place of padding. Defaults to `True`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A tuple: context features by name, `(batch, ...)`; example features by name,
            `(batch, list, ...)`; the mask, bool `(batch, list)`.

    Shapes: -> a tuple of two dicts of the same names, `(batch * list, ...)`.

    Raises:
        ValueError: when there are no example features.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import FlattenList
    >>> items, there = np.array([[[1], [0], [-1]]]), np.array([[True, True, False]])
    >>> context, examples = FlattenList()(({"user": np.array([[7]])}, {"item": items}, there))
    >>> examples["item"].numpy().ravel().tolist(), context["user"].numpy().ravel().tolist()
    ([1, 0, 1], [7, 7, 7])

    ```

    Reference: `tfr.keras.layers.FlattenList`.
    """

    def __init__(self, circular_padding: bool = True, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.circular_padding = circular_padding
        self.built = True

    def call(self, inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns context and example features, one row an item."""
        context, examples, mask = inputs
        if not examples:
            raise ValueError(
                explain(
                    "The example features",
                    rule="must be one or more",
                    received="none",
                    where=f"{type(self).__name__} '{self.name}'",
                )
            )
        width = ops.shape(mask)[1]
        contexts = {
            name: flat(ops.repeat(ops.expand_dims(x, 1), width, axis=1))
            for name, x in (context or {}).items()
        }
        indices = circular_indices(mask) if self.circular_padding else None
        return contexts, {
            name: flat(x if indices is None else take_items(x, indices))
            for name, x in examples.items()
        }

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "circular_padding": self.circular_padding}
