"""Scales a tensor until each element is within a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from recs.errors import explain


def shrink_by_references(
    tensor: Any,
    references: Sequence[Any],
    relative_factors: Sequence[float],
    absolute_factor: float,
) -> tuple[Any, Any]:
    """Scales a tensor so that no element is larger than a bound made of references.

    The scale `s` is the largest number up to 1 with, for every element `i`,

        s |tensor_i| <= sum_j relative_factor_j |reference_ji| + absolute_factor

    Args:
        tensor: float tensor of any shape.
        references: float tensors that can be broadcast to it.
        relative_factors: A number of at least 0 per reference.
        absolute_factor: float, at least 0. With 0, an element whose references are all 0 makes the
            scale 0.

    Shapes: a tensor of any shape -> `(scaled, scale)`, of the same shape and a scalar. Elements
        that are 0 need no scaling; the scale of an empty tensor is 1.

    Raises:
        ValueError: a factor is negative, or there are not as many factors as references.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.experimental.optimizers.shrink_by_references import shrink_by_references
    >>> step, weight = np.array([1.0, 0.1]), np.array([2.0, 2.0])
    >>> scaled, scale = shrink_by_references(step, [weight], [0.25], 0.0)
    >>> np.asarray(scaled).tolist(), float(scale)
    ([0.5, 0.05], 0.5)

    ```

    Reference: `tfrs.experimental.optimizers.clippy_adagrad.shrink_by_references`.
    """
    factors = [*relative_factors, absolute_factor]
    if len(references) != len(relative_factors) or not all(factor >= 0 for factor in factors):
        raise ValueError(
            explain(
                "`relative_factors` and `absolute_factor`",
                rule="must be at least 0, with one relative factor per reference",
                received=f"{factors} for {len(references)} references",
                where="shrink_by_references",
            )
        )
    bound = absolute_factor
    for reference, factor in zip(references, relative_factors, strict=True):
        bound = bound + ops.abs(reference) * factor
    size = ops.abs(tensor)
    zero = ops.equal(size, 0)
    allowed = ops.where(zero, 1.0, bound / ops.where(zero, ops.ones_like(size), size))
    scale = ops.min(allowed, initial=1.0)
    return tensor * scale, scale
