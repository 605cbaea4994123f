"""Metrics made smooth: ranks by sigmoids, and NDCG and MRR of such ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from recs.losses.functional.ranking import tiles
from recs.losses.functional.ranking.gains import relative_pow_minus_1
from recs.losses.functional.ranking.lists import divide_no_nan

# Far below every score, for what is not there.
BELOW = -1e9


def ranks(scores: Any, valid: Any) -> Any:
    """Returns `1 + sum_{j != i} sigmoid(s_j - s_i)` over the valid j, `(batch, list)`.

    Of a pair only one sigmoid is taken, the other is one minus it. Memory grows with the number of
    items. The rank of an invalid item means nothing. Gradients of gradients are not defined.

    Args:
        scores: `(batch, list)`, divided by the temperature.
        valid: `(batch, list)`.
    """
    lowered = ops.where(valid, scores, ops.full_like(scores, BELOW))
    times = tiles.halvings(scores.shape[1])
    padding = {"scores": BELOW}

    # sigmoid(x) = 1/2 + tanh(x / 2) / 2: cheaper, and odd, so that the other order of a pair has
    # minus the same.
    def forward(first: Any, second: Any, diagonal: bool) -> list[tuple[Any, Any]]:
        above = ops.tanh(second.scores - first.scores)
        rows = ops.sum(above, axis=-1)
        return [(rows, None if diagonal else -ops.sum(above, axis=-2))]

    def backward(first: Any, second: Any, diagonal: bool) -> list[tuple[Any, Any]]:
        below = ops.sigmoid(second.scores - first.scores)
        slope = below * (1.0 - below) * (second.upstream - first.upstream)
        rows = ops.sum(slope, axis=-1)
        return [(rows, None if diagonal else -ops.sum(slope, axis=-2))]

    @ops.custom_gradient
    def run(scores: Any) -> tuple[Any, Callable[..., Any]]:
        (found,) = tiles.sums(forward, {"scores": 0.5 * scores}, padding, times)

        def gradient(*upstream: Any) -> Any:
            terms = {"scores": scores, "upstream": upstream[-1]}
            return tiles.sums(backward, terms, padding, times)[0]

        # Padding is below all items, also what rounds the list up to tiles: there tanh is -1.
        return 0.5 * (found + tiles.rounded(ops.shape(scores)[1], times)) + 0.5, gradient

    return run(lowered)


def ndcg(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns the NDCG of the approximate ranks, `(batch,)`; 0 for a list without relevance.

    Gains are `2^y - 1`, but for a factor that cancels and keeps them finite. Discounts are
    `1 / log(1 + rank)`.
    """
    gains = relative_pow_minus_1(labels)
    gains = ops.where(valid, gains, ops.zeros_like(gains))
    approximate = ops.sum(gains / ops.log1p(ranks(scores, valid)), axis=1)
    place = ops.arange(1, ops.shape(labels)[1] + 1, dtype="float32")[None]
    best = ops.sum(-ops.sort(-gains, axis=1) / ops.log1p(place), axis=1)
    return divide_no_nan(approximate, best)


def mrr(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns `sum_i y_i / rank_i / sum_i y_i` of the approximate ranks, `(batch,)`."""
    approximate = ops.sum(labels / ranks(scores, valid), axis=1)
    return divide_no_nan(approximate, ops.sum(labels, axis=1))
