"""The look-up of a batch of ids in a static index, as the compiled op does it in a table."""

from __future__ import annotations

import tensorflow as tf

from recs.errors import explain
from recs.export.static_index import StaticIndex
from recs.ops.lookup import Batch


def find(index: StaticIndex, batch: Batch, where: str = "static look-up") -> tf.Tensor:
    """Returns rows `(n or bags, dim)` float32, with nothing but TensorFlow's own ops.

    Masked positions give zeros without a combiner. With one they are left out, and a bag becomes
    `f * sum_p(w_p * x_p)`, where `f` is 1, `1 / sum(w)` or `1 / sqrt(sum(w**2))`, or 0 when the
    bag is empty or its weights cancel.

    Args:
        index: Ids and rows.
        batch: Flat ids and how they form bags.
        where: The layer, for messages.
    """
    rows = index.rows_of(batch.keys)
    masked = batch.mask.shape != (0,)
    if masked:
        _check_size("mask", batch.mask, batch.keys, where)
        # Left out by choice, not by a product: nothing of what stands there may come through.
        rows = tf.where(batch.mask[:, tf.newaxis], rows, 0.0)
    if batch.combiner == "none":
        return rows
    bags = tf.size(batch.splits) - 1
    bag_of_key = tf.ragged.row_splits_to_segment_ids(batch.splits)

    def total(values: tf.Tensor) -> tf.Tensor:
        return tf.math.unsorted_segment_sum(values, bag_of_key, bags)

    if batch.weights.shape != (0,):
        _check_size("weights", batch.weights, batch.keys, where)
        weights = tf.where(batch.mask, batch.weights, 0.0) if masked else batch.weights
        rows *= weights[:, tf.newaxis]
    else:
        weights = tf.cast(batch.mask, tf.float32) if masked else tf.ones_like(rows[:, 0])
    output = total(rows)
    if batch.combiner == "sum":
        return output
    divisor = total(weights) if batch.combiner == "mean" else tf.sqrt(total(weights**2))
    return output * tf.math.divide_no_nan(1.0, divisor)[:, tf.newaxis]


def _check_size(what: str, values: tf.Tensor, keys: tf.Tensor, where: str) -> None:
    """Refuses another number of values than of ids; a single one would be taken for all."""
    message = explain(
        f"`{what}`", rule="must have one value an id", received="see below", where=where
    )
    tf.debugging.assert_equal(tf.size(values), tf.size(keys), message)
