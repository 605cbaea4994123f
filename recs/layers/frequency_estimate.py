"""Estimates how often each id occurs, while a model trains."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from recs.errors import explain
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.id_numbers import id_numbers

# Of each id: the step of its last sighting, the mean steps between two, the mean share of a batch
# that it had when it was there, and how often it was.
LAST, GAP, SHARE, SIGHTINGS = range(4)


@keras.saving.register_keras_serializable("recs")
class FrequencyEstimate(keras.layers.Layer):
    """The probability that a row of a training batch has a given id.

    For the correction of in-batch negatives no table of counts has to be prepared: the layer
    sees every batch. Of each id it keeps the mean number of steps `gap` between two sightings and
    the mean `share` of the batch it had in them, and returns `p = share / gap`. Sighting number
    `n` counts `a = max(rate, 1 / n)` of a mean,

        gap <- (1 - a) * gap + a * (step - last),    share <- (1 - a) * share + a * count / rows

    so that the mean over all sightings is exact at first and follows a change of popularity later.
    An id never seen gets what a single sighting among all rows so far would give; one that stays
    away longer than its `gap` is taken as if it came now, and so loses probability with every step.

    Only training changes the estimate. State: a table that grows with the ids it sees, exact for
    integers, by a 63-bit hash for strings; saved with the model. No gradient. An empty batch counts
    as none.

    Args:
        rate: float in (0, 1]. How much the newest sighting counts once there were many. Smaller is
            smoother and follows slower. Defaults to `0.01`.
        **kwargs: The arguments of `keras.layers.Layer`.

    Shapes: ids of any shape, integers or strings -> probabilities float32 of that shape.

    Raises:
        ValueError: when `rate` is not in (0, 1].
        TypeError: when ids are floats.

    Example:
    ```python
    >>> import numpy as np
    >>> import recs
    >>> estimate = recs.layers.FrequencyEstimate()
    >>> _ = estimate(np.array([7, 7, 8, 9]), training=True)
    >>> estimate(np.array([7, 8])).numpy().tolist()
    [0.5, 0.25]

    ```

    Reference: [Yi et al., 2019](https://doi.org/10.1145/3298689.3346996), algorithm 2. There ids
    share buckets of a hash array, and an id counts once a batch however often it is in it, which
    makes popular items look rarer than they are.
    """

    def __init__(self, rate: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if not 0 < rate <= 1:
            raise ValueError(
                explain("`rate`", rule="must be in (0, 1]", received=f"{rate=}", where=self._where)
            )
        self.rate = rate
        self.table_layer = DynamicEmbedding(
            4, "zeros", key_dtype="int64", trainable=False, seed=0, name="frequencies"
        )
        # Steps, and rows of all batches together.
        self._step = self._counter("step")
        self._rows = self._counter("rows")
        self.supports_jit = False
        self.built = True

    @property
    def _where(self) -> str:
        return f"FrequencyEstimate '{self.name}'"

    def _counter(self, name: str) -> Any:
        return self.add_weight(
            name=name, shape=(), dtype="float32", initializer="zeros", trainable=False,
            autocast=False,
        )  # fmt: skip

    def call(self, ids: Any, training: bool | None = None) -> tf.Tensor:
        """Returns the probabilities, in training after taking the batch into account."""
        ids = tf.convert_to_tensor(ids)
        numbers = id_numbers(ids, self._where)
        if not training:
            return tf.reshape(self.of_numbers(numbers), tf.shape(ids))
        return tf.reshape(self.seen(numbers), tf.shape(ids))

    def seen(self, numbers: tf.Tensor) -> tf.Tensor:
        """Takes a batch into account; returns the probabilities `(n,)` of its ids `(n,)` int64."""
        size = tf.cast(tf.shape(numbers)[0], tf.float32)
        self._rows.assign_add(size)
        self._step.assign_add(tf.where(size > 0, 1.0, 0.0))
        step = tf.convert_to_tensor(self._step)
        distinct, place, count = tf.unique_with_counts(numbers)
        old, _ = self.table_layer.table.find(distinct)
        sightings = old[:, SIGHTINGS] + 1.0
        part = tf.maximum(self.rate, 1.0 / sightings)
        share = tf.cast(count, tf.float32) / tf.maximum(size, 1.0)
        gap = old[:, GAP] + part * (step - old[:, LAST] - old[:, GAP])
        share = old[:, SHARE] + part * (share - old[:, SHARE])
        rows = tf.stack([tf.fill(tf.shape(gap), step), gap, share, sightings], axis=1)
        self.table_layer.table.upsert(distinct, rows)
        return tf.gather(share / gap, place)

    def of_numbers(self, numbers: tf.Tensor) -> tf.Tensor:
        """Returns the probabilities `(n,)` of ids `(n,)` int64 as they are now."""
        rows, found = self.table_layer.table.find(numbers)
        step, total = tf.convert_to_tensor(self._step), tf.convert_to_tensor(self._rows)
        wait = tf.maximum(step - rows[:, LAST], rows[:, GAP])
        part = tf.maximum(self.rate, 1.0 / (rows[:, SIGHTINGS] + 1.0))
        gap = rows[:, GAP] + part * (wait - rows[:, GAP])
        return tf.where(found, rows[:, SHARE] / tf.maximum(gap, 1.0), 1.0 / tf.maximum(total, 1.0))

    def compute_output_spec(self, ids: Any, training: bool | None = None) -> keras.KerasTensor:
        """Returns shape and dtype of the probabilities."""
        return keras.KerasTensor(ids.shape, "float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer; what it has seen is state."""
        return {**super().get_config(), "rate": self.rate}
