"""Base class of the metrics of retrieved ids."""

from __future__ import annotations

import abc
from typing import Any

import keras
from keras import ops

from recs.errors import explain


class TopKIds(keras.metrics.Mean, abc.ABC):
    """Base of the metrics of lists of retrieved ids, of users with any number of positives.

    `update_state(true_ids, retrieved_ids)`: which ids a user wanted, and which they got, best
    first, such as `index.query_with_exclusions(...)` returns. The result is the mean over the users
    that wanted something. An id that a list has twice is a hit once, at its first place.

    Args:
        k: int, positive. How much of a list counts; shorter lists count as they are. Defaults to
            `10`.
        padding: The id that fills up rows of `true_ids` and of lists, and is no hit. Defaults to
            `-1`; for strings `""` is one too.
        name: str. Defaults to `None`: such as `"recall@10"`.
        **kwargs: The arguments of `keras.metrics.Metric`.

    Shapes: `true_ids (users, positives)`, a matrix or ragged, `retrieved_ids (users, retrieved)`,
    both integers or both strings -> a scalar. `sample_weight (users,)`.

    Raises:
        ValueError: when `k` is not a positive integer.

    Example:
    ```python
    >>> from recs.metrics import RecallAtK, TopKIds
    >>> issubclass(RecallAtK, TopKIds)
    True

    ```
    """

    def __init__(
        self, k: int = 10, padding: int = -1, name: str | None = None, **kwargs: Any
    ) -> None:
        short = type(self).__name__.removesuffix("AtK").lower()
        super().__init__(name=name or f"{short}@{k}", **kwargs)
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(
                explain(
                    "`k`",
                    rule="must be a positive integer",
                    received=f"k={k!r}",
                    where=f"{type(self).__name__} '{self.name}'",
                )
            )
        self.k = k
        self.padding = padding

    @abc.abstractmethod
    def of_hits(self, hits: Any, wanted: Any) -> Any:
        """Returns the value of each user.

        Args:
            hits: float `(users, places)`, 1 at a hit.
            wanted: float `(users,)`, how many ids each wanted, at least 1.
        """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes users into account.

        Args:
            y_true: `(users, positives)` ids that were wanted.
            y_pred: `(users, retrieved)` ids, best first.
            sample_weight: `(users,)`. Defaults to `None`, which weighs all alike.
        """
        true, found = _comparable(y_true, y_pred, self.padding)
        found = found[:, : self.k]
        there = _first_of_equals(true) & _is_id(true, self.padding)
        match = ops.expand_dims(found, 2) == ops.expand_dims(true, 1)
        hits = ops.any(match & ops.expand_dims(there, 1), axis=2) & _first_of_equals(found)
        wanted = ops.sum(ops.cast(there, "float32"), axis=1)
        values = self.of_hits(ops.cast(hits, "float32"), ops.maximum(wanted, 1.0))
        weight = ops.cast(wanted > 0, "float32")
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        super().update_state(values, sample_weight=weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the metric."""
        return {**super().get_config(), "k": self.k, "padding": self.padding}


def _comparable(true: Any, found: Any, padding: int) -> tuple[Any, Any]:
    """Returns both as matrices of int64 or of strings."""
    import tensorflow as tf

    if isinstance(true, tf.RaggedTensor):
        fill = tf.constant("" if true.dtype == tf.string else padding, true.dtype)
        true = true.to_tensor(fill)
    true, found = tf.convert_to_tensor(true), tf.convert_to_tensor(found)
    if true.dtype == tf.string:
        return true, found
    return tf.cast(true, tf.int64), tf.cast(found, tf.int64)


def _is_id(ids: Any, padding: int) -> Any:
    is_string = keras.backend.standardize_dtype(ids.dtype) == "string"
    return ops.not_equal(ids, "" if is_string else padding)


def _first_of_equals(ids: Any) -> Any:
    """Returns which ids of each row do not stand before in it."""
    same = ops.expand_dims(ids, 2) == ops.expand_dims(ids, 1)
    count = ops.shape(ids)[1]
    places = ops.arange(count)
    before = ops.expand_dims(places, 0) < ops.expand_dims(places, 1)
    return ops.logical_not(ops.any(same & ops.expand_dims(before, 0), axis=2))
