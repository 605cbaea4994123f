"""Fills the places behind the items of a list with its items, round and round."""

from __future__ import annotations

from typing import Any

from keras import ops


def circular_indices(mask: Any) -> Any:
    """Returns which item goes where, int32 `(batch, list)`.

    The items of a list come first, in their order, then again from the first on. A list without
    items stays as it is.

    Args:
        mask: bool `(batch, list)`, False where there is no item.
    """
    mask = ops.cast(mask, "int32")
    width = ops.shape(mask)[1]
    places = ops.arange(width, dtype="int32")[None, :]
    count = ops.sum(mask, axis=1, keepdims=True)
    # Items in front, each part in its order: the keys differ, so that sorting keeps it.
    order = ops.cast(ops.argsort(places + width * (1 - mask), axis=1), "int32")
    turns = places % ops.where(count > 0, count, ops.ones_like(count) * ops.maximum(width, 1))
    return ops.take_along_axis(order, turns, axis=1)


def take_items(x: Any, indices: Any) -> Any:
    """Returns `x`, `(batch, list, ...)`, with the items of these indices, `(batch, list)`."""
    shape = (*ops.shape(indices), *([1] * (len(x.shape) - 2)))
    return ops.take_along_axis(x, ops.reshape(indices, shape), axis=1)


def flat(x: Any, axes: int = 2) -> Any:
    """Returns `x` with its first axes made one."""
    shape = ops.shape(x)
    size = shape[0]
    for axis in range(1, axes):
        size = size * shape[axis]
    return ops.reshape(x, (size, *shape[axes:]))
