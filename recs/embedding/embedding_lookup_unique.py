"""Looks up rows of a table, each distinct id once."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.embedding.arguments import check_table, checked_dense
from recs.embedding.embedding_lookup import embedding_lookup
from recs.layers.dynamic_embedding import DynamicEmbedding


def embedding_lookup_unique(
    params: DynamicEmbedding,
    ids: Any,
    max_norm: float | None = None,
    name: str | None = None,
    *,
    training: bool | None = None,
) -> tf.Tensor | tf.RaggedTensor:
    """Returns what `embedding_lookup` does, looking each distinct id up once.

    With `u, place = tf.unique(ids)`,

        output[..., :] = embedding_lookup(params, u)[place[...]]

    Values and gradients are those of `embedding_lookup`, to the rounding of sums. `max_norm` is
    applied once per distinct id, so this pays where ids repeat. The table finds repeated ids by
    itself, so without `max_norm` `embedding_lookup` does less work.

    Args:
        params: `recs.layers.DynamicEmbedding`. The owner of the table.
        ids: Integers, or strings for a table of strings: dense of any rank, or a
            `tf.RaggedTensor`.
        max_norm: float above 0. Rows that are longer in the l2 norm are scaled to this length, in
            the output; the table keeps them as they are. Defaults to `None`: none are.
        name: str. The name scope of the ops. Defaults to `None`: the function's name.
        training: bool. Whether unknown ids get a row and rows are trained. Defaults to `None`: the
            value that the surrounding model or layer is called with, else `False`.

    Shapes: `(...)` -> `(..., output_dim)`, ragged where the ids are; in the layer's compute dtype.

    Masking: ids equal to the layer's `mask_key` give zeros and are not trained. A mask that comes
    with the ids is not used. Empty ids give an empty output.

    Raises:
        TypeError: `params` is another kind of layer, or the ids are sparse.
        ValueError: `max_norm` is not above 0, or the ids are not of the layer's `key_dtype`.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2, "ones", key_dtype="string")
    >>> ids = tf.constant([["a", "b"], ["a", "a"]])
    >>> recs.embedding.embedding_lookup_unique(layer, ids, training=True).shape
    TensorShape([2, 2, 2])
    >>> layer.table.size()
    2

    ```

    Reference: `tfra.dynamic_embedding.embedding_lookup_unique` of TFRA 0.8.1.
    """
    where = "embedding_lookup_unique"
    check_table(params, "params", max_norm, where)
    if isinstance(ids, tf.RaggedTensor):
        flat = embedding_lookup_unique(params, ids.flat_values, max_norm, name, training=training)
        return ids.with_flat_values(flat)
    with tf.name_scope(name or where):
        ids = checked_dense(ids, where)
        distinct, place = tf.unique(tf.reshape(ids, [-1]))
        rows = embedding_lookup(params, distinct, max_norm, training=training)
        gathered = tf.gather(rows, tf.reshape(place, tf.shape(ids)))
        return tf.ensure_shape(gathered, ids.shape.concatenate(params.output_dim))
