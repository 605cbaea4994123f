"""The softmax of each query's own candidate against negatives that are drawn for all."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import ops

from recs.losses.functional import in_batch


def sampled_softmax(
    queries: Any,
    candidates: Any,
    negatives: Any,
    *,
    temperature: float = 1.0,
    own_log_p: Any = None,
    negative_log_p: Any = None,
    hits: Any = None,
) -> Any:
    """Returns `logsumexp(s_i, s_i1 ... s_im) - s_i`, `(queries,)` float32.

    `s_i = q_i . c_i / temperature - log p_i` is the score of the query's own candidate, and `s_ij`
    likewise that of negative `j`.

    Args:
        queries: `(queries, dim)`.
        candidates: `(queries, dim)`, of each query its own.
        negatives: `(m, dim)`.
        temperature: float, positive.
        own_log_p: `(queries,)`, or None for no correction.
        negative_log_p: `(m,)`, or None.
        hits: bools `(queries, m)`: which negatives are a query's own candidate, and no negatives of
            it. None: none are.
    """
    queries, candidates, negatives = (
        in_batch.in_full_precision(one) for one in (queries, candidates, negatives)
    )
    own = ops.sum(queries * candidates, axis=-1) / temperature
    scores = ops.matmul(queries, ops.transpose(negatives)) / temperature
    if own_log_p is not None:
        own, scores = own - own_log_p, scores - negative_log_p
    if hits is not None:
        scores = ops.where(hits, in_batch.large_negative("float32"), scores)
    logits = ops.concatenate([ops.expand_dims(own, 1), scores], axis=1)
    return ops.logsumexp(logits, axis=1) - own


def same_ids(items: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
    """Returns which of the ids that were drawn are each item's, `(items, drawn)`.

    By their numbers among the distinct ones: strings take long to compare, each with each.
    """
    number = tf.unique(tf.concat([items, drawn], axis=0)).idx
    count = tf.shape(items)[0]
    return tf.equal(tf.expand_dims(number[:count], 1), number[count:])
