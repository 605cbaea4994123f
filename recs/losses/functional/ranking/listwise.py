"""Losses of whole lists: softmax and its kin, and the likelihood of an order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops

from recs.losses.functional.ranking import order
from recs.losses.functional.ranking.gains import absolute, pow_minus_1
from recs.losses.functional.ranking.logistic import binary_crossentropy

# TF-Ranking's score of padding, which leaks into its sums, and the floor of its logarithms.
EPSILON = 1e-10
LOG_EPSILON = math.log(EPSILON)
# No score of a list counts as further below the largest: e^-650 is near the end of float64.
FURTHEST = 650.0
# No softmax in float32 notices it, and no sum overflows with it.
LOWEST = -1e30


def padded(scores: Any, valid: Any, value: float) -> Any:
    """Returns the scores with `value` in invalid places."""
    return ops.where(valid, scores, ops.full_like(scores, value))


def softmax(labels: Any, scores: Any, valid: Any, tfr_compatible: bool = False) -> Any:
    """Returns the cross entropy of labels and the softmax of the scores, `(batch,)`.

    `-sum_i y_i * log softmax(s)_i`.

    Args:
        labels: `(batch, list)`, weights multiplied in.
        scores: `(batch, list)`.
        valid: `(batch, list)`.
        tfr_compatible: Keeps padding in the softmax, with score `log(1e-10)`.
    """
    logits = padded(scores, valid, LOG_EPSILON if tfr_compatible else LOWEST)

    # With its own gradient: TensorFlow's operation takes each exponential twice.
    @ops.custom_gradient
    def run(labels: Any, logits: Any) -> tuple[Any, Callable[..., Any]]:
        # With an initial value, since a list may be empty.
        top = ops.max(logits, axis=1, keepdims=True, initial=LOWEST)
        scores = logits - top
        powers = ops.exp(scores)
        powers_sum, total = ops.sum(powers, axis=1), ops.sum(labels, axis=1)
        log_sum = ops.log(powers_sum)

        def gradient(*upstream: Any) -> tuple[Any, Any]:
            each = upstream[-1]
            of_labels = each[:, None] * (log_sum[:, None] - scores)
            slopes = (each * total / powers_sum)[:, None] * powers
            return of_labels, slopes - each[:, None] * labels

        return total * log_sum - ops.sum(labels * scores, axis=1), gradient

    return run(labels, logits)


def exponentials(scores: Any, valid: Any) -> tuple[Any, Any]:
    """Returns `exp(s)`, 0 for what is invalid, and the scores, both in float64.

    Both are taken from the largest score of the list, which cancels where the logarithm of a sum
    and a score are subtracted. In float64, so that sums of scores far apart do not vanish.
    """
    # With an initial value, since a batch may be empty.
    top = ops.max(padded(scores, valid, LOWEST), axis=-1, keepdims=True, initial=LOWEST)
    scores = ops.cast(scores - ops.stop_gradient(top), "float64")
    # Nothing that is valid is above 0; what is not must stay finite too.
    scores = ops.clip(scores, -FURTHEST, 0.0)
    return ops.where(valid, ops.exp(scores), ops.zeros_like(scores)), scores


def suffix_sums(each: Any) -> Any:
    """Returns `sum_{m >= k}` along the last axis."""
    return ops.flip(ops.cumsum(ops.flip(each, axis=-1), axis=-1), axis=-1)


def by_label(labels: Any, scores: Any, valid: Any) -> tuple[Any, Any, Any]:
    """Returns labels, scores and validity in the order of the labels, the invalid last."""
    keys, sorting = ops.top_k(
        ops.stop_gradient(padded(labels, valid, LOWEST)), k=ops.shape(labels)[1]
    )
    valid = keys > 0.5 * LOWEST
    return ops.where(valid, keys, 0.0), order.take(scores, sorting), valid


def group_bounds(labels: Any, valid: Any) -> tuple[Any, Any]:
    """Returns where the group of equal labels begins and where the next begins, int32.

    Args:
        labels: `(batch, list)`, descending, the invalid last.
        valid: `(batch, list)`.
    """
    keys = -padded(labels, valid, LOWEST)
    return tf.searchsorted(keys, keys, side="left"), tf.searchsorted(keys, keys, side="right")


def at_bounds(x: Any, bounds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns `x` at several places of each item, with one gather."""
    found = order.take(x, ops.concatenate(bounds, axis=1))
    return tuple(ops.split(found, len(bounds), axis=1))


def unique_softmax(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns `sum_i (2^y_i - 1) * (log(e^s_i + sum_{y_j < y_i} e^s_j) - s_i)`, `(batch,)`.

    By sorting, in `n log n`; TF-Ranking compares all pairs.
    """
    labels, scores, valid = by_label(labels, scores, valid)
    powers, scores = exponentials(scores, valid)
    _, end = group_bounds(labels, valid)
    lower = order.take(ops.pad(suffix_sums(powers), ((0, 0), (0, 1))), end)
    each = ops.log(ops.exp(scores) + lower) - scores
    of_labels = absolute(pow_minus_1, "UniqueSoftmaxLoss")
    gains = ops.where(valid, of_labels(labels), ops.zeros_like(labels))
    return ops.sum(gains * ops.cast(each, "float32"), axis=1)


def _efron(labels: Any, scores: Any, valid: Any, discount: Any) -> Any:
    """Returns the loss of sorted lists; see `list_mle`.

    With its own gradient, of prefix sums, since the gradient of a gather is slow: `e^s_i` counts in
    the sums of all places above its group in full, and in those of its group in the part that is
    still there.
    """
    start, end = group_bounds(labels, valid)
    place = ops.arange(ops.shape(labels)[1], dtype="int32")[None]
    gone = ops.cast(place - start, "float64") / ops.cast(end - start, "float64")
    ones = ops.cast(valid, "float64")
    places = ones * _places(ones, discount)
    own = places
    if discount is not None:
        # A score may stand at any place of its group: its discount is their mean.
        before = ops.pad(ops.cumsum(places, axis=1), ((0, 0), (1, 0)))
        until_start, until_end = at_bounds(before, (start, end))
        own = ones * (until_end - until_start) / ops.cast(end - start, "float64")

    @ops.custom_gradient
    def run(scores: Any) -> tuple[Any, Callable[..., Any]]:
        powers, scores = exponentials(scores, valid)
        from_start, from_end = at_bounds(
            ops.pad(suffix_sums(powers), ((0, 0), (0, 1))), (start, end)
        )
        remaining = ops.where(valid, (1.0 - gone) * from_start + gone * from_end, 1.0)
        found = ops.sum(ops.log(remaining) * places - scores * own, axis=1)

        def gradient(*upstream: Any) -> Any:
            # In full until the group begins: its part that is gone until there, and of all that
            # was still there until the group ends.
            each = places / remaining
            was_gone = ops.pad(ops.cumsum(each * gone, axis=1), ((0, 0), (1, 0)))
            was_there = ops.pad(ops.cumsum(each * (1.0 - gone), axis=1), ((0, 0), (1, 0)))
            counts = order.take(was_gone, start) + order.take(was_there, end)
            slopes = powers * counts - own
            return upstream[-1][:, None] * ops.cast(slopes, "float32")

        return ops.cast(found, "float32"), gradient

    return run(scores)


def list_mle(
    labels: Any, scores: Any, valid: Any, discount: Any = None, tfr_compatible: bool = False
) -> Any:
    """Returns minus the log-likelihood of the order of the labels, `(batch,)`.

    `sum_k D(k) * (log sum_{m >= k} e^s_m - s_k)` over the places k of the sorted list.

    Args:
        labels: `(batch, list)`.
        scores: `(batch, list)`.
        valid: `(batch, list)`.
        discount: D, a function of places from 1; None for 1.
        tfr_compatible: Keeps padding at the end of the order, with score `log(1e-10)`, and orders
            equal labels by place. Else padding is left out, and for equal labels the sum that
            remains after k of their n is replaced by its mean over all orders, which is Efron's
            way: with G the sum over the group and R that below it, `R + G * (n - k) / n`.
    """
    labels, scores, valid = by_label(labels, scores, valid)
    if tfr_compatible:
        scores, valid = padded(scores, valid, LOG_EPSILON), ops.ones_like(valid)
        powers, scores = exponentials(scores, valid)
        each = (ops.log(suffix_sums(powers)) - scores) * _places(scores, discount)
        return ops.cast(ops.sum(each, axis=1), "float32")
    return _efron(labels, scores, valid, discount)


def _places(like: Any, discount: Any) -> Any:
    """Returns the discount of each place of a sorted list, in float64."""
    if discount is None:
        return ops.ones_like(like)
    place = ops.arange(1, ops.shape(like)[1] + 1, dtype="float32")[None]
    return ops.zeros_like(like) + ops.cast(discount(place), "float64")


def coupled_rank_distil(
    labels: Any,
    scores: Any,
    valid: Any,
    noise: Any,
    topk: int | None = None,
    tfr_compatible: bool = False,
) -> Any:
    """Returns minus the log-likelihood of the teacher's sampled orders, `(batch,)`.

    Args:
        labels: `(batch, list)`, the teacher's scores.
        scores: `(batch, list)`, the student's.
        valid: `(batch, list)`.
        noise: `(batch, samples, list)` from a Gumbel distribution: each sample orders the items by
            label plus noise. The mean over samples is returned.
        topk: How many places count; None for all.
        tfr_compatible: As in `list_mle`. There the samples are ordered after a floor of 1e-10 on
            their softmax, which ties the least likely items.
    """
    samples, size = ops.shape(noise)[1], ops.shape(labels)[1]
    keys = padded(labels, valid, LOG_EPSILON)[:, None] + noise
    if tfr_compatible:
        keys = ops.log(ops.softmax(keys, axis=-1) + EPSILON)
        present = ops.ones_like(keys, dtype="bool")
        scores, valid = padded(scores, valid, LOG_EPSILON), ops.ones_like(valid)
    else:
        present = ops.logical_and(ops.ones_like(keys, dtype="bool"), valid[:, None])
    sorting = order.descending(
        ops.reshape(keys, (-1, size)), ops.reshape(present, (-1, size))
    )  # (batch * samples, list)
    repeated = ops.reshape(ops.zeros_like(noise) + scores[:, None], (-1, size))
    scores = order.take(repeated, sorting)
    valid = order.take(ops.reshape(present, (-1, size)), sorting)
    powers, scores = exponentials(scores, valid)
    sums = suffix_sums(powers)
    place = ops.arange(size, dtype="float32")[None]
    if tfr_compatible:
        # The places already taken stay in the sum, with score log(1e-10).
        top = ops.stop_gradient(ops.max(repeated, axis=1, keepdims=True, initial=LOWEST))
        sums = sums + ops.cast(place * EPSILON * ops.exp(-top), "float64")
    each = ops.log(ops.where(valid, sums, ops.ones_like(sums))) - scores
    counts = valid if topk is None else ops.logical_and(valid, place < topk)
    each = ops.where(counts, each, ops.zeros_like(each))
    total = ops.reshape(ops.sum(each, axis=1), (-1, samples))
    return ops.cast(ops.mean(total, axis=1), "float32")


def mixture_em(labels: Any, scores: Any, valid: Any, alpha: float) -> Any:
    """Returns `sum_m p_m * l_m` with `p_m` the share of model m, `(batch,)`.

    `l_m` is the cross entropy of model m over the list, `p` is proportional to
    `exp(-alpha * l_m)` and has no gradient.

    Args:
        labels: `(batch, list)`.
        scores: `(batch, list, models)`.
        valid: `(batch, list)`.
        alpha: How sharply models are told apart.
    """
    # Model by model: along a short last axis everything is slow.
    of_models = ops.stack(
        [
            ops.sum(ops.where(valid, each, ops.zeros_like(each)), axis=1)
            for each in (
                binary_crossentropy(labels, padded(of_model, valid, 0.0))
                for of_model in ops.unstack(scores, axis=-1)
            )
        ],
        axis=-1,
    )
    shares = ops.stop_gradient(ops.softmax(-alpha * of_models, axis=-1))
    return ops.sum(shares * of_models, axis=-1)
