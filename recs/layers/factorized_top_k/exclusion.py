"""Leaving candidates out of a result."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.errors import explain
from recs.layers.row_shapes import after

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
    exclusions = check_rows("exclusions", exclusions, scores, where)
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
    return kept, filled(kept, tf.gather(identifiers, order, batch_dims=1))


def filled(scores: tf.Tensor, identifiers: tf.Tensor) -> tf.Tensor:
    """Returns identifiers, and where there is no candidate, by its score, the filler.

    The filler is `""` of strings, -1 of numbers, and the largest number of unsigned ones.

    Args:
        scores: `(batch, k)`; the lowest float32 where there is no candidate.
        identifiers: `(batch, k)`.
    """
    dtype = identifiers.dtype
    filler = "" if dtype == tf.string else dtype.max if dtype.is_unsigned else -1
    there = scores > tf.cast(EXCLUDED_SCORE, scores.dtype)
    return tf.where(there | tf.math.is_nan(scores), identifiers, tf.constant(filler, dtype))


def check_rows(what: str, ids: tf.Tensor, queries: tf.Tensor, where: str) -> tf.Tensor:
    """Returns ids `(batch, number)`, of as many rows as there are queries; else raises.

    Args:
        what: The argument, for the message.
        ids: The ids of each query.
        queries: Any tensor with a row per query.
        where: The layer, for the message.
    """
    rule = "must be `(batch, number)`, with a row per query"
    sizes = ids.shape[0] if ids.shape.rank else None, queries.shape[0]
    received = f"shape {tuple(ids.shape)} for {sizes[1]} queries"
    message = explain(f"`{what}`", rule=rule, received=received, where=where)
    if ids.shape.rank != 2 or (None not in sizes and sizes[0] != sizes[1]):
        raise ValueError(message)
    if None in sizes:
        return after(ids, tf.shape(ids)[0] == tf.shape(queries)[0], message, tf.shape(ids))
    return ids
