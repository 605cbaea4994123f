"""Scores of items in groups."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from recs.layers.ranking.circular import take_items


@keras.saving.register_keras_serializable("recs")
class GroupwiseScoring(keras.layers.Layer):
    """Scores items a group at a time; an item's score is its mean over the groups it is in.

    The `n` items of a list stand in a circle; each with the `group_size - 1` that follow is a
    group. A scorer sees the vectors of a group side by side and gives a score for each place. So
    every item has every place once. The order is the list's, and in training a random one.

    Masking: groups are of items alone, so that padding changes nothing; places without an item get
    0. In lists shorter than a group, items fill several places.

    Args:
        scorer: A Keras layer from `(batch, list, group_size * dim)` to
            `(batch, list, group_size)`.
        group_size: int. How many items are scored together; 1 scores each by itself. Defaults to
            `2`.
        shuffle: bool. Whether the order is random in training. Defaults to `True`.
        seed: int. Decides the random orders. Defaults to `None`: drawn anew.
        **kwargs: The arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, list, dim)`.
        mask: bool `(batch, list)`, False where there is no item. Defaults to `None`: all are items.
        training: bool. Whether orders are random, and the scorer trains.

    Shapes: -> `(batch, list)`.

    Example:
    ```python
    >>> import keras
    >>> from recs.layers.ranking import GroupwiseScoring
    >>> layer = GroupwiseScoring(keras.layers.Dense(3), group_size=3)
    >>> layer(keras.ops.ones((2, 5, 4))).shape
    TensorShape([2, 5])

    ```

    Reference: Ai et al., "Learning Groupwise Multivariate Scoring Functions Using Deep Neural
    Networks", 2019; `tfr.model.make_groupwise_ranking_fn`.
    """

    def __init__(
        self,
        scorer: keras.layers.Layer,
        group_size: int = 2,
        shuffle: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.scorer = scorer
        self.group_size = group_size
        self.shuffle = shuffle
        self.seed = seed
        self._draws = keras.random.SeedGenerator(seed) if shuffle else None

    def build(self, input_shape: Any) -> None:
        """Builds the scorer."""
        if not self.scorer.built:
            self.scorer.build((*input_shape[:-1], self.group_size * input_shape[-1]))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Returns scores."""
        batch, width = ops.shape(inputs)[:2]
        if mask is None:
            mask = ops.ones((batch, width), dtype="bool")
        mask = ops.cast(mask, "bool")
        order = self._order(mask, training)
        count = ops.maximum(ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True), 1)
        turned = take_items(inputs, order)
        places = ops.arange(width, dtype="int32")[None, :]
        groups = ops.concatenate(
            [take_items(turned, (places + k) % count) for k in range(self.group_size)], axis=-1
        )
        scores = self.scorer(groups)
        # Place `k` of group `p` is item `p + k`: item `j` is there in group `j - k`.
        mean = sum(
            ops.take_along_axis(scores[..., k], (places - k) % count, axis=1)
            for k in range(self.group_size)
        )
        mean = ops.take_along_axis(mean / self.group_size, ops.argsort(order, axis=1), axis=1)
        return ops.where(mask, mean, ops.zeros_like(mean))

    def _order(self, mask: Any, training: bool | None) -> Any:
        """Returns the items in the order of the circle, padding behind them."""
        width = ops.shape(mask)[1]
        keys = ops.cast(ops.arange(width), "float32")[None, :]
        if training and self.shuffle:
            keys = keras.random.uniform(ops.shape(mask), seed=self._draws) * 0.5
        behind = (1.0 - ops.cast(mask, "float32")) * (ops.cast(width, "float32") + 1.0)
        return ops.cast(ops.argsort(keys + behind, axis=1), "int32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the scores."""
        return tuple(input_shape[:-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "scorer": keras.saving.serialize_keras_object(self.scorer),
            "group_size": self.group_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GroupwiseScoring:
        """Rebuilds the layer from `get_config`."""
        scorer = keras.saving.deserialize_keras_object(config["scorer"])
        return cls(**{**config, "scorer": scorer})
