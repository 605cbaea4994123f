"""Functions of labels and of ranks: gains, discounts and what counts as relevant."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from recs.losses.functional.ranking.lists import divide_no_nan


@keras.saving.register_keras_serializable("recs")
def identity(label: Any) -> Any:
    """Returns the label."""
    return label


@keras.saving.register_keras_serializable("recs")
def inverse(rank: Any) -> Any:
    """Returns `1 / rank`, 0 at rank 0."""
    return divide_no_nan(ops.ones_like(rank), rank)


@keras.saving.register_keras_serializable("recs")
def pow_minus_1(label: Any) -> Any:
    """Returns `2^label - 1`."""
    # Twice as fast as a power.
    return ops.expm1(label * math.log(2.0))


@keras.saving.register_keras_serializable("recs")
def log2_inverse(rank: Any) -> Any:
    """Returns `1 / log2(1 + rank)`, 0 at rank 0."""
    return divide_no_nan(ops.full_like(rank, math.log(2.0)), ops.log1p(rank))


@keras.saving.register_keras_serializable("recs")
def is_greater_equal_1(label: Any) -> Any:
    """Returns `label >= 1`."""
    return label >= 1.0


@keras.saving.register_keras_serializable("recs")
def symmetric_log1p(x: Any) -> Any:
    """Returns `sign(x) * log(1 + |x|)`, which tames features of any size and sign."""
    return ops.sign(x) * ops.log1p(ops.abs(x))


def inverse_max_dcg(
    labels: Any,
    valid: Any,
    gain: Any,
    discount: Any,
    topn: int | None = None,
    tfr_compatible: bool = False,
) -> Any:
    """Returns one over the DCG of the best order, `(batch, 1)`, 0 where that is 0.

    Args:
        labels: `(batch, list)`.
        valid: `(batch, list)`.
        gain: Function of labels.
        discount: Function of ranks.
        topn: How many ranks count; None for all.
        tfr_compatible: Orders by label, not by gain, and gives padding the gain of label 0.
    """
    if tfr_compatible:
        best = gain(-ops.sort(-labels, axis=1))
    else:
        gains = ops.where(valid, gain(labels), ops.zeros_like(labels))
        best = -ops.sort(-gains, axis=1)
    place = ops.arange(1, ops.shape(labels)[1] + 1, dtype="float32")[None]
    counted = best * discount(place)
    if topn is not None:
        counted = ops.where(place <= topn, counted, ops.zeros_like(counted))
    total = ops.sum(counted, axis=1, keepdims=True)
    return ops.where(total > 0, divide_no_nan(ops.ones_like(total), total), ops.zeros_like(total))
