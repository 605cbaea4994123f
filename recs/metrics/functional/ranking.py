"""Ranking metrics of each list: a value and a weight for every query.

Everywhere `labels`, `scores` and `valid` are `(batch, list)`, with label 0 in invalid places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from recs.losses.functional.ranking import order, tiles
from recs.losses.functional.ranking.gains import relative
from recs.losses.functional.ranking.lists import Lists, divide_no_nan, item_counts

# A matrix of that many rows and columns, in float32, has 256 KB.
LONG = 256


@dataclasses.dataclass(frozen=True)
class Judged:
    """Lists ready to be judged.

    Attributes:
        labels: `(batch, list)`, or `(batch, list, topics)`.
        scores: `(batch, list)`, finite.
        weights: `(batch, list)`, or 1.0 where none were given.
        valid: bool `(batch, list)`.
        nonfinite: int64, how many valid items had a score that is NaN or infinite.
        worst_first: Of equal scores, whether what counts for less comes first; else the first in
            place.
        tfr_compatible: Whether to weigh lists as TF-Ranking does.
        weighted: Whether any weights were given.
    """

    labels: Any
    scores: Any
    weights: Any
    valid: Any
    nonfinite: Any
    worst_first: bool
    tfr_compatible: bool
    weighted: bool

    def first(self, topn: int | None, *columns: Any, credit: Any = None) -> list[Any]:
        """Returns columns of the items that come first, `(batch, topn)` each.

        Args:
            topn: How many; None for all.
            *columns: `(batch, list, ...)` each.
            credit: `(batch, list)`, what an item counts for: of equal scores the lower comes first.
                Defaults to `None`, for the first column.
        """
        credit = columns[0] if credit is None else credit
        places = order.first(self.scores, self.valid, credit if self.worst_first else None, topn)
        if len(columns) == 1:
            return [order.take(columns[0], places)]
        taken = order.take(ops.stack(columns, axis=-1), places)
        return [taken[..., i] for i in range(len(columns))]


def judged(
    lists: Lists,
    worst_first: bool,
    tfr_compatible: bool,
    weights_mask: bool = True,
    lowest: float = order.LOWEST,
) -> Judged:
    """Returns the lists with a weight for every item; without a weight above 0 it is not there.

    A score that is NaN or infinite becomes the lowest finite one: it says nothing of its item, so
    must not look better than any that does.

    Args:
        lists: What `as_lists` gives.
        worst_first: See `Judged`.
        tfr_compatible: See `Judged`.
        weights_mask: Whether weights of 0 mask their items.
        lowest: The lowest finite score. Defaults to float32's.
    """
    valid, labels = lists.valid, lists.labels
    weights = 1.0
    if tfr_compatible or lists.given_weights is not None:
        given = 1.0 if lists.given_weights is None else lists.given_weights
        weights = ops.ones_like(lists.scores) * given
    if weights_mask and lists.given_weights is not None:
        valid = ops.logical_and(valid, weights > 0)
        labels = ops.where(valid, labels, ops.zeros_like(labels))
    if not tfr_compatible:
        if lists.given_weights is not None:
            weights = ops.where(valid, weights, ops.zeros_like(weights))
        # Of topics, those that an item has not been judged for.
        labels = labels if len(labels.shape) == 2 else ops.maximum(labels, 0.0)
    finite = ops.isfinite(lists.scores)
    scores = ops.where(finite, lists.scores, ops.full_like(lists.scores, lowest))
    bad = ops.logical_and(valid, ops.logical_not(finite))
    nonfinite = ops.sum(ops.cast(bad, "int64"))
    weighted = lists.given_weights is not None
    return Judged(labels, scores, weights, valid, nonfinite, worst_first, tfr_compatible, weighted)


def list_weights(lists: Judged, relevance: Any) -> Any:
    """Returns the weight of each list, `(batch,)`: the mean of its items', weighted by relevance.

    A list without relevance gets the plain mean of its items' weights, and one without items 0.
    TF-Ranking gives both the mean weight of the other lists of the batch, 1 if there are none,
    unless all of its weights are 0.
    """
    if not lists.weighted and not lists.tfr_compatible:
        return plain_weights(lists)
    total = ops.sum(relevance, axis=1)
    by_relevance = divide_no_nan(ops.sum(lists.weights * relevance, axis=1), total)
    if not lists.tfr_compatible:
        return ops.where(total > 0, by_relevance, plain_weights(lists))
    some = ops.sum(lists.weights, axis=1) > 0
    both = ops.cast(ops.logical_and(some, total > 0), "float32")
    count = ops.sum(both)
    others = ops.where(count > 0, divide_no_nan(ops.sum(by_relevance), count), 1.0)
    found = ops.where(total > 0, by_relevance, others * ops.ones_like(total))
    return ops.where(some, found, ops.zeros_like(found))


def plain_weights(lists: Judged) -> Any:
    """Returns the mean weight of each list's items, `(batch,)`, 0 without items."""
    if lists.tfr_compatible:
        return ops.mean(lists.weights, axis=1)
    if not lists.weighted:
        return ops.minimum(item_counts(lists.valid), 1.0)
    count = item_counts(lists.valid)
    return divide_no_nan(ops.sum(lists.weights, axis=1), count)


def relevant(labels: Any) -> Any:
    """Returns 1 where the label is at least 1, else 0."""
    # Several times as fast as comparing, whose result is no number.
    return ops.clip(ops.floor(labels), 0.0, 1.0)


def places(like: Any) -> Any:
    """Returns the ranks from 1, `(1, ranked)`."""
    return ops.arange(1, ops.shape(like)[1] + 1, dtype="float32")[None]


def running_sums(ranked: Any) -> Any:
    """Returns the sum of each place and those before it, `(batch, ranked)`.

    Of lists that are not long by a product of matrices, which is faster than summing up.
    """
    size = ranked.shape[1]
    if size is None or size > LONG:
        return ops.cumsum(ranked, axis=1)
    return ops.matmul(ranked, np.triu(np.ones((size, size), "float32")))


def counted(lists: Judged, topn: int | None) -> Any:
    """Returns how many of the first `topn` places have an item, `(batch,)`."""
    count = item_counts(lists.valid)
    return count if topn is None else ops.minimum(count, float(topn))


def rank_of_first(lists: Judged, relevance: Any) -> Any:
    """Returns the rank of the first relevant item, `(batch,)`; infinity if there is none.

    Counted, which takes no sorting: before it is what has a higher score, and of the irrelevant
    items with the same score all, or those at an earlier place.
    """
    scores, infinity = lists.scores, float("inf")
    chosen = relevance > 0
    lowered = ops.where(chosen, scores, ops.full_like(scores, -infinity))
    best = ops.max(lowered, axis=1, keepdims=True, initial=-infinity)
    before = scores > best
    tied = ops.logical_and(ops.equal(scores, best), ops.logical_not(chosen))
    if not lists.worst_first:
        place = ops.zeros_like(scores) + places(scores)
        own = ops.logical_and(ops.equal(scores, best), chosen)
        at = ops.where(own, place, ops.full_like(place, infinity))
        tied = ops.logical_and(tied, place < ops.min(at, axis=1, keepdims=True, initial=infinity))
    before = ops.logical_and(lists.valid, ops.logical_or(before, tied))
    rank = 1.0 + ops.sum(ops.cast(before, "float32"), axis=1)
    return ops.where(ops.any(chosen, axis=1), rank, ops.full_like(rank, infinity))


def mrr(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns one over the rank of the first relevant item."""
    relevance = relevant(lists.labels)
    rank = rank_of_first(lists, relevance)
    inside = rank < float("inf") if topn is None else rank <= topn
    return ops.cast(inside, "float32") / rank, list_weights(lists, relevance)


def hits(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns 1 if any of the first items is relevant."""
    relevance = relevant(lists.labels)
    rank = rank_of_first(lists, relevance)
    inside = rank < float("inf") if topn is None else rank <= topn
    return ops.cast(inside, "float32"), list_weights(lists, relevance)


def number_of_hits(lists: Judged, topn: int | None, relevance: Any) -> Any:
    """Returns how many of the first items are relevant, `(batch,)`: of all, in whatever order."""
    if topn is None:
        return ops.sum(relevance, axis=1)
    return ops.sum(lists.first(topn, relevance)[0], axis=1)


def precision(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns the share of relevant items among the first."""
    relevance = relevant(lists.labels)
    found = divide_no_nan(number_of_hits(lists, topn, relevance), counted(lists, topn))
    return found, list_weights(lists, relevance)


def recall(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns the share of the relevant items that is among the first."""
    relevance = relevant(lists.labels)
    total = ops.sum(relevance, axis=1)
    found = divide_no_nan(number_of_hits(lists, topn, relevance), total)
    return found, list_weights(lists, relevance)


def mean_average_precision(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns the mean over relevant items of the precision at their rank."""
    relevance = relevant(lists.labels)
    if lists.weighted:
        credit = relevance * lists.weights
        ranked, weights = lists.first(topn, relevance, lists.weights, credit=credit)
    else:
        (ranked,), weights = lists.first(topn, relevance), 1.0
    precisions = running_sums(ranked) / places(ranked)
    total = ops.sum(lists.weights * relevance, axis=1)
    found = divide_no_nan(ops.sum(precisions * weights * ranked, axis=1), total)
    return found, list_weights(lists, relevance)


def gains_of(lists: Judged, gain: Callable[[Any], Any]) -> Any:
    """Returns the gain of each item; in TF-Ranking padding has that of label 0."""
    found = gain(lists.labels)
    if lists.tfr_compatible:
        return found
    return ops.where(lists.valid, found, ops.zeros_like(found))


def ndcg(
    lists: Judged, topn: int | None, gain: Callable[[Any], Any], discount: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Returns the DCG over that of the best order, 0 where that is 0."""
    gains = gains_of(lists, relative(gain))
    weighted = lists.weights * gains
    (ranked,) = lists.first(topn, weighted)
    if lists.tfr_compatible:
        keys = ops.where(lists.valid, weighted, ops.full_like(weighted, -float("inf")))
        (best,) = [order.take(weighted, order.first(keys, lists.valid, None, topn))]
    else:
        best = ops.top_k(weighted, k=ops.shape(ranked)[1])[0]
    discounts = discount(places(ranked))
    found = divide_no_nan(ops.sum(ranked * discounts, axis=1), ops.sum(best * discounts, axis=1))
    return found, list_weights(lists, gains)


def dcg(
    lists: Judged, topn: int | None, gain: Callable[[Any], Any], discount: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Returns the sum of gains times discounts, by the list's weight, which counts it."""
    gains = gains_of(lists, gain)
    (ranked,) = lists.first(topn, lists.weights * gains)
    weights = list_weights(lists, gains)
    return divide_no_nan(ops.sum(ranked * discount(places(ranked)), axis=1), weights), weights


def average_relevance_position(lists: Judged) -> tuple[Any, Any]:
    """Returns the mean rank, weighted by labels; lists count by the sum of their labels."""
    (ranked,) = lists.first(None, lists.labels * lists.weights)
    weights = ops.sum(ranked, axis=1)
    return divide_no_nan(ops.sum(ranked * places(ranked), axis=1), weights), weights


def ordered_pair_accuracy(lists: Judged) -> tuple[Any, Any]:
    """Returns the share of pairs in the right order; lists count by their pairs.

    Tile by tile, in memory that grows with the number of items.
    """
    infinity = ops.full_like(lists.labels, float("inf"))
    terms = {
        "scores": lists.scores,
        "upper": ops.where(lists.valid, lists.labels, -infinity),
        "lower": ops.where(lists.valid, lists.labels, infinity),
    }

    def tile(first: Any, second: Any, diagonal: bool) -> list[tuple[Any, Any]]:
        above = first.upper > second.lower
        right = ops.logical_and(above, first.scores > second.scores)
        return [
            (ops.sum(ops.cast(above, "float32"), axis=-1), None),
            (ops.sum(ops.cast(right, "float32"), axis=-1), None),
        ]

    padding = {"upper": -float("inf"), "lower": float("inf")}
    pairs, right = tiles.sums(tile, terms, padding, 0)
    weights = ops.sum(pairs * lists.weights, axis=1)
    return divide_no_nan(ops.sum(right * lists.weights, axis=1), weights), weights


def bpref(lists: Judged, topn: int | None, use_trec_version: bool) -> tuple[Any, Any]:
    """Returns how seldom irrelevant items stand before relevant ones."""
    relevance = relevant(lists.labels)
    irrelevance = ops.cast(lists.valid, "float32") - relevance
    relevants = ops.sum(relevance, axis=1, keepdims=True)
    irrelevants = ops.sum(irrelevance, axis=1, keepdims=True)
    ranked, others = lists.first(topn, relevance, irrelevance)
    before = ops.minimum(ops.cumsum(others, axis=1), relevants)
    of = ops.minimum(irrelevants, relevants) if use_trec_version else relevants
    each = (1.0 - divide_no_nan(before, of)) * ranked
    found = divide_no_nan(ops.sum(each, axis=1), relevants[:, 0])
    return found, list_weights(lists, relevance)


def position_weighted_average(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns the mean label, weighted by one over the rank."""
    ranked, there = lists.first(topn, lists.labels, ops.cast(lists.valid, "float32"))
    weights = there / places(ranked)
    found = divide_no_nan(ops.sum(ranked * weights, axis=1), ops.sum(weights, axis=1))
    return found, plain_weights(lists)


def precision_ia(lists: Judged, topn: int | None) -> tuple[Any, Any]:
    """Returns the precision, the mean over the topics that the list has."""
    relevance = relevant(lists.labels)
    (ranked,) = lists.first(topn, ops.sum(relevance, axis=-1))
    topics = ops.sum(ops.max(relevance, axis=1, initial=0.0), axis=-1)
    found = divide_no_nan(ops.sum(ranked, axis=1), counted(lists, topn) * topics)
    return found, list_weights(lists, ops.max(relevance, axis=-1, initial=0.0))


def alpha_dcg(
    lists: Judged, topn: int | None, alpha: float, discount: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Returns the DCG of gains that shrink by `1 - alpha` each time that a topic has come."""
    each = ops.ones_like(lists.scores) * lists.weights
    columns = ops.concatenate([lists.labels, each[..., None]], axis=-1)
    (ranked,) = lists.first(topn, columns, credit=_credit_of_topics(lists.labels, each))
    labels, weights = ranked[..., :-1], ranked[..., -1]
    seen = ops.cumsum(labels, axis=1) - labels
    gains = ops.sum(labels * ops.power(1.0 - alpha, seen), axis=-1)
    total = ops.sum(weights * gains * discount(places(weights)), axis=1)
    of_lists = list_weights(lists, ops.max(relevant(lists.labels), axis=-1, initial=0.0))
    return divide_no_nan(total, of_lists), of_lists


def _credit_of_topics(labels: Any, weights: Any) -> Any:
    """Returns the sum of each item's labels, raised a little by which topics and weight they are.

    An item's own credit, so that of equal scores the order does not depend on that of the list.
    """
    numbers = np.sqrt(np.arange(2.0, 2.0 + labels.shape[-1])) % 1.0
    total = ops.sum(labels * (1.0 + 1e-3 * numbers), axis=-1)
    return total * (1.0 + 1e-3 * weights / (1.0 + ops.abs(weights)))
