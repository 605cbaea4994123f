"""The largest scores of each row, as a mask."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# The heap of `top_k` is faster than partitioning whole rows for as few as that, of as many columns.
FEW = 64
COLUMNS_FOR_EACH = 16


def at_least(scores: tf.Tensor, keep: tf.Tensor | None, count: Any) -> tf.Tensor:
    """Returns which scores are among the `count` largest of those kept, or equal to the last.

    Args:
        scores: `(rows, columns)`.
        keep: bool `(rows, columns)`, or None for all.
        count: int or a scalar tensor, at least 1. More than there are keeps all.
    """
    scores = tf.stop_gradient(scores)
    lowest = tf.constant(-float("inf"), scores.dtype)
    left = scores if keep is None else tf.where(keep, scores, lowest)
    columns = tf.shape(scores)[1]
    few = isinstance(count, int) and count <= FEW
    if few and (scores.shape[1] is None or scores.shape[1] >= COLUMNS_FOR_EACH * count):
        best = tf.math.top_k(left, k=tf.minimum(count, columns), sorted=False).values
        # A row of no columns has no smallest; nothing depends on what stands for it.
        limit = tf.reduce_min(best, axis=1, keepdims=True)
    else:
        place = tf.clip_by_value(tf.cast(count, tf.int32), 1, tf.maximum(columns, 1)) - 1
        # The op refuses rows without columns, of which there are none to choose.
        limit = tf.cond(
            columns > 0,
            lambda: tf.raw_ops.NthElement(input=left, n=place, reverse=True)[:, tf.newaxis],
            lambda: tf.zeros([tf.shape(left)[0], 1], left.dtype),
        )
    chosen = scores >= limit
    return chosen if keep is None else chosen & keep
