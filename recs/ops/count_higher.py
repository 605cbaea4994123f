"""Counts the candidates that score higher than a limit, in one op."""

from __future__ import annotations

import tensorflow as tf

from recs.ops.library import ops


def count_higher(queries: tf.Tensor, candidates: tf.Tensor, limits: tf.Tensor) -> tf.Tensor:
    """Returns for each limit how many candidates score higher, int32 of the shape of `limits`.

    Scores are dot products, made some at a time and never held. They are compared in double
    precision, so the result depends neither on the instruction set nor on the order of candidates.
    A score of NaN counts as higher.

    Args:
        queries: `(queries, dim)` float32.
        candidates: `(candidates, dim)` float32.
        limits: `(queries,)` or `(queries, limits)` float64.
    """
    limits = tf.cast(limits, tf.float64)
    several = tf.reshape(limits, [tf.shape(limits)[0], -1 if limits.shape.rank == 2 else 1])
    counts = ops().recs_count_higher(queries, candidates, several)
    return tf.reshape(tf.cast(counts, tf.int32), tf.shape(limits))
