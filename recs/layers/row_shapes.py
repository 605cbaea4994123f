"""Shapes of what a model is called with: a value per row, or a list of values per row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from recs.errors import explain

_VALUE = "must be `(batch,)` or `(batch, 1)`, a value per row, as in training"
_LIST = "must be `(batch, n)`, ragged, or `(batch,)` for one value per row"


def value_per_row(value: Any, name: str, where: str) -> tf.Tensor:
    """Returns a tensor `(batch,)`, of one that is `(batch,)` or `(batch, 1)`.

    Sizes that a graph does not know are checked when it runs.

    Args:
        value: A dense tensor or array.
        name: The column or input, for the message.
        where: The layer, for the message.

    Raises:
        ValueError: the value has another shape, or is ragged or sparse.
    """
    if isinstance(value, tf.RaggedTensor | tf.SparseTensor):
        raise _bad(name, _VALUE, f"a {type(value).__name__}", where)
    value = tf.convert_to_tensor(value)
    shape = value.shape
    if shape.rank == 1:
        return value
    if shape.rank is not None and (shape.rank != 2 or shape[1] not in (1, None)):
        raise _bad(name, _VALUE, f"shape {tuple(shape)}", where)
    if shape.rank is None or shape[1] is None:
        sizes = tf.shape(value)
        axes = tf.size(sizes)
        fits = (axes >= 1) & (axes <= 2) & (tf.reduce_prod(sizes[1:]) == 1)
        value = after(value, fits, _message(name, _VALUE, "another shape", where), sizes)
    return tf.reshape(value, [-1])


def ids_per_row(
    value: Any, name: str, id_dtype: str, where: str, *, fixed: bool = False
) -> tf.Tensor:
    """Returns ids `(batch,)` of a dtype; integers of any width are widened.

    Args:
        value: A dense tensor or array, `(batch,)` or `(batch, 1)`.
        name: The column, for the message.
        id_dtype: `"string"` or `"int64"`.
        where: The layer, for the message.
        fixed: Whether the layer has no argument `id_dtype`, which the message then leaves out.
            Defaults to `False`.

    Raises:
        ValueError: the ids have another shape, or are no strings or integers as `id_dtype` says.
    """
    return checked_ids(value_per_row(value, name, where), name, id_dtype, where, fixed=fixed)


def checked_ids(
    ids: Any, name: str, id_dtype: str, where: str, *, fixed: bool = False
) -> tf.Tensor | tf.RaggedTensor:
    """Returns ids of a dtype, whatever their shape; integers of any width are widened.

    Args:
        ids: A dense or ragged tensor.
        name: The column, for the message.
        id_dtype: `"string"` or `"int64"`.
        where: The layer, for the message.
        fixed: Whether the layer has no argument `id_dtype`, which the message then leaves out.
            Defaults to `False`.

    Raises:
        ValueError: the ids are no strings or integers as `id_dtype` says.
    """
    if ids.dtype == id_dtype:
        return ids
    if id_dtype == "int64" and ids.dtype.is_integer and ids.dtype != tf.uint64:
        return tf.cast(ids, tf.int64)
    remedy = "Write them as integers or strings: floats, times and bools are no ids."
    if ids.dtype == tf.string and not fixed:
        remedy = "Make the model with `id_dtype='string'`."
    elif ids.dtype == tf.uint64:
        remedy = "Keep their bits: `ids.view('int64')`."
    elif ids.dtype.is_integer:
        remedy = "Convert them: `tf.strings.as_string(ids)`, or `ids.astype(str)` of NumPy."
        if not fixed:
            remedy = "Make the model with `id_dtype='int64'`, or write them as strings."
    kind = "strings" if id_dtype == "string" else "integers that fit int64"
    rule = f"must hold {kind}" + ("" if fixed else f", as `id_dtype='{id_dtype}'` says")
    received = f"dtype {ids.dtype.name}"
    raise ValueError(
        explain(f"Column '{name}'", rule=rule, received=received, where=where, remedy=remedy)
    )


def list_per_row(value: Any, name: str, where: str) -> tf.Tensor | tf.RaggedTensor:
    """Returns values `(batch, n)`, or ragged, of such; `(batch,)` is a list of one per row.

    Args:
        value: A dense or ragged tensor, or an array.
        name: The column or input, for the message.
        where: The layer, for the message.

    Raises:
        ValueError: the value has another shape, or is sparse.
    """
    if isinstance(value, tf.SparseTensor):
        raise _bad(name, _LIST, "a SparseTensor", where)
    if not isinstance(value, tf.RaggedTensor):
        value = tf.convert_to_tensor(value)
    shape = value.shape
    if shape.rank == 2:
        return value
    if shape.rank == 1:
        return tf.expand_dims(value, 1)
    if shape.rank is not None:
        raise _bad(name, _LIST, f"shape {tuple(shape)}", where)
    sizes = tf.shape(value)
    axes = tf.size(sizes)
    value = after(
        value, (axes == 1) | (axes == 2), _message(name, _LIST, "another shape", where), sizes
    )
    value = tf.reshape(value, tf.concat([sizes, tf.ones([tf.maximum(2 - axes, 0)], tf.int32)], 0))
    return tf.ensure_shape(value, [None, None])


def check_same_rows(columns: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns columns that all have as many rows; one row is not taken for all.

    Args:
        columns: Tensors by name, the batch first.
        where: The model, for the message.

    Raises:
        ValueError: two have different numbers of rows; in a graph that does not know them an
            `InvalidArgumentError` when it runs.
    """
    rule = "must have the same number of rows"
    known = {name: value.shape[0] for name, value in columns.items()}
    sizes = {size for size in known.values() if size is not None}
    if len(sizes) > 1:
        raise ValueError(explain("All columns", rule=rule, received=str(known), where=where))
    if len(columns) < 2 or None not in known.values():
        return dict(columns)
    rows = tf.stack([_rows(value) for value in columns.values()])
    message = explain(
        "All columns", rule=rule, received=f"other numbers for {', '.join(columns)}", where=where
    )
    with _check(tf.reduce_all(rows == rows[0]), message, rows):
        return {name: _same(value) for name, value in columns.items()}


def with_values_per_row(
    inputs: Mapping[str, Any], names: Iterable[str | None], where: str
) -> dict[str, Any]:
    """Returns inputs of which some have a value per row, `(batch,)`, and as many rows.

    Args:
        inputs: Tensors or arrays by name.
        names: Those of them, as far as they are there.
        where: The layer, for messages.
    """
    own = [name for name in names if name is not None and name in inputs]
    columns = {name: value_per_row(inputs[name], name, where) for name in own}
    return {**inputs, **check_same_rows(columns, where)}


def after(value: tf.Tensor, holds: tf.Tensor, message: str, *shown: tf.Tensor) -> tf.Tensor:
    """Returns a tensor that exists only where a condition holds: else the op fails first.

    Args:
        value: The tensor.
        holds: Scalar bool.
        message: What the error says.
        *shown: Tensors shown behind it.
    """
    with _check(holds, message, *shown):
        return tf.identity(value)


def _check(holds: tf.Tensor, message: str, *shown: tf.Tensor) -> Any:
    if tf.executing_eagerly():
        if not bool(holds):
            raise ValueError(message)
        return tf.control_dependencies([])
    return tf.control_dependencies([tf.debugging.Assert(holds, [message, *shown], summarize=9)])


def _rows(value: Any) -> tf.Tensor:
    if isinstance(value, tf.RaggedTensor):
        return tf.cast(value.nrows(), tf.int32)
    return tf.shape(value)[0]


def _same(value: Any) -> Any:
    if isinstance(value, tf.RaggedTensor):
        return value.with_flat_values(tf.identity(value.flat_values))
    return tf.identity(value)


def _message(name: str, rule: str, received: str, where: str) -> str:
    return explain(f"Column '{name}'", rule=rule, received=received, where=where)


def _bad(name: str, rule: str, received: str, where: str) -> ValueError:
    return ValueError(_message(name, rule, received, where))
