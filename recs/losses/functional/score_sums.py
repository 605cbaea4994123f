"""The log of a sum of exponentials of scores, without keeping the scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Scores between -MODERATE and MODERATE need no shift: their exponentials, the sums of these over a
# billion candidates and the products with embeddings all fit float32 with room to spare.
MODERATE = 40.0

# From the scores `(rows, columns)` which of them count, or None for all of them.
Keep = Callable[[tf.Tensor], tf.Tensor | None]


def are_moderate(queries: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Returns whether all scores are small enough to take exponentials of them as they are.

    `|q . c| <= |q| |c|`, so lengths are all that has to be looked at. NaN and infinity are not.
    """
    longest = [tf.reduce_max(tf.norm(x, axis=-1)) for x in (queries, candidates)]
    return (longest[0] * longest[1] <= MODERATE) & (longest[0] < 1e6) & (longest[1] < 1e6)


def log_sum_exp(
    queries: tf.Tensor, candidates: tf.Tensor, keep: Keep, moderate: Any, low: float
) -> tf.Tensor:
    """Returns `log sum_j keep_ij * exp(q_i . c_j)`, `(rows,)`.

    The gradient needs the exponentials, which are computed once, and their sum: three matrix
    products in all, and no softmax.

    Args:
        queries: `(rows, dim)`.
        candidates: `(columns, dim)`.
        keep: Which scores count.
        moderate: Whether scores need no shift, a scalar bool; see `are_moderate`.
        low: What the log of no candidates at all is.
    """

    @tf.custom_gradient
    def run(queries: tf.Tensor, candidates: tf.Tensor):  # type: ignore[no-untyped-def]
        scores = tf.matmul(queries, candidates, transpose_b=True)
        powers, shift = _exponentials(scores, keep(scores), moderate)
        sums = tf.reduce_sum(powers, axis=1, keepdims=True)
        result = tf.maximum(shift + tf.math.log(sums), tf.cast(low, sums.dtype))[:, 0]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            scale = tf.math.divide_no_nan(upstream[:, tf.newaxis], sums)
            return (
                scale * tf.matmul(powers, candidates),
                tf.matmul(powers, scale * queries, transpose_a=True),
            )

        return result, gradient

    return run(queries, candidates)


def _exponentials(
    scores: tf.Tensor, keep: tf.Tensor | None, moderate: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `exp(scores - shift)`, zero where they are not kept, and the shift of each row."""
    none = tf.zeros([tf.shape(scores)[0], 1], scores.dtype)

    def plain() -> tuple[tf.Tensor, tf.Tensor]:
        powers = tf.exp(scores)
        return powers if keep is None else tf.where(keep, powers, tf.zeros([], powers.dtype)), none

    def shifted() -> tuple[tf.Tensor, tf.Tensor]:
        lowest = tf.constant(-float("inf"), scores.dtype)
        kept = scores if keep is None else tf.where(keep, scores, lowest)
        largest = tf.reduce_max(kept, axis=1, keepdims=True)
        shift = tf.where(tf.math.is_finite(largest), largest, none)
        return tf.exp(kept - shift), shift

    return tf.cond(moderate, plain, shifted)
