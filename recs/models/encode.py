"""Columns through a layer as inference, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Rows encoded at once: enough to keep the cores busy, and no more memory than that needs.
BATCH = 8192


def in_batches(
    layer: Any, columns: Mapping[str, Any], names: Sequence[str], batch_size: int = BATCH
) -> np.ndarray:
    """Returns what a layer makes of columns, as one float32 array.

    Args:
        layer: takes a dict of columns.
        columns: lists, arrays, tensors or columns of lists, of equal length.
        names: the columns to hand on, as far as they are there.
        batch_size: rows at once.
    """
    tensors = {name: _tensor(columns[name]) for name in names if name in columns}
    rows = int(tensors[names[0]].shape[0]) if names[0] in tensors else 0
    # One batch at least, so that no rows give an empty array of the right width.
    starts = range(0, max(rows, 1), batch_size)
    parts = []
    for start in starts:
        batch = {name: tensor[start : start + batch_size] for name, tensor in tensors.items()}
        parts.append(keras.ops.convert_to_numpy(layer(batch, training=False)).astype(np.float32))
    return np.concatenate(parts)


def as_ids(ids: Any) -> np.ndarray:
    """Returns ids as integers or an object array of `str`."""
    array = np.asarray(ids)
    return array.astype(object) if array.dtype.kind in "US" else array


def _tensor(column: Any) -> Any:
    if isinstance(column, tf.RaggedTensor | tf.Tensor):
        return column
    if hasattr(column, "to_tensor"):
        return column.to_tensor()  # A column of lists.
    array = as_ids(column)
    return tf.constant(array, tf.string if array.dtype == object else None)
