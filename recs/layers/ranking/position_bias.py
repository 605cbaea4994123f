"""Position bias of clicks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("recs")
class PositionBias(keras.layers.Layer):
    """Adds a learned number for the place where an item was shown, in training alone.

    Clicks tell of relevance and of how far up an item stood. With `s + b[place]` as the logit of a
    click, `s` is left to say what the place does not. Outside training there is no place yet, and
    the scores stay as they are.

    Masking: a place below 1 is unknown and adds nothing.

    Args:
        max_positions: int. How many places have a number of their own; those beyond share the last.
        dropout: float from 0 to below 1. How often a place is left out in training, which keeps
            scores from leaning on it. Defaults to `0.0`.
        regularizer: Of the numbers. Defaults to `None`.
        seed: int. Decides what dropout leaves out. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: A pair: scores `(batch, list)`; places, integers from 1 on, `(batch, list)`.
        training: bool. Whether the numbers are added.

    Shapes: -> `(batch, list)`.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.layers.ranking import PositionBias
    >>> layer = PositionBias(10)
    >>> scores, places = np.array([[0.5, 0.2]], "float32"), np.array([[2, 1]])
    >>> layer((scores, places)).numpy().tolist() == scores.tolist()
    True

    ```

    Reference: Guo et al., "PAL: A Position-bias Aware Learning Framework for CTR Prediction in
    Live Recommender Systems", 2019; Zhao et al., "Recommending What Video to Watch Next", 2019.
    """

    def __init__(
        self,
        max_positions: int,
        dropout: float = 0.0,
        regularizer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.max_positions = max_positions
        self.dropout = dropout
        self.regularizer = keras.regularizers.get(regularizer)
        self.seed = seed
        self._draws = keras.random.SeedGenerator(seed) if dropout else None

    def build(self, input_shape: Any) -> None:
        """Makes the numbers."""
        self.bias = self.add_weight(
            name="bias",
            shape=(self.max_positions,),
            initializer="zeros",
            regularizer=self.regularizer,
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns the logits of clicks in training, else the scores."""
        scores, places = inputs
        if not training:
            return ops.convert_to_tensor(scores)
        places = ops.cast(places, "int32")
        bias = ops.take(self.bias, ops.clip(places - 1, 0, self.max_positions - 1))
        known = places > 0
        if self.dropout:
            drawn = keras.random.uniform(ops.shape(places), seed=self._draws)
            known = ops.logical_and(known, drawn >= self.dropout)
        return scores + ops.cast(ops.where(known, bias, ops.zeros_like(bias)), scores.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the scores."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "max_positions": self.max_positions,
            "dropout": self.dropout,
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "seed": self.seed,
        }
