"""Embeddings of ids that have no row."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.layers.table_arguments import TableArguments, bad_argument
from recs.ops.lookup import Batch


class ColdIds:
    """Base class of the embeddings of ids without a row, unknown or not yet admitted.

    The choices are in `recs.layers.cold`; without one, a cold id gets the layer's `default_value`.

    A choice that is trained learns from cold ids alone, and in training only ids that an admission
    filter holds back are cold. So, with `rate`, a share of the other ids is taken for cold as well.

    Args:
        rate: Probability that training takes an id for cold that is not, independently at every
            position. Defaults to `0.0`.
    """

    #: Whether cold ids get the mean of all rows, from the table itself.
    uses_mean_row = False
    #: Whether it takes the layer's `cold_features`.
    needs_features = False

    def __init__(self, rate: float = 0.0) -> None:
        if not 0.0 <= rate < 1.0:
            rule = "must be at least 0 and below 1"
            raise bad_argument("rate", rule, rate, type(self).__name__)
        self.rate = float(rate)

    def fallback(self, arguments: TableArguments, name: str) -> Fallback | None:
        """Returns the layer that makes the rows of a new table's cold ids, or None."""
        del arguments, name
        return None

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"rate": self.rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ColdIds:
        """Returns the choice with these arguments."""
        return cls(**config)


class Fallback(keras.layers.Layer):
    """Makes the rows of one table's cold ids.

    A part of the embedding layer rather than one to be called: a layer only so that what it has is
    saved and trained with the other's.

    Args:
        rate: See `ColdIds`.
        **kwargs: `name` and others of a Keras layer.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.autocast = False
        self.built = True
        self.rate = rate
        self._seeds = keras.random.SeedGenerator() if rate > 0.0 else None

    def rows(
        self, keys: tf.Tensor, positions: tf.Tensor, batch: Batch, features: Any, training: bool
    ) -> tf.Tensor:
        """Returns the rows `(m, dim)` float32 of cold ids.

        Args:
            keys: `(m,)`, the ids.
            positions: `(m,)`, where in the batch they are.
            batch: All ids.
            features: What the caller knows of them, or None.
            training: Whether to be trained.
        """
        raise NotImplementedError

    def build_for(self, features: Any) -> None:
        """Makes the weights that vectors from these features, tensors or symbols, need."""

    def fill(
        self, rows: tf.Tensor, known: tf.Tensor, batch: Batch, features: Any, training: bool
    ) -> tf.Tensor:
        """Returns rows `(n, dim)` in which cold ids have theirs.

        Args:
            rows: `(n, dim)`, of the table.
            known: `(n,)`, whether an id has a row there.
            batch: The ids.
            features: What the caller knows of the ids, or None.
            training: Whether to be trained.
        """
        cold = tf.logical_not(known)
        if training and self._seeds is not None:
            draws = keras.random.uniform(tf.shape(batch.keys), seed=self._seeds)
            cold = tf.logical_or(cold, draws < self.rate)
        if batch.mask.shape != (0,):
            cold = tf.logical_and(cold, batch.mask)
        positions = tf.where(cold)[:, 0]
        values = self.rows(tf.gather(batch.keys, positions), positions, batch, features, training)
        return tf.tensor_scatter_nd_update(rows, positions[:, tf.newaxis], values)
