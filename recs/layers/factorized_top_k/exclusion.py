"""Leaving candidates out of a result."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.errors import explain

# Finite, so that a server can write it as JSON.
EXCLUDED_SCORE = tf.float32.min


def exclude(
    scores: tf.Tensor, identifiers: tf.Tensor, exclusions: tf.Tensor, k: Any, where: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the `k` best of a result, excluded candidates behind all others.

    Args:
        scores: `(batch, retrieved)`.
        identifiers: `(batch, retrieved)`.
        exclusions: `(batch, number)`, each row the identifiers its query excludes.
        k: How many to return, or all when there are fewer.
        where: The layer, for an error.
    """
    names = (identifiers, exclusions)
    if (identifiers.dtype == tf.string) != (exclusions.dtype == tf.string):
        raise TypeError(
            explain(
                "`exclusions`",
                rule="must have the kind of the index's identifiers, strings or numbers",
                received=f"{exclusions.dtype.name} against {identifiers.dtype.name}",
                where=where,
            )
        )
    if identifiers.dtype != exclusions.dtype:
        names = (tf.cast(identifiers, tf.int64), tf.cast(exclusions, tf.int64))
    hit = tf.reduce_any(names[0][:, :, tf.newaxis] == names[1][:, tf.newaxis, :], axis=-1)
    scores = tf.where(hit, tf.cast(EXCLUDED_SCORE, scores.dtype), scores)
    kept, order = tf.math.top_k(scores, k=tf.minimum(k, tf.shape(scores)[1]))
    return kept, tf.gather(identifiers, order, batch_dims=1)
