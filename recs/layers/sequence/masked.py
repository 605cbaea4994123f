"""Sequences of which only some positions count: what the layers of this package have in common."""

from __future__ import annotations

from typing import Any

from keras import ops

# Far below every score, and far enough from the end of float32 to be subtracted from.
_NEVER = -1e30


def is_ragged(inputs: Any) -> bool:
    """Returns whether an input is a `tf.RaggedTensor`, or stands for one in a functional model."""
    return hasattr(inputs, "row_lengths") or bool(getattr(inputs, "ragged", False))


def dense_with_mask(inputs: Any, mask: Any | None) -> tuple[Any, Any]:
    """Returns vectors with zeros where there are none, and which positions count.

    Args:
        inputs: `(batch, n, dim)`, or a `tf.RaggedTensor (batch, None, dim)`, whose mask is its own.
        mask: bools `(batch, n)`; false where there is nothing. None: every position counts.
    """
    if is_ragged(inputs):
        lengths = inputs.row_lengths()
        inputs = inputs.to_tensor()
        places = ops.cast(ops.arange(ops.shape(inputs)[1]), lengths.dtype)
        return inputs, places < ops.expand_dims(lengths, 1)
    if mask is None:
        return inputs, ops.ones_like(inputs[..., 0], dtype="bool")
    mask = ops.cast(mask, "bool")
    # What lies in padding may be anything, NaN too, which no weight of zero would take out.
    return ops.where(ops.expand_dims(mask, -1), inputs, ops.zeros_like(inputs)), mask


def from_the_end(mask: Any) -> Any:
    """Returns how many positions that count come after each, int32 `(batch, n)`.

    The newest is 0, wherever padding stands, before, after or between.
    """
    counted = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True) - counted


def masked_softmax(scores: Any, allowed: Any) -> Any:
    """Returns the softmax over the last axis of what is allowed, in float32; all zeros for none.

    Args:
        scores: `(..., n)`.
        allowed: bools that broadcast to the shape of the scores.
    """
    # Not Keras's, which warns of an axis of one, as a history of one item is.
    scores = ops.where(allowed, ops.cast(scores, "float32"), _NEVER)
    largest = ops.max(scores, axis=-1, keepdims=True, initial=_NEVER)
    parts = ops.exp(scores - ops.stop_gradient(largest)) * ops.cast(allowed, "float32")
    # The largest part is 1, so the sum is at least that wherever anything is allowed.
    return parts / ops.maximum(ops.sum(parts, axis=-1, keepdims=True), 1.0)
