"""Weights that undo a bias in what was seen."""

from __future__ import annotations

from typing import Any

from keras import ops

from recs.errors import explain


def inverse_propensity_weights(propensity: Any, smallest: float = 0.01) -> Any:
    """Returns `1 / max(propensity, smallest)`, to pass as `sample_weight` to a ranking loss.

    Clicks at the top of a list are seen more often than those below. Weighed by one over the chance
    that an item was looked at, a loss of clicks is in expectation the loss of relevance.

    Args:
        propensity: `(batch, list)`, the chance that the item was looked at; `(batch, 1)` for lists.
            In places of padding anything.
        smallest: float above 0, at most 1. Smaller chances count as this one: it bounds the weights
            and so their variance, at the price of bias. Defaults to `0.01`.

    Shapes: float32 of the shape of `propensity`.

    Raises:
        ValueError: when `smallest` is not above 0 and at most 1.

    Example:
    ```python
    >>> from recs.losses import SoftmaxLoss, inverse_propensity_weights
    >>> weights = inverse_propensity_weights([[1.0, 0.5, 0.25]])
    >>> round(float(SoftmaxLoss()([[0.0, 0.0, 1.0]], [[0.6, 0.8, 0.4]], weights)), 6)
    5.247606

    ```

    Reference: Joachims et al., "Unbiased Learning-to-Rank with Biased Feedback", 2017.
    """
    if not 0.0 < smallest <= 1.0:
        raise ValueError(
            explain(
                "`smallest`",
                rule="must be above 0 and at most 1",
                received=f"smallest={smallest!r}",
                where="inverse_propensity_weights",
            )
        )
    propensity = ops.cast(ops.convert_to_tensor(propensity), "float32")
    return 1.0 / ops.maximum(propensity, smallest)
