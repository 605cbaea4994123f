"""Looks up rows of a table for ids of any shape."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.embedding.arguments import check_table, checked_dense
from recs.layers.dynamic_embedding import DynamicEmbedding


def embedding_lookup(
    params: DynamicEmbedding,
    ids: Any,
    max_norm: float | None = None,
    name: str | None = None,
    *,
    training: bool | None = None,
) -> tf.Tensor | tf.RaggedTensor:
    """Returns the row of every id, as `tf.nn.embedding_lookup` does of a dense table.

    With `x(id)` the row of an id and `m` the `max_norm`,

        output[..., :] = x(ids[...]) * min(1, m / |x(ids[...])|)

    Call it wherever the layer could be called: eagerly, in a `tf.function`, or in the `call` of a
    model or layer that has the layer as an attribute. The layer inserts, trains and saves the rows;
    its `combiner` is not used.

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
    >>> layer = recs.layers.DynamicEmbedding(2, "ones", optimizer=keras.optimizers.SGD(0.25))
    >>> with tf.GradientTape() as tape:
    ...     rows = recs.embedding.embedding_lookup(layer, [[7, -3], [7, 7]], training=True)
    ...     loss = tf.reduce_sum(rows)
    >>> weights = layer.trainable_variables
    >>> _ = keras.optimizers.SGD().apply_gradients(zip(tape.gradient(loss, weights), weights))
    >>> recs.embedding.embedding_lookup(layer, [7, -3]).numpy().tolist()
    [[0.25, 0.25], [0.75, 0.75]]

    ```

    Reference: `tf.nn.embedding_lookup`; `tfra.dynamic_embedding.embedding_lookup` of TFRA 0.8.1.
    """
    where = "embedding_lookup"
    check_table(params, "params", max_norm, where)
    if isinstance(ids, tf.RaggedTensor):
        flat = embedding_lookup(params, ids.flat_values, max_norm, name, training=training)
        return ids.with_flat_values(flat)
    with tf.name_scope(name or where):
        ids = checked_dense(ids, where)
        # Keras takes the surrounding call's `training` only if the argument is left out.
        arguments = {} if training is None else {"training": training}
        # A layer combines along the last of several axes; with one axis it combines nothing.
        rows = params(tf.reshape(ids, [-1]), **arguments)
        if max_norm is not None:
            rows = tf.clip_by_norm(rows, max_norm, axes=[1])
        shaped = tf.reshape(rows, tf.concat([tf.shape(ids), [params.output_dim]], axis=0))
        return tf.ensure_shape(shaped, ids.shape.concatenate(params.output_dim))
