"""The retrieval losses once more: float64, one row at a time, lists instead of matrices."""

from __future__ import annotations

import tensorflow as tf


def row_scores(i, queries, candidates, extra=(), *, temperature=1.0, p=None, ids=None, mask=None,
               explicit=None, explicit_ids=None, explicit_p=None, hard=None):  # fmt: skip
    """Returns the positive's score, those of its negatives, and log q of both."""

    query = queries[i] if len(queries.shape) == 3 else queries[i][None]

    def scores(vectors):
        return tf.unstack(
            tf.reduce_max(tf.matmul(vectors, query, transpose_b=True), 1) / temperature
        )

    def log_q(probabilities, count):
        if probabilities is None:
            return [tf.constant(0.0, tf.float64)] * count
        return tf.unstack(tf.math.log(probabilities))

    of_candidates, logs_of_candidates = scores(candidates), log_q(p, len(candidates))
    negatives, logs = [], []
    for j in range(len(candidates)):
        if j == i or (ids is not None and ids[j] == ids[i]):
            continue
        if mask is not None and not mask[i, j]:
            continue
        negatives.append(of_candidates[j])
        logs.append(logs_of_candidates[j])
    if hard is not None:
        order = sorted(range(len(negatives)), key=lambda n: float(logs[n] - negatives[n]))[:hard]
        negatives, logs = [negatives[n] for n in order], [logs[n] for n in order]
    if explicit is not None:
        count = explicit.shape[1]
        of_explicit = scores(explicit[i])
        logs_of_explicit = log_q(None if explicit_p is None else explicit_p[i], count)
        for n in range(count):
            if ids is not None and explicit_ids is not None and explicit_ids[i, n] == ids[i]:
                continue
            negatives.append(of_explicit[n])
            logs.append(logs_of_explicit[n])
    return of_candidates[i], logs_of_candidates[i], tf.stack(negatives), tf.stack(logs)


def softmax(positive, own_log, negatives, logs):
    both = tf.concat([[positive - own_log], negatives - logs], 0)
    return tf.reduce_logsumexp(both) - (positive - own_log)


def bpr(positive, own_log, negatives, logs):
    weights = tf.exp(-logs) / tf.reduce_sum(tf.exp(-logs))
    return tf.reduce_sum(weights * tf.math.softplus(negatives - positive))


def total(row_loss, queries, candidates, weight=None, **options):
    """Returns the weighted sum over the rows."""
    rows = [row_loss(*row_scores(i, queries, candidates, **options)) for i in range(len(queries))]
    return sum(r * (1.0 if weight is None else weight[i]) for i, r in enumerate(rows))
