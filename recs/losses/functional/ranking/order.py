"""Orders, ranks and permutations of lists."""

from __future__ import annotations

from typing import Any

from keras import ops


def descending(keys: Any, valid: Any) -> Any:
    """Returns the order of `keys` from large to small, int `(batch, list)`; invalid items last.

    Equal keys keep their places.
    """
    return ops.argsort(ops.where(valid, -keys, ops.full_like(keys, float("inf"))), axis=1)


def take(x: Any, order: Any) -> Any:
    """Returns `x[b, order[b, i]]` for `x` of shape `(batch, list, ...)`.

    One flat gather: several times as fast as a gather with batch dimensions.
    """
    shape = ops.shape(x)
    rows = ops.arange(shape[0], dtype=order.dtype) * ops.cast(shape[1], order.dtype)
    flat = ops.reshape(x, (-1, *x.shape[2:]))
    return ops.take(flat, order + rows[:, None], axis=0)


def inverse(order: Any) -> Any:
    """Returns the permutation that undoes `order`: the place, from 0, of each item."""
    return ops.argsort(order, axis=1)


def by_score(scores: Any, valid: Any, labels: Any = None) -> Any:
    """Returns the order from the highest score to the lowest, invalid items last.

    Args:
        scores: `(batch, list)`.
        valid: `(batch, list)`.
        labels: `(batch, list)`. Of items with equal scores the one with the lower label comes
            first, so that the result does not depend on the order of the input, and a model that
            scores all alike gets the worst order and not the one of the data. None keeps ties in
            the order of the input.
    """
    if labels is None:
        return descending(scores, valid)
    first = ops.argsort(labels, axis=1)
    second = descending(take(scores, first), take(valid, first))
    return take(first, second)


def ranks(scores: Any, valid: Any, labels: Any = None) -> Any:
    """Returns the ranks of the scores, float32 from 1; `labels` as in `by_score`."""
    return ops.cast(inverse(by_score(scores, valid, labels)) + 1, "float32")
