"""Combines the rows of sparse ids, leaving invalid ids out."""

from __future__ import annotations

import tensorflow as tf

from recs.embedding.arguments import (
    check_table,
    checked_combiner,
    checked_default,
    checked_sparse,
)
from recs.embedding.combined import combined
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.ops.as_keys import as_keys


def safe_embedding_lookup_sparse(
    embedding_weights: DynamicEmbedding,
    sparse_ids: tf.SparseTensor,
    sparse_weights: tf.SparseTensor | None = None,
    combiner: str | None = "mean",
    default_id: int | str | bytes | None = None,
    max_norm: float | None = None,
    name: str | None = None,
    allow_fast_lookup: bool = False,
    *,
    training: bool | None = None,
) -> tf.Tensor:
    """Returns one vector per row of sparse ids, leaving invalid ids out and filling empty rows.

    It does what `tf.nn.safe_embedding_lookup_sparse` does on a dense table. The ids along the last
    axis are combined as in `embedding_lookup_sparse`, without ids below 0 (a string is always
    valid) and, with `"mean"` and `"sqrtn"`, without ids whose weight is 0 or less. A row without
    valid ids gets the row of `default_id`, or zeros.

    A `DynamicEmbedding` accepts negative ids, and so does TFRA's function of this name. This
    function leaves them out, as `tf.nn` does; `embedding_lookup_sparse` looks them up.

    Args:
        embedding_weights: `recs.layers.DynamicEmbedding`. The owner of the table; its `combiner` is
            not used.
        sparse_ids: `tf.SparseTensor` of integers, or of strings for a table of strings, of any
            rank, in the order of its rows.
        sparse_weights: `tf.SparseTensor` of numbers with the shape and the indices of `sparse_ids`;
            trained through when its values are of a tape. Defaults to `None`: 1 each.
        combiner: `"sum"`, `"mean"` or `"sqrtn"`; `None` is `"mean"`. Defaults to `"mean"`.
        default_id: The id whose row an empty row gets, and trains. Defaults to `None`: zeros, and
            nothing is looked up for them.
        max_norm: float above 0. Looked-up rows that are longer in the l2 norm are scaled to this
            length before they are combined. Defaults to `None`: none are.
        name: str. The name scope of the ops. Defaults to `None`: the function's name.
        allow_fast_lookup: bool. Without effect; it changes no value in `tf.nn` either.
        training: bool. Whether unknown ids get a row and rows are trained. Defaults to `None`: the
            value that the surrounding model or layer is called with, else `False`.

    Shapes: `(..., n)` -> `(..., output_dim)`, in the layer's compute dtype.

    Masking: ids equal to the layer's `mask_key` are left out too. No ids give `default_id`'s row,
    or zeros, everywhere.

    Raises:
        TypeError: `embedding_weights` is another kind of layer, or ids or weights are not sparse.
        ValueError: the combiner is none of the three, `max_norm` is not above 0, weights are not
            where the ids are, ids are not in the order of their rows, or ids or `default_id` are
            not of the layer's `key_dtype`. What depends on values is an `InvalidArgumentError` in a
            graph.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> layer.table.upsert([0, 5], np.array([[9.0, 9.0], [1.0, 2.0]]))
    >>> ids = tf.SparseTensor([[0, 0], [0, 1]], tf.constant([5, -1]), [2, 2])
    >>> recs.embedding.safe_embedding_lookup_sparse(layer, ids, default_id=0).numpy().tolist()
    [[1.0, 2.0], [9.0, 9.0]]

    ```

    Reference: `tf.nn.safe_embedding_lookup_sparse`;
    `tfra.dynamic_embedding.safe_embedding_lookup_sparse` of TFRA 0.8.1.
    """
    del allow_fast_lookup
    where, names = "safe_embedding_lookup_sparse", ("sparse_ids", "sparse_weights")
    check_table(embedding_weights, "embedding_weights", max_norm, where)
    combiner = checked_combiner(combiner, where)
    with tf.name_scope(name or where):
        ids, weights = checked_sparse(sparse_ids, sparse_weights, names, where)
        outer, static_outer = ids.dense_shape[:-1], ids.shape[:-1]
        ids = ids.with_values(as_keys(ids.values, embedding_weights.table.key_dtype, where=where))
        ids = tf.sparse.reshape(ids, tf.stack([tf.reduce_prod(outer), ids.dense_shape[-1]]))
        ids, weights = _valid(ids, weights, combiner, embedding_weights.mask_key)
        if default_id is not None:
            ids, _ = tf.sparse.fill_empty_rows(ids, checked_default(default_id, ids.dtype, where))
            if weights is not None:
                weights, _ = tf.sparse.fill_empty_rows(weights, tf.ones([], weights.dtype))
        vectors = combined(
            embedding_weights,
            ids,
            weights,
            ids.dense_shape[0],
            combiner=combiner,
            max_norm=max_norm,
            training=training,
            where=where,
        )
        dim = embedding_weights.output_dim
        vectors = tf.reshape(vectors, tf.concat([outer, [dim]], axis=0))
        return tf.ensure_shape(vectors, static_outer.concatenate(dim))


def _valid(
    ids: tf.SparseTensor,
    weights: tf.SparseTensor | None,
    combiner: str,
    mask_key: int | str | None,
) -> tuple[tf.SparseTensor, tf.SparseTensor | None]:
    """Returns the ids `(rows, n)` that count, and their weights."""
    valid = tf.ones_like(ids.values, tf.bool)
    if ids.dtype != tf.string:
        valid &= ids.values >= 0
    if mask_key is not None:
        valid &= ids.values != tf.constant(mask_key, ids.dtype)
    if weights is None:
        return tf.sparse.retain(ids, valid), None
    if combiner != "sum":
        valid &= weights.values > 0
    weights = tf.SparseTensor(ids.indices, weights.values, ids.dense_shape)
    return tf.sparse.retain(ids, valid), tf.sparse.retain(weights, valid)
