"""The softmax of what users took over a whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from recs.losses.functional.chunks import sum_over_chunks
from recs.losses.functional.score_sums import are_moderate, log_sum_exp
from recs.ops.library import suits_tensors
from recs.ops.softmax import softmax_loss


def catalogue_softmax(
    queries: tf.Tensor,
    catalogue: tf.Tensor,
    positive: tf.Tensor,
    weight: tf.Tensor,
    with_gradient: bool,
) -> tf.Tensor:
    """Returns `sum_i w_i * (log sum_j exp(q_i . c_j) - q_i . p_i)`, a scalar.

    With `p_i` the mean of the candidates that query `i` took, it is the mean of the softmax's loss
    over these, for the scores are linear in the candidate: what the catalogue costs is paid once a
    query, and not once for each thing that it took. A few megabytes of scores are held at a time.

    Args:
        queries: `(queries, dim)`, divided by the temperature.
        catalogue: `(candidates, dim)`.
        positive: `(queries, dim)`, the mean of the vectors of each query's own candidates.
        weight: `(queries,)`.
        with_gradient: whether the gradient is going to be asked for.
    """
    if queries.dtype == tf.float32 and suits_tensors():
        own = tf.reduce_sum(weight * tf.reduce_sum(queries * positive, axis=1))
        total = softmax_loss(queries, catalogue, weight=weight, with_gradient=with_gradient)
        return total - own
    moderate = tf.cast(are_moderate(queries, catalogue), tf.bool)

    def chunk(rows: Sequence[tf.Tensor], shared: Sequence[tf.Tensor], _: Any) -> tf.Tensor:
        some, own, weights = rows
        total = log_sum_exp(some, shared[0], lambda scores: None, shared[1], -1e36)
        return tf.reduce_sum(weights * (total - tf.reduce_sum(some * own, axis=1)))

    columns = catalogue.shape[0] or tf.shape(catalogue)[0]
    return sum_over_chunks(
        chunk, [queries, positive, weight], [catalogue, moderate], columns, with_gradient
    )
