"""Rows of a batch as samples of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from recs.meta.adapt import Samples


def present(labels: tf.Tensor) -> tf.Tensor:
    """Returns which samples have a label, that is, no NaN in it."""
    return tf.logical_not(tf.reduce_any(tf.math.is_nan(labels), axis=-1))


def samples_of(inputs: tf.Tensor, labels: tf.Tensor) -> Samples:
    """Returns samples, those without a label left out."""
    there = present(labels)
    return Samples(inputs, tf.where(there[..., tf.newaxis], labels, 0.0), there)


def rows_of(inputs: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor) -> Samples:
    """Returns rows of a batch, those of each task together.

    Args:
        inputs: `(batch, in)`.
        labels: `(batch, label)`.
        rows: `(tasks, n)` numbers of rows, -1 where there is none.
    """
    at = tf.maximum(rows, 0)
    found = samples_of(tf.gather(inputs, at), tf.gather(labels, at))
    return found._replace(mask=tf.logical_and(found.mask, rows >= 0))


def labels_in(
    inputs: Mapping[str, Any], columns: str | Mapping[str, str], towers: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Returns the labels of each tower, `(batch, label)` float32.

    Args:
        inputs: The batch.
        columns: Which column they are in, one for all towers or one for each.
        towers: Their names.
    """
    if isinstance(columns, str):
        columns = dict.fromkeys(towers, columns)
    found = {name: tf.cast(inputs[column], tf.float32) for name, column in columns.items()}
    return {k: v[:, tf.newaxis] if v.shape.rank == 1 else v for k, v in found.items()}
