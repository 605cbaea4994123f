"""Functions of labels and of ranks: gains, discounts and what counts as relevant."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from recs.errors import explain
from recs.losses.functional.ranking.lists import divide_no_nan

# Up to this label `2^label - 1` is computed as it stands, and is 1 more to no float32 above it.
EXACT = 24.0
# The largest label whose gain is taken as it is: 2^27 gains of `2^100` have a sum in float32.
LARGEST = 100.0
# The highest finite number of float32.
HIGHEST = 3.4028235e38


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


def relative(gain: Any) -> Any:
    """Returns a function that gives the gains of lists but for a factor of each list.

    For what divides by the gains of the same list, so that the factor cancels. `2^y - 1` is beyond
    float32 from a label of 128 on; divided by `2^max(top - 24, 0)`, with `top` the list's largest
    label, it is finite for any label, and unchanged where no label is above 24. Other gains are
    returned as they are.

    Args:
        gain: Function of labels.
    """
    return relative_pow_minus_1 if gain is pow_minus_1 else gain


def relative_pow_minus_1(labels: Any) -> Any:
    """Returns `(2^y - 1) / 2^max(top - 24, 0)` with `top` the largest label of each list.

    Args:
        labels: `(batch, list)`, 0 or more.
    """
    # With an initial value, since a list may be empty.
    top = ops.max(labels, axis=1, keepdims=True, initial=EXACT)
    above = ops.clip(labels, EXACT, HIGHEST) - ops.minimum(top, HIGHEST)
    below = ops.exp(above * math.log(2.0))
    return pow_minus_1(ops.minimum(labels, EXACT)) * below


def absolute(gain: Any, where: str) -> Any:
    """Returns the function, which raises for labels whose gain `2^y - 1` is too large for float32.

    An eager call raises ValueError, a graph InvalidArgumentError. Other gains are not checked.

    Args:
        gain: Function of labels.
        where: Who asks, for error messages.
    """
    if gain is not pow_minus_1:
        return gain
    rule = f"must be at most {LARGEST:.0f}, or sums of gains `2^label - 1` are no float32"
    remedy = "Divide the labels, pass another `gain_fn`, or use NDCG, whose gains are relative."

    def checked(labels: Any) -> Any:
        top = ops.max(labels, initial=0.0)
        if tf.executing_eagerly():
            if not float(top) <= LARGEST:
                received = f"a label of {float(top):g}"
                raise ValueError(
                    explain("Labels", rule=rule, received=received, where=where, remedy=remedy)
                )
            return gain(labels)
        received = "a larger one"
        message = explain("Labels", rule=rule, received=received, where=where, remedy=remedy)
        check = tf.debugging.assert_less_equal(top, LARGEST, message=message)
        with tf.control_dependencies([check]):
            return gain(tf.identity(labels))

    return checked


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
