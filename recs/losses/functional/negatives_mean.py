"""The mean over a row's negatives."""

from __future__ import annotations

from typing import Any

from keras import ops

from recs.losses.functional import in_batch


def negatives_mean(values: Any, mask: Any, log_probability: Any) -> Any:
    """Returns the mean of each row's values over its negatives, `(rows,)`; 0 of none.

    With probabilities `q` it estimates the mean over the whole catalogue, `sum_j v_j / q_j` over
    `sum_j 1 / q_j`: a negative that comes twice as often counts half.

    Args:
        values: `(rows, candidates)`, finite where they are masked too.
        mask: bool `(rows, candidates)`, or None.
        log_probability: `(rows, candidates)`, or None.
    """
    dtype = values.dtype
    weight = ops.ones_like(values) if mask is None else ops.cast(mask, dtype)
    if log_probability is not None:
        low = ops.cast(in_batch.large_negative(str(dtype)), dtype)
        rarity = -ops.cast(log_probability, dtype)
        kept = rarity if mask is None else ops.where(mask, rarity, low)
        # The rarest counts 1: a weight has to fit a float.
        rarest = ops.max(kept, axis=1, keepdims=True, initial=low)
        weight = weight * ops.exp(ops.minimum(rarity - rarest, 0.0))
    total = ops.sum(weight, axis=1)
    return ops.sum(values * weight, axis=1) / ops.where(total > 0, total, ops.ones_like(total))
