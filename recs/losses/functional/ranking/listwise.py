"""Losses of whole lists: softmax and its kin, and the likelihood of an order."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from recs.losses.functional.ranking import order

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
    lowest = LOG_EPSILON if tfr_compatible else LOWEST
    return -ops.sum(labels * ops.log_softmax(padded(scores, valid, lowest), axis=1), axis=1)


def suffix_sums(scores: Any, valid: Any) -> tuple[Any, Any]:
    """Returns `sum_{m >= k} exp(s_m)` over the valid places and the scores, both in float64.

    Both are taken from the largest score of the list, which cancels where their logarithm and a
    score are subtracted. In float64, so that sums of scores far apart do not vanish.
    """
    # With an initial value, since a batch may be empty.
    top = ops.max(padded(scores, valid, LOWEST), axis=-1, keepdims=True, initial=LOWEST)
    scores = ops.cast(scores - ops.stop_gradient(top), "float64")
    # Nothing that is valid is above 0; what is not must stay finite too.
    scores = ops.clip(scores, -FURTHEST, 0.0)
    each = ops.where(valid, ops.exp(scores), ops.zeros_like(scores))
    return ops.flip(ops.cumsum(ops.flip(each, axis=-1), axis=-1), axis=-1), scores


def groups(labels: Any, valid: Any) -> tuple[Any, Any]:
    """Returns where the group of equal labels begins and where the next begins, in sorted lists.

    Args:
        labels: `(batch, list)`, descending, the invalid last.
        valid: `(batch, list)`.
    """
    size = ops.shape(labels)[1]
    place = ops.zeros_like(labels, dtype="int32") + ops.arange(size, dtype="int32")[None]
    keys = padded(labels, valid, -1.0)
    new = ops.concatenate(
        [ops.ones_like(valid[:, :1]), ops.not_equal(keys[:, 1:], keys[:, :-1])], axis=1
    )
    # The places where groups begin, in order, and the list's size after the last.
    starts = ops.sort(ops.where(new, place, ops.full_like(place, size)), axis=1)
    starts = ops.concatenate([starts, ops.full_like(starts[:, :1], size)], axis=1)
    number = ops.cumsum(ops.cast(new, "int32"), axis=1) - 1
    return order.take(starts, number), order.take(starts, number + 1)


def unique_softmax(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns `sum_i (2^y_i - 1) * (log(e^s_i + sum_{y_j < y_i} e^s_j) - s_i)`, `(batch,)`.

    By sorting, in `n log n`; TF-Ranking compares all pairs.
    """
    sorting = order.descending(labels, valid)
    labels, scores = order.take(labels, sorting), order.take(scores, sorting)
    valid = order.take(valid, sorting)
    sums, scores = suffix_sums(scores, valid)
    beyond = ops.concatenate([sums, ops.zeros_like(sums[:, :1])], axis=1)
    lower = order.take(beyond, groups(labels, valid)[1])
    each = ops.log(ops.exp(scores) + lower) - scores
    gains = ops.where(valid, ops.power(2.0, labels) - 1.0, ops.zeros_like(labels))
    return ops.sum(gains * ops.cast(each, "float32"), axis=1)


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
    sorting = order.descending(labels, valid)
    labels, scores = order.take(labels, sorting), order.take(scores, sorting)
    valid = order.take(valid, sorting)
    if tfr_compatible:
        sums, scores = suffix_sums(padded(scores, valid, LOG_EPSILON), ops.ones_like(valid))
        each = ops.log(sums) - scores
        return ops.cast(ops.sum(each * _places(each, discount), axis=1), "float32")
    sums, scores = suffix_sums(scores, valid)
    start, end = groups(labels, valid)
    beyond = ops.concatenate([sums, ops.zeros_like(sums[:, :1])], axis=1)
    place = ops.arange(ops.shape(labels)[1], dtype="int32")[None]
    # What part of the group is gone at this place.
    part = ops.cast(place - start, "float64") / ops.cast(end - start, "float64")
    remaining = (1.0 - part) * order.take(beyond, start) + part * order.take(beyond, end)
    ones = ops.ones_like(remaining)
    places = ops.where(valid, _places(remaining, discount), ops.zeros_like(remaining))
    terms = ops.log(ops.where(valid, remaining, ones)) * places
    if discount is not None:
        # A score may stand at any place of its group: its discount is their mean.
        total = ops.concatenate([ops.zeros_like(places[:, :1]), ops.cumsum(places, axis=1)], axis=1)
        mean = (order.take(total, end) - order.take(total, start)) / ops.cast(
            end - start, "float64"
        )
        places = ops.where(valid, mean, ops.zeros_like(mean))
    return ops.cast(ops.sum(terms - scores * places, axis=1), "float32")


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
    sums, scores = suffix_sums(scores, valid)
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
    each = binary_crossentropy(labels[..., None], scores)
    of_models = ops.sum(ops.where(valid[..., None], each, ops.zeros_like(each)), axis=1)
    shares = ops.stop_gradient(ops.softmax(-alpha * of_models, axis=-1))
    return ops.sum(shares * of_models, axis=-1)


def binary_crossentropy(labels: Any, scores: Any) -> Any:
    """Returns `max(s, 0) - s * y + log(1 + exp(-|s|))`."""
    labels = labels + ops.zeros_like(scores)
    return ops.binary_crossentropy(labels, scores, from_logits=True)
