"""Checks the arguments of the look-ups."""

from __future__ import annotations

import numbers
from typing import Any

import tensorflow as tf

from recs.errors import explain
from recs.layers.dynamic_embedding import DynamicEmbedding
from recs.layers.row_shapes import after

COMBINERS = ("sum", "mean", "sqrtn")


def check_table(layer: Any, argument: str, max_norm: Any, where: str) -> None:
    """Checks the layer and `max_norm` of a look-up.

    Args:
        layer: What is looked up in.
        argument: What the function calls it, for the message.
        max_norm: The largest norm of a row, or None.
        where: The function, for messages.

    Raises:
        TypeError: the layer is no `DynamicEmbedding`.
        ValueError: `max_norm` is no number above 0.
    """
    if not isinstance(layer, DynamicEmbedding):
        raise TypeError(
            explain(
                f"`{argument}`",
                rule="must be a `recs.layers.DynamicEmbedding`, which owns a table",
                received=layer if isinstance(layer, type) else type(layer).__name__,
                where=where,
                remedy="For a dense table, use the function of this name in `tf.nn`.",
            )
        )
    if max_norm is None or (isinstance(max_norm, numbers.Real) and float(max_norm) > 0):
        return
    rule, received = "must be a number above 0, or None", f"max_norm={max_norm!r}"
    raise ValueError(explain("`max_norm`", rule=rule, received=received, where=where))


def checked_combiner(combiner: Any, where: str) -> str:
    """Returns the name of a combiner; that of None is `"mean"`, as in `tf.nn`.

    Raises:
        ValueError: there is none of this name.
    """
    if combiner is None:
        return "mean"
    if combiner not in COMBINERS:
        rule = f"must be one of {', '.join(COMBINERS)}"
        received = f"combiner={combiner!r}"
        raise ValueError(explain("`combiner`", rule=rule, received=received, where=where))
    return str(combiner)


def checked_default(default_id: Any, key_dtype: tf.DType, where: str) -> tf.Tensor:
    """Returns the id of empty rows as a tensor.

    Raises:
        ValueError: it is no id of the table.
    """
    kinds: tuple[type, ...] = (str, bytes) if key_dtype == tf.string else (numbers.Integral,)
    if isinstance(default_id, kinds) and not isinstance(default_id, bool):
        return tf.constant(default_id, key_dtype)
    kind = "a string" if key_dtype == tf.string else "an integer"
    raise ValueError(
        explain(
            "`default_id`",
            rule=f"must be {kind}, as `key_dtype` {key_dtype.name} says, or None",
            received=f"default_id={default_id!r}",
            where=where,
        )
    )


def checked_dense(ids: Any, where: str) -> tf.Tensor:
    """Returns dense ids as a tensor.

    Raises:
        TypeError: they are sparse.
    """
    if isinstance(ids, tf.SparseTensor):
        raise TypeError(
            explain(
                "`ids`",
                rule="must be dense or ragged",
                received="a SparseTensor",
                where=where,
                remedy="`embedding_lookup_sparse` takes sparse ids, and combines those of a row.",
            )
        )
    return tf.convert_to_tensor(ids)


def checked_sparse(
    ids: Any, weights: Any, names: tuple[str, str], where: str
) -> tuple[tf.SparseTensor, tf.SparseTensor | None]:
    """Returns sparse ids and weights, which fit one another.

    What a graph does not know is checked when it runs.

    Args:
        ids: A `tf.SparseTensor`.
        weights: A `tf.SparseTensor` with the same indices and shape, or None.
        names: What the function calls the two, for messages.
        where: The function, for messages.

    Raises:
        TypeError: one of them is not sparse.
        ValueError: weights are not where the ids are; in a graph an `InvalidArgumentError`.
    """
    for name, value in zip(names, (ids, weights), strict=True):
        if isinstance(value, tf.SparseTensor) or (value is None and name == names[1]):
            continue
        raise TypeError(
            explain(
                f"`{name}`",
                rule="must be a `tf.SparseTensor`",
                received=f"a {type(value).__name__}",
                where=where,
                remedy="Convert it: `tf.sparse.from_dense(...)`, or `to_sparse()` of ragged ones.",
            )
        )
    if weights is None:
        return ids, None
    message = explain(
        f"`{names[1]}`",
        rule=f"must have the shape and the indices of `{names[0]}`",
        received="others",
        where=where,
    )
    pairs = ((ids.indices, weights.indices), (ids.dense_shape, weights.dense_shape))
    if not all(a.shape.is_compatible_with(b.shape) for a, b in pairs):
        raise ValueError(message)
    # Sizes first: tensors of other sizes may be equal where they are broadcast.
    equal = [tf.reduce_all(tf.equal(tf.shape(a), tf.shape(b))) for a, b in pairs]
    equal += [tf.reduce_all(a == b) for a, b in pairs]
    values = after(weights.values, tf.reduce_all(tf.stack(equal)), message)
    return ids, tf.SparseTensor(ids.indices, values, ids.dense_shape)
