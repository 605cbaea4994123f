"""The retrieval losses once more: float64, one row at a time, lists instead of matrices."""

from __future__ import annotations

import tensorflow as tf


def row_scores(i, queries, candidates, extra=(), *, temperature=1.0, p=None, ids=None, mask=None,
               explicit=None, explicit_ids=None, explicit_p=None, hard=None):  # fmt: skip
    """Returns the positive's score, those of its negatives, and log q of both."""

    def score(vector):
        query = queries[i] if len(queries.shape) == 3 else queries[i][None]
        return tf.reduce_max(tf.linalg.matvec(query, vector)) / temperature

    def log_q(j):
        return tf.constant(0.0, tf.float64) if p is None else tf.math.log(p[j])

    negatives, logs = [], []
    for j in range(len(candidates)):
        if j == i or (ids is not None and ids[j] == ids[i]):
            continue
        if mask is not None and not mask[i, j]:
            continue
        negatives.append(score(candidates[j]))
        logs.append(log_q(j))
    if hard is not None:
        order = sorted(range(len(negatives)), key=lambda n: float(logs[n] - negatives[n]))[:hard]
        negatives, logs = [negatives[n] for n in order], [logs[n] for n in order]
    for n in range(0 if explicit is None else explicit.shape[1]):
        if ids is not None and explicit_ids is not None and explicit_ids[i, n] == ids[i]:
            continue
        negatives.append(score(explicit[i, n]))
        logs.append(
            tf.constant(0.0, tf.float64) if explicit_p is None else tf.math.log(explicit_p[i, n])
        )
    return score(candidates[i]), log_q(i), tf.stack(negatives), tf.stack(logs)


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
