"""Losses of pairs: each item against those of its list with a lower label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras import ops

from recs.losses.functional.ranking import hinge as counted_hinge
from recs.losses.functional.ranking import order, tiles
from recs.losses.functional.ranking.lists import Lists, item_weights

# A lag at which every loss here is 0, and its slope too.
FAR = -1e30

# The term of a pair and its slope, given the lag: by how much the better item is behind.
PairLoss = Callable[[Any], tuple[Any, Any]]


def hinge(lag: Any) -> tuple[Any, Any]:
    """Returns `max(0, 1 + lag)` and its slope."""
    value = ops.relu(lag + 1.0)
    return value, ops.sign(value)


def logistic(lag: Any) -> tuple[Any, Any]:
    """Returns `log(1 + exp(lag))` and its slope."""
    value = ops.relu(lag) + ops.log1p(ops.exp(-ops.abs(lag)))
    return value, ops.sigmoid(lag)


def logistic_without_slope_at_ties(lag: Any) -> tuple[Any, Any]:
    """Returns what `logistic` does, but slope 0 at lag 0: TF-Ranking's."""
    value, slope = logistic(lag)
    return value, ops.where(ops.equal(lag, 0), ops.zeros_like(slope), slope)


def soft_zero_one(lag: Any) -> tuple[Any, Any]:
    """Returns `sigmoid(lag)` and its slope."""
    value = ops.sigmoid(lag)
    return value, value * (1.0 - value)


def losses(
    pair_loss: PairLoss,
    lists: Lists,
    lambda_weight: Any = None,
    *,
    per_item: bool = False,
    tfr_compatible: bool = False,
) -> Any:
    """Returns `w_i * sum_j 1[y_i > y_j] * lambda_ij * loss(s_i - s_j)`, summed over i or not.

    The gradient is computed together with the sums, tile by tile: memory grows with the number of
    items, not of pairs, and each pair's difference is taken once. Gradients of gradients are not
    defined.

    Args:
        pair_loss: `hinge`, `logistic` or `soft_zero_one`.
        lists: What `as_lists` gives.
        lambda_weight: A `LambdaWeight`, which weighs pairs; None for 1.
        per_item: Whether to return `(batch, list)`; else `(batch,)`.
        tfr_compatible: See the losses.
    """
    if lambda_weight is not None and lambda_weight.neighbours_only:
        return _neighbours(
            pair_loss, lists, lambda_weight, per_item=per_item, tfr_compatible=tfr_compatible
        )
    if pair_loss is hinge and lambda_weight is None and not per_item:
        plain = dataclasses.replace(lists, weights=None, negative=None)
        return counted_hinge.total(lists, lambda: losses(hinge, plain, per_item=True))
    pairs, terms = _prepared(lists, lambda_weight, tfr_compatible)
    infinity = ops.full_like(lists.labels, float("inf"))
    terms |= {
        "scores": lists.scores,
        # An invalid item is above none and below none.
        "upper": ops.where(lists.valid, lists.labels, -infinity),
        "lower": ops.where(lists.valid, lists.labels, infinity),
        "weight": item_weights(lists),
    }
    times = tiles.halvings(lists.labels.shape[1])
    sorting = None
    if times:
        sorting = order.descending(lists.labels, lists.valid)
        packed = order.take(ops.stack(list(terms.values()), axis=-1), sorting)
        terms = {name: packed[..., i] for i, name in enumerate(terms)}

    def one(first: Any, second: Any) -> tuple[Any, Any]:
        above = first.upper > second.lower
        lag = second.scores - first.scores
        if lambda_weight is None:
            return pair_loss(ops.where(above, lag, FAR))
        value, slope = pair_loss(lag)
        factor = pairs(first, second)
        factor = ops.where(above, factor, ops.zeros_like(factor))
        return value * factor, slope * factor

    weighted = lists.weights is not None or lists.negative is not None
    found = _summed(one, terms, times, per_item, weighted)
    if per_item and sorting is not None:
        return order.take(found, order.inverse(sorting))
    return found


def squared(
    lists: Lists,
    lambda_weight: Any = None,
    *,
    per_item: bool = False,
    tfr_compatible: bool = False,
) -> Any:
    """Returns `w_i * sum_j lambda_ij * ((s_i - s_j) - (y_i - y_j))^2` over the valid j, not i.

    Without lambda weights in linear time: with `z = s - y` the sum is
    `n * z_i^2 - 2 z_i * sum_j z_j + sum_j z_j^2`, with `z` taken from its mean for accuracy.
    """
    weight = item_weights(lists)
    if lambda_weight is None:
        valid = ops.cast(lists.valid, "float32")
        count = ops.sum(valid, axis=1, keepdims=True)
        z = (lists.scores - lists.labels) * valid
        z = (z - ops.sum(z, axis=1, keepdims=True) / ops.maximum(count, 1.0)) * valid
        total = count * ops.square(z) - 2.0 * z * ops.sum(z, axis=1, keepdims=True)
        found = weight * (total + ops.sum(ops.square(z), axis=1, keepdims=True))
        return found if per_item else ops.sum(found, axis=1)
    pairs, terms = _prepared(lists, lambda_weight, tfr_compatible)
    size = ops.shape(lists.labels)[1]
    terms |= {
        "scores": lists.scores,
        "labels": lists.labels,
        "weight": weight,
        "present": ops.cast(lists.valid, "float32"),
        "place": ops.zeros_like(lists.labels) + ops.arange(size, dtype="float32")[None],
    }

    def one(first: Any, second: Any) -> tuple[Any, Any]:
        apart = (first.scores - second.scores) - (first.labels - second.labels)
        counts = ops.logical_and(
            first.present * second.present > 0, ops.not_equal(first.place, second.place)
        )
        factor = pairs(first, second)
        factor = ops.where(counts, factor, ops.zeros_like(factor))
        return ops.square(apart) * factor, -2.0 * apart * factor

    weighted = lists.weights is not None or lists.negative is not None
    return _summed(one, terms, 0, per_item, weighted)


def _neighbours(
    pair_loss: PairLoss,
    lists: Lists,
    lambda_weight: Any,
    *,
    per_item: bool = False,
    tfr_compatible: bool = False,
) -> Any:
    """Returns what `losses` does for a lambda weight that is 0 unless two ranks follow each other.

    There are n - 1 such pairs, and not n^2.
    """
    pairs, terms = _prepared(lists, lambda_weight, tfr_compatible)
    sorting = order.inverse(terms["ranks"])
    packed = ops.stack(
        [*terms.values(), item_weights(lists), ops.cast(lists.valid, "float32")], axis=-1
    )
    packed = order.take(packed, sorting)
    scores = order.take(lists.scores, sorting)
    terms = {name: packed[..., i] for i, name in enumerate([*terms, "weight", "present"])}
    first = _Namespace({name: x[:, :-1] for name, x in terms.items()})
    second = _Namespace({name: x[:, 1:] for name, x in terms.items()})
    lag = scores[:, 1:] - scores[:, :-1]
    both = first.present * second.present
    found = []
    for a, b, sign in ((first, second, 1.0), (second, first, -1.0)):
        counts = ops.logical_and(both > 0, a.labels > b.labels)
        factor = pairs(a, b)
        factor = ops.where(counts, factor, ops.zeros_like(factor)) * a.weight
        found.append(_value(pair_loss, sign * lag) * factor)
    if not per_item:
        return ops.sum(found[0] + found[1], axis=1)
    each = ops.pad(found[0], ((0, 0), (0, 1))) + ops.pad(found[1], ((0, 0), (1, 0)))
    return order.take(each, order.inverse(sorting))


class _Namespace:
    """The terms of one side of all pairs, as attributes."""

    def __init__(self, terms: dict[str, Any]) -> None:
        self.__dict__.update(terms)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no term {name!r}; there are {sorted(self.__dict__)}")


def _value(pair_loss: PairLoss, lag: Any) -> Any:
    """Returns the value alone, with a gradient from the slope that comes with it."""

    @ops.custom_gradient
    def run(lag: Any) -> tuple[Any, Callable[..., Any]]:
        value, slope = pair_loss(lag)

        def gradient(*upstream: Any) -> Any:
            return upstream[-1] * slope

        return value, gradient

    return run(lag)


def _one(first: Any, second: Any) -> Any:
    return ops.ones_like(first.labels)


def _prepared(
    lists: Lists, lambda_weight: Any, tfr_compatible: bool
) -> tuple[Callable[[Any, Any], Any], dict[str, Any]]:
    """Returns the weight of a pair as a function of two sides, and the terms that it needs."""
    if lambda_weight is None:
        return _one, {}
    ties = None if tfr_compatible else lists.labels
    scores = ops.stop_gradient(lists.scores)
    terms = {
        "labels": lists.labels,
        "scores": scores,
        "ranks": order.ranks(scores, lists.valid, ties),
    }
    pairs, own = lambda_weight.prepare(
        terms["labels"], terms["ranks"], lists.valid, tfr_compatible=tfr_compatible
    )
    return pairs, terms | own


def _summed(
    one: Callable[[Any, Any], tuple[Any, Any]],
    terms: dict[str, Any],
    times: int,
    per_item: bool,
    weighted: bool,
) -> Any:
    """Returns the weighted sums of values over pairs, with the gradient from their slopes."""
    padding = {"upper": -float("inf"), "lower": float("inf")}
    others = {n: ops.stop_gradient(x) for n, x in terms.items() if n not in ("scores", "weight")}

    def tile(values: bool, slopes: bool) -> tiles.Tile:
        def of(first: Any, second: Any, diagonal: bool) -> list[tuple[Any, Any]]:
            value, slope = one(first, second)
            found = [(ops.sum(value, axis=-1), None)] if values else []
            if slopes:
                slope = slope * first.weight if weighted or per_item else slope
                found.append((-ops.sum(slope, axis=-1), ops.sum(slope, axis=-2)))
            return found

        return of

    @ops.custom_gradient
    def of_items(scores: Any, weight: Any) -> tuple[Any, Callable[..., Any]]:
        given = {**others, "scores": scores, "weight": weight}
        (values,) = tiles.sums(tile(True, False), given, padding, times)

        def gradient(*upstream: Any) -> tuple[Any, Any]:
            given["weight"] = weight * upstream[-1]
            (slopes,) = tiles.sums(tile(False, True), given, padding, times)
            return slopes, values * upstream[-1]

        return values * weight, gradient

    @ops.custom_gradient
    def of_lists(scores: Any, weight: Any) -> tuple[Any, Callable[..., Any]]:
        given = {**others, "scores": scores, "weight": weight}
        values, slopes = tiles.sums(tile(True, True), given, padding, times)

        def gradient(*upstream: Any) -> tuple[Any, Any]:
            return upstream[-1][:, None] * slopes, upstream[-1][:, None] * values

        return ops.sum(values * weight, axis=1), gradient

    return (of_items if per_item else of_lists)(terms["scores"], terms["weight"])
