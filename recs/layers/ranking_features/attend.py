"""Sequences weighted by how much their vectors are like a query's."""

from __future__ import annotations

from typing import Any

from keras import ops


def attend(vectors: Any, mask: Any, query: Any) -> Any:
    """Returns `sum_t softmax_t(q . v_t / sqrt(dim)) v_t`; zeros where a sequence is empty.

    Args:
        vectors: `(..., time, dim)`.
        mask: `(..., time)` bool.
        query: `(..., n, dim)`.

    Returns:
        `(..., n, dim)`.
    """
    scale = float(vectors.shape[-1]) ** -0.5
    scores = ops.matmul(query, ops.swapaxes(vectors, -1, -2)) * scale
    there = ops.expand_dims(mask, -2)
    # Half precision would overflow in exp, and the smallest number is not the same everywhere.
    scores = ops.where(there, ops.cast(scores, "float32"), -1e30)
    scores = scores - ops.max(scores, axis=-1, keepdims=True, initial=-1e30)
    weights = ops.where(there, ops.exp(scores), 0.0)
    total = ops.sum(weights, axis=-1, keepdims=True)
    weights = weights / ops.where(total > 0, total, 1.0)
    return ops.matmul(ops.cast(weights, vectors.dtype), vectors)
