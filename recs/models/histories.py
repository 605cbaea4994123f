"""Converts histories to a column of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from recs.as_array import is_text
from recs.data.columns import Lists
from recs.data.ragged_column import RaggedColumn
from recs.errors import explain


def as_column(histories: Any, name: str, id_dtype: str, where: str) -> Any:
    """Returns histories as a column of lists, or as the ragged tensor they are.

    Args:
        histories: lists of ids, a column of lists, a `tf.RaggedTensor`, or a dict with one.
        name: their name in a dict.
        id_dtype: `"string"` or `"int64"`; it says what ids are where there are none.
        where: The model, for the message.

    Raises:
        ValueError: the dict has no such column, or the histories are not lists of such ids.
    """
    if isinstance(histories, Mapping):
        if name not in histories:
            rule, received = f"must have the column '{name}'", ", ".join(histories) or "none"
            raise ValueError(explain("`histories`", rule=rule, received=received, where=where))
        histories = histories[name]
    if isinstance(histories, Lists | tf.RaggedTensor):
        return histories
    column = RaggedColumn.from_lists(histories)
    return RaggedColumn(_ids(column.values, id_dtype, where), column.row_splits)


def _ids(values: np.ndarray, id_dtype: str, where: str) -> np.ndarray:
    """Returns ids as integers or an object array of text, if that changes none of them."""
    if not len(values):
        return values.astype(object if id_dtype == "string" else np.int64)
    if id_dtype == "string" and values.dtype == object and is_text(values):
        return values
    if id_dtype == "int64" and values.dtype.kind in "iu" and values.dtype != np.uint64:
        return values.astype(np.int64)
    raise ValueError(
        explain(
            "`histories`",
            rule=f"must hold {'strings' if id_dtype == 'string' else 'integers that fit int64'}, "
            f"as `id_dtype='{id_dtype}'` says",
            received=f"{values[0]!r} of type {type(values[0]).__name__}",
            where=where,
        )
    )


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
