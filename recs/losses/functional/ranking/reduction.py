"""From losses of lists or items to one number."""

from __future__ import annotations

from typing import Any

from keras import ops


def reduced(total: Any, count: Any, weight: Any, reduction: str | None) -> Any:
    """Returns the sum, or the sum over a count, as Keras's reductions have it.

    Args:
        total: Scalar, the weighted sum.
        count: Scalar, how many lists or items it is of.
        weight: Scalar, the sum of their weights.
        reduction: `"sum"`, `"sum_over_batch_size"`, `"mean"` or `"mean_with_sample_weight"`.
    """
    if reduction == "sum":
        return total
    by = weight if reduction == "mean_with_sample_weight" else count
    # Of nothing the mean is 0, and so is its gradient.
    return ops.divide_no_nan(total, ops.maximum(by, 0.0))
