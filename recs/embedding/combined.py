"""Combines looked-up rows to one vector per row of the sparse ids."""

from __future__ import annotations

import tensorflow as tf

from recs.embedding.embedding_lookup_unique import embedding_lookup_unique
from recs.errors import explain
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.row_shapes import after
from recs.ops.bags import combine
from recs.ops.lookup import Batch


def combined(
    layer: DynamicEmbedding,
    ids: tf.SparseTensor,
    weights: tf.SparseTensor | None,
    bags: tf.Tensor,
    *,
    combiner: str,
    max_norm: float | None,
    training: bool | None,
    where: str,
) -> tf.Tensor:
    """Returns `(bags, dim)`: the looked-up rows of each bag, combined; zeros for an empty one.

    Args:
        layer: The owner of the table.
        ids: The first axis says the bag. Ids that are the layer's `mask_key` are left out.
        weights: One number per id, at the indices of the ids; None is 1 each.
        bags: How many bags there are, int64; at least as many as have ids.
        combiner: `"sum"`, `"mean"` or `"sqrtn"`.
        max_norm: The largest norm of a row, or None.
        training: Whether to insert and to be trained.
        where: The function, for messages.
    """
    message = explain(
        "Sparse ids",
        rule="must be in the order of their rows",
        received="rows that are not ascending",
        where=where,
        remedy="Sort them, and their weights: `tf.sparse.reorder`.",
    )
    bag_of_id = ids.indices[:, 0]
    bag_of_id = after(bag_of_id, tf.reduce_all(bag_of_id[1:] >= bag_of_id[:-1]), message)
    rows = embedding_lookup_unique(layer, ids.values, max_norm, training=training)
    mask = tf.constant([], tf.bool)
    if layer.mask_key is not None:
        mask = tf.not_equal(ids.values, tf.constant(layer.mask_key, ids.dtype))
    values = tf.constant([]) if weights is None else tf.cast(weights.values, tf.float32)
    splits = tf.searchsorted(bag_of_id, tf.range(bags + 1), out_type=tf.int64)
    batch = Batch(ids.values, mask, splits, values, combiner)
    # Sums of half-precision rows are taken in float32, as `tf.nn` takes them.
    vectors = combine(tf.cast(rows, tf.float32), batch)
    if values.shape == (0,):  # means "no weights" to a batch; none at all have a gradient too
        vectors += tf.reduce_sum(values)
    return tf.cast(vectors, rows.dtype)
