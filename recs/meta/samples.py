"""Rows of a batch as samples of tasks."""

from __future__ import annotations

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
