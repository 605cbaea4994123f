"""Bounds of rounding errors, so that tolerances follow from the arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np


def sum_error(terms: int, size: Any, dtype: Any = "float32") -> Any:
    """Returns how far a sum of products is from the exact one, in any order, fused or not.

    That is `n u / (1 - n u) * size` with `n` terms and the unit roundoff `u` of the dtype.

    Args:
        terms: The number of products that are summed.
        size: The sum of the absolute values of the products.
        dtype: In which products and sums are rounded.
    """
    rounded = terms * np.finfo(dtype).eps / 2
    return rounded / (1 - rounded) * np.asarray(size, "float64")


def dense_error(x: Any, kernel: Any, bias: Any, of_input: Any = 0.0) -> Any:
    """Returns how far the output of a dense layer is from the exact one.

    An activation whose slope is at most 1 adds the rounding of its own result: of `tanh`, which is
    below 1, a few units, which are counted as further terms.

    Args:
        x: `(rows, inputs)`.
        kernel: `(inputs, units)`.
        bias: `(units,)`.
        of_input: How far `x` is from the exact input, `(rows, inputs)` or a number.
    """
    x, kernel, bias = (np.abs(np.asarray(v, "float64")) for v in (x, kernel, bias))
    # The bias is a term, and a few more are for the activation.
    own = sum_error(len(kernel) + 4, x @ kernel + bias)
    return own + np.broadcast_to(of_input, x.shape) @ kernel
