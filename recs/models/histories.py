"""Histories as users give them, as a column of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from recs.data.columns import Lists
from recs.data.ragged_column import RaggedColumn


def as_column(histories: Any, name: str, id_dtype: str) -> Any:
    """Returns histories as a column of lists, or as the ragged tensor they are.

    Args:
        histories: lists of ids, a column of lists, a `tf.RaggedTensor`, or a dict with one.
        name: their name in a dict.
        id_dtype: `"string"` or `"int64"`; it says what ids are where there are none.
    """
    if isinstance(histories, Mapping):
        histories = histories[name]
    if isinstance(histories, Lists | tf.RaggedTensor):
        return histories
    column = RaggedColumn.from_lists(histories)
    dtype = object if id_dtype == "string" else np.int64
    return RaggedColumn(column.values.astype(dtype), column.row_splits)


def seen_and(
    column: Any, exclude: Sequence[Sequence[Any]] | None
) -> Sequence[Sequence[Any]] | None:
    """Returns for each history its own ids and those of `exclude`, if this has as many rows."""
    seen = [[_text(one) for one in row] for row in column.to_list()]
    if exclude is None:
        return seen
    if len(exclude) != len(seen):
        return exclude  # It is refused where it is used.
    return [[*own, *others] for own, others in zip(seen, exclude, strict=True)]


def _text(one: Any) -> Any:
    return one.decode() if isinstance(one, bytes) else one


def next_items(histories: tf.RaggedTensor, items: tf.Tensor) -> tf.Tensor:
    """Returns for every id of the histories the one that follows it, the last followed by `items`.

    Shapes: `(batch, None)` and `(batch,)` -> `(ids of all histories,)`.
    """
    followed = tf.concat([histories, tf.cast(items, histories.dtype)[:, None]], axis=1)
    return followed[:, 1:].flat_values
