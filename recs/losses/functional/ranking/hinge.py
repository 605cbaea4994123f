"""The hinge loss of lists, by counting pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from recs.losses.functional.ranking import tiles
from recs.losses.functional.ranking.lists import Lists, item_weights


def total(lists: Lists, of_items: Callable[[], Any]) -> Any:
    """Returns `sum_i w_i * sum_j 1[y_i > y_j] * max(0, 1 - (s_i - s_j))`, `(batch,)`.

    The loss is linear where it is not 0. So it is enough to count the pairs that it touches: with
    `r_i = w_i * #{j}` and `c_j = sum w_i` over those, the loss is `sum c * (1 + s) - sum r * s`,
    summed in float64, where nothing is lost by taking the difference; and the gradient is `c - r`.
    No number is computed for a pair but whether it counts.

    Args:
        lists: What `as_lists` gives.
        of_items: Returns the loss of each item, without its weight. For the weights' gradient
            alone; a graph that has no use for that leaves it out.
    """
    infinity = ops.full_like(lists.labels, float("inf"))
    weighted = lists.weights is not None or lists.negative is not None

    def tile(first: Any, second: Any, diagonal: bool) -> list[tuple[Any, Any]]:
        above = first.upper > second.lower
        counts = ops.cast(ops.logical_and(above, second.scores - first.scores > -1.0), "float32")
        rows = ops.sum(counts, axis=-1)
        columns = ops.sum(counts * first.weight if weighted else counts, axis=-2)
        return [(rows, None), (columns, None)]

    @ops.custom_gradient
    def run(scores: Any, weight: Any) -> tuple[Any, Callable[..., Any]]:
        terms = {
            "scores": scores,
            # An invalid item is above none and below none.
            "upper": ops.where(lists.valid, lists.labels, -infinity),
            "lower": ops.where(lists.valid, lists.labels, infinity),
            "weight": weight,
        }
        padding = {"upper": -float("inf"), "lower": float("inf")}
        rows, columns = tiles.sums(tile, terms, padding, 0)
        rows = rows * weight if weighted else rows
        wide = ops.cast(scores, "float64")
        gained = ops.cast(columns, "float64") * (1.0 + wide) - ops.cast(rows, "float64") * wide
        slopes = columns - rows

        def gradient(*upstream: Any) -> tuple[Any, Any]:
            each = upstream[-1][:, None]
            asked = lists.weights is not None
            return each * slopes, each * (of_items() if asked else ops.zeros_like(slopes))

        return ops.cast(ops.sum(gained, axis=1), "float32"), gradient

    return run(lists.scores, item_weights(lists))
