"""The best of a list of candidates, each query its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.errors import explain
from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE


def check_kind(what: str, ids: tf.Tensor, dtype: tf.DType, where: str) -> None:
    """Raises unless ids are of the kind of an index's identifiers, strings or numbers."""
    if (ids.dtype == tf.string) == (dtype == tf.string):
        return
    raise TypeError(
        explain(
            f"`{what}`",
            rule="must have the kind of the index's identifiers, strings or numbers",
            received=f"{ids.dtype.name} against {dtype.name}",
            where=where,
        )
    )


def among(scores: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    """Returns scores, and the lowest float32 for what is not allowed."""
    return tf.where(allowed, scores, tf.cast(EXCLUDED_SCORE, scores.dtype))


def without_repeats(rows: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns rows `(batch, number)` in order, and which are known and the first of equals."""
    rows = tf.sort(tf.where(known, rows, -1), axis=1)
    repeated = tf.pad(rows[:, 1:] == rows[:, :-1], [[0, 0], [1, 0]])[:, : tf.shape(rows)[1]]
    allowed = (rows >= 0) & ~repeated
    return tf.maximum(rows, 0), allowed


def smaller(first: Any, second: Any) -> Any:
    """Returns the minimum, as an int when both are."""
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    return tf.minimum(tf.cast(first, tf.int32), tf.cast(second, tf.int32))
