"""Runs a layer over columns in batches, as inference."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.as_array import as_array, is_text
from recs.errors import explain
from recs.layers.categories import as_text
from recs.layers.row_shapes import check_same_rows

# Rows encoded at once: enough to keep the cores busy, and no more memory than that needs.
BATCH = 8192


def in_batches(
    layer: Any,
    columns: Mapping[str, Any],
    names: Sequence[str],
    batch_size: int = BATCH,
    call: Callable[[dict[str, tf.Tensor]], Any] | None = None,
) -> np.ndarray:
    """Returns what a layer makes of columns, as one float32 array.

    Args:
        layer: takes a dict of columns.
        columns: lists, arrays, tensors or columns of lists, of equal length.
        names: the columns to hand on, as far as they are there.
        batch_size: rows at once.
        call: a method of the layer that takes a batch. Defaults to `None`: the layer's call as
            inference.
    """
    where = f"{type(layer).__name__} '{layer.name}'"
    tensors = {name: _tensor(columns[name], name, where) for name in names if name in columns}
    tensors = check_same_rows(tensors, where)
    rows = int(tensors[names[0]].shape[0]) if names[0] in tensors else 0
    # One batch at least, so that no rows give an empty array of the right width.
    starts = range(0, max(rows, 1), batch_size)
    parts = []
    call = call or functools.partial(layer, training=False)
    for start in starts:
        batch = {name: tensor[start : start + batch_size] for name, tensor in tensors.items()}
        parts.append(keras.ops.convert_to_numpy(call(batch)).astype(np.float32))
    return np.concatenate(parts)


def as_ids(ids: Any, id_dtype: str | None = None) -> np.ndarray:
    """Returns ids as integers or an object array of `str`.

    Args:
        ids: A list or array of them.
        id_dtype: What no ids are, `"string"` or `"int64"`. Defaults to `None`: as they come.

    Raises:
        ValueError: the array is of objects some of which are not text.
    """
    array = as_array(ids)
    if array.dtype == object and not is_text(array):
        kinds = sorted({type(one).__name__ for one in array.ravel().tolist()})
        raise ValueError(
            explain(
                "Ids and categories",
                rule="must be all strings, or all integers",
                received=" and ".join(kinds),
                where="recs.models",
                remedy='Write the others as strings too, and "" for a category that is missing.',
            )
        )
    if id_dtype is not None and not array.size:
        return array.astype(object if id_dtype == "string" else np.int64)
    return array.astype(object) if array.dtype.kind in "US" else array


def as_users(users: Any, id_dtype: str, where: str) -> np.ndarray:
    """Returns the ids of users, `(users,)`.

    Args:
        users: A list or array of ids, `(users,)` or `(users, 1)`.
        id_dtype: `"string"` or `"int64"`.
        where: The model, for the message.

    Raises:
        ValueError: they are a single id, or have another shape.
    """
    ids = as_ids(users, id_dtype)
    if ids.ndim == 2 and ids.shape[1] == 1:
        ids = ids[:, 0]
    if ids.ndim == 1:
        return ids
    raise ValueError(
        explain(
            "`users`",
            rule="must be a list of ids",
            received=repr(users) if ids.ndim == 0 else f"shape {ids.shape}",
            where=where,
            remedy=f"Write `recommend([{users!r}])`." if ids.ndim == 0 else "",
        )
    )


def _tensor(column: Any, name: str, where: str) -> Any:
    if isinstance(column, tf.RaggedTensor | tf.Tensor):
        return column
    if hasattr(column, "to_tensor"):
        return column.to_tensor()  # A column of lists.
    array = as_ids(column)
    if array.dtype.kind in "mM":
        return as_text(array, name, where)  # which refuses times
    return tf.constant(array, tf.string if array.dtype == object else None)
