"""Handles scores that are not finite, and counts them."""

from __future__ import annotations

from typing import Any

import numpy as np

from recs.errors import explain


class Figures(dict[str, float]):
    """Figures by name, and how many of the scores behind them were not finite.

    A dict in all else.

    Attributes:
        nonfinite_scores: int. How many scores were NaN or infinite; those of masked items are not
            counted.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.evaluation import per_domain
    >>> scores = np.array([0.9, 0.2, 0.1])
    >>> per_domain(np.array([1, 0, 0]), scores, np.array(["a"] * 3))["a"].nonfinite_scores
    0

    ```
    """

    nonfinite_scores: int = 0


def same_length(where: str, **columns: Any) -> list[np.ndarray]:
    """Returns the columns as arrays; raises unless they are all `(rows,)`.

    Args:
        where: Who asks, for error messages.
        **columns: What to check, by the name of the argument.
    """
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise ValueError(
            explain(
                " and ".join(f"`{name}`" for name in arrays),
                rule="must be `(rows,)`, of one length",
                received=", ".join(f"{name} {array.shape}" for name, array in arrays.items()),
                where=where,
            )
        )
    return list(arrays.values())


def finite_or_lowest(scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns scores with the lowest finite number in place of NaN and infinity, and their count.

    Args:
        scores: Any shape; numbers that are no floats are returned as float64.
    """
    scores = np.asarray(scores)
    if scores.dtype.kind == "f":
        lowest = np.finfo(scores.dtype).min
    else:
        # bfloat16 has no kind of its own in NumPy; all its numbers are float32's too.
        wide = np.float32 if scores.dtype.name == "bfloat16" else np.float64
        scores = scores.astype(wide)
        lowest = np.finfo(wide).min if wide is np.float64 else np.float32(-3.3895314e38)
    finite = np.isfinite(scores)
    count = scores.size - int(finite.sum())
    return (np.where(finite, scores, lowest) if count else scores), count
