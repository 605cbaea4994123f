"""Losses of single items, `(batch, list)` each, 0 for invalid ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from recs.losses.functional.ranking.logistic import binary_crossentropy, softplus


def _only(x: Any, valid: Any) -> Any:
    return ops.where(valid, x, ops.zeros_like(x))


def _of(x: Any, valid: Any) -> Any:
    """Returns finite values with zeros in invalid places."""
    return x * ops.cast(valid, x.dtype)


def sigmoid_cross_entropy(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns the cross entropy of `sigmoid(s)` with the label."""
    return _of(binary_crossentropy(labels, scores), valid)


def mean_squared(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns `(y - s)^2`."""
    return ops.square(_only(labels - scores, valid))


def squared_sums(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns the sum of `(y - s)^2` over each list, `(batch,)`, in fewer passes back.

    Args:
        labels: `(batch, list)`.
        scores: The same.
        valid: `(batch, list)`.
    """

    @ops.custom_gradient
    def run(labels: Any, scores: Any) -> tuple[Any, Callable[..., Any]]:
        difference = _only(scores - labels, valid)

        def gradient(*upstream: Any) -> tuple[Any, Any]:
            slopes = (2.0 * upstream[-1])[:, None] * difference
            return -slopes, slopes

        return ops.sum(ops.square(difference), axis=1), gradient

    return run(labels, scores)


def sigmoid_cross_entropy_sums(labels: Any, scores: Any, valid: Any) -> Any:
    """Returns the sum of the cross entropies over each list, `(batch,)`, in fewer passes back.

    Args:
        labels: `(batch, list)`, 0 in invalid places.
        scores: The same, and their gradient there is for the caller to drop.
        valid: `(batch, list)`.
    """

    @ops.custom_gradient
    def run(labels: Any, scores: Any) -> tuple[Any, Callable[..., Any]]:
        def gradient(*upstream: Any) -> tuple[Any, Any]:
            each = upstream[-1][:, None]
            return -each * scores, each * (ops.sigmoid(scores) - labels)

        return ops.sum(_of(softplus(scores) - scores * labels, valid), axis=1), gradient

    return run(labels, scores)


def ordinal(labels: Any, scores: Any, valid: Any, fractions: bool = False) -> Any:
    """Returns `sum_k` of the cross entropies of `sigmoid(s_k)` with `y >= k`, for k from 1.

    Args:
        labels: `(batch, list)`.
        scores: `(batch, list, levels)`.
        valid: `(batch, list)`.
        fractions: Whether a label between two levels counts for the upper in part.
    """
    levels = ops.arange(1, scores.shape[-1] + 1, dtype="float32")
    above = labels[..., None] - levels
    reached = ops.cast(above >= 0, "float32")
    if fractions:
        part = above + 1.0
        between = ops.logical_and(part > 0, part < 1)
        reached = reached + ops.where(between, part, ops.zeros_like(part))
    return _of(ops.sum(binary_crossentropy(reached, scores), axis=-1), valid)


def click_em(
    labels: Any, scores: Any, valid: Any, exam_weight: float = 1.0, relevance_weight: float = 1.0
) -> Any:
    """Returns the weighted cross entropies of examination and relevance with their posteriors.

    A click was examined and relevant. Without one, `sigmoid(e - softplus(r))` is the chance that
    it was examined and `sigmoid(r - softplus(e))` that it was relevant; neither has a gradient.

    Args:
        labels: `(batch, list)`, clicks.
        scores: `(batch, list, 2)`, the logits e of examination and r of relevance.
        valid: `(batch, list)`.
        exam_weight: Weight of the examination's part.
        relevance_weight: Weight of the relevance's part.
    """
    examined, relevant = (_only(x, valid) for x in ops.unstack(scores, axis=-1))
    clicked = labels >= 1.0
    one = ops.ones_like(examined)
    was_examined = ops.where(clicked, one, ops.sigmoid(examined - softplus(relevant)))
    was_relevant = ops.where(clicked, one, ops.sigmoid(relevant - softplus(examined)))
    each = exam_weight * binary_crossentropy(ops.stop_gradient(was_examined), examined)
    each += relevance_weight * binary_crossentropy(ops.stop_gradient(was_relevant), relevant)
    return _of(each, valid)
