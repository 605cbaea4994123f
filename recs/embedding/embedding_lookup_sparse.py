"""Combines the rows of sparse ids."""

from __future__ import annotations

import tensorflow as tf

from recs.embedding.arguments import check_table, checked_combiner, checked_sparse
from recs.embedding.combined import combined
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.ops.as_keys import as_keys


def embedding_lookup_sparse(
    params: DynamicEmbedding,
    sp_ids: tf.SparseTensor,
    sp_weights: tf.SparseTensor | None = None,
    combiner: str | None = None,
    max_norm: float | None = None,
    name: str | None = None,
    allow_fast_lookup: bool = False,
    *,
    training: bool | None = None,
) -> tf.Tensor:
    """Returns one vector per row of sparse ids, as `tf.nn.embedding_lookup_sparse` does.

    With the ids `p` of row `r`, their weights `w_p` and their looked-up rows `x_p`,

        output[r] = f * sum_p(w_p * x_p)

    where `f` is 1 (`"sum"`), `1 / sum_p(w_p)` (`"mean"`) or `1 / sqrt(sum_p(w_p**2))` (`"sqrtn"`),
    and 0 where that divides by 0.

    Args:
        params: `recs.layers.DynamicEmbedding`. The owner of the table; its `combiner` is not used.
        sp_ids: `tf.SparseTensor` of integers, or of strings for a table of strings, in the order of
            its rows. Its first axis says the row, whatever its rank.
        sp_weights: `tf.SparseTensor` of numbers with the shape and the indices of `sp_ids`; trained
            through when its values are of a tape. Defaults to `None`: 1 each.
        combiner: `"sum"`, `"mean"` or `"sqrtn"`. Defaults to `None`: `"mean"`.
        max_norm: float above 0. Looked-up rows that are longer in the l2 norm are scaled to this
            length before they are combined. Defaults to `None`: none are.
        name: str. The name scope of the ops. Defaults to `None`: the function's name.
        allow_fast_lookup: bool. Without effect; it changes no value in `tf.nn` either.
        training: bool. Whether unknown ids get a row and rows are trained. Defaults to `None`: the
            value that the surrounding model or layer is called with, else `False`.

    Shapes: `(rows, ...)` -> `(n, output_dim)` in the layer's compute dtype. As in `tf.nn`, `n` is
        the last row that has an id, plus 1: it is less than `rows` where the last rows are empty.
        `safe_embedding_lookup_sparse` gives all rows.

    Masking: ids equal to the layer's `mask_key` are left out, as if their weight were 0. Empty rows
    between others, and rows of which all is left out, give zeros. No ids give `(0, output_dim)`.

    Raises:
        TypeError: `params` is another kind of layer, or ids or weights are not sparse.
        ValueError: the combiner is none of the three, `max_norm` is not above 0, weights are not
            where the ids are, ids are not in the order of their rows, or not of the layer's
            `key_dtype`. What depends on values is an `InvalidArgumentError` in a graph.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> layer.table.upsert([5, 6], np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> ids = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], tf.constant([5, 6, 6]), [3, 2])
    >>> recs.embedding.embedding_lookup_sparse(layer, ids, combiner="mean").numpy().tolist()
    [[2.0, 3.0], [0.0, 0.0], [3.0, 4.0]]

    ```

    Reference: `tf.nn.embedding_lookup_sparse`; `tfra.dynamic_embedding.embedding_lookup_sparse` of
    TFRA 0.8.1.
    """
    del allow_fast_lookup
    where = "embedding_lookup_sparse"
    check_table(params, "params", max_norm, where)
    combiner = checked_combiner(combiner, where)
    with tf.name_scope(name or where):
        ids, weights = checked_sparse(sp_ids, sp_weights, ("sp_ids", "sp_weights"), where)
        ids = ids.with_values(as_keys(ids.values, params.table.key_dtype, where=where))
        last = tf.reduce_max(tf.concat([[-1], ids.indices[:, 0]], axis=0))
        return combined(
            params,
            ids,
            weights,
            last + 1,
            combiner=combiner,
            max_norm=max_norm,
            training=training,
            where=where,
        )
