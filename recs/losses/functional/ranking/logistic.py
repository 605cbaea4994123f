"""The logistic function's kin, in as few passes over the items as they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops


def softplus(x: Any) -> Any:
    """Returns `log(1 + exp(x))`, finite for any x; exact to 1e-7 where it is near 0."""
    # A function of two numbers between any of one: TensorFlow makes `log1p` of `log(1 + e)`, and
    # one operation of several functions of one number, both of which go an item at a time.
    powers = ops.exp(ops.minimum(x, -x))
    return ops.maximum(x, 0.0) + ops.log(ops.maximum(1.0 + powers, 1.0))


@ops.custom_gradient
def binary_crossentropy(labels: Any, scores: Any) -> tuple[Any, Callable[..., Any]]:
    """Returns `log(1 + exp(s)) - s * y`, the cross entropy of `sigmoid(s)` with y.

    Args:
        labels: Any shape.
        scores: The same.
    """

    def gradient(*upstream: Any) -> tuple[Any, Any]:
        each = upstream[-1]
        return -each * scores, each * (ops.sigmoid(scores) - labels)

    return softplus(scores) - scores * labels, gradient
