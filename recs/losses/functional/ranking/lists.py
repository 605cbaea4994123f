"""Turns what users pass, ragged, masked or padded, into dense lists with their validity."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras import ops

from recs.errors import explain


@dataclasses.dataclass(frozen=True)
class Lists:
    """Dense lists in float32.

    Attributes:
        labels: `(batch, list)`, or `(batch, list, topics)`; 0 in invalid places.
        scores: `(batch, list)`, or `(batch, list, outputs)`; 0 in invalid places.
        weights: None, `(batch, 1)` or `(1, 1)` of lists, or `(batch, list)` of items.
        valid: bool `(batch, list)`, which items are there.
        negative: bool `(batch, list)` or None. Items of a ragged list whose label is below 0,
            which TF-Ranking takes for valid in some places; None where there are none.
        given_weights: The weights as they came, with what stands in invalid places.
    """

    labels: Any
    scores: Any
    weights: Any
    valid: Any
    negative: Any = None
    given_weights: Any = None


def is_ragged(x: Any) -> bool:
    """Returns whether `x` is a ragged tensor, without importing what defines it."""
    return hasattr(x, "row_lengths") and hasattr(x, "to_tensor")


def as_lists(
    labels: Any,
    scores: Any,
    weights: Any = None,
    mask: Any = None,
    *,
    where: str,
    label_rank: int = 2,
    score_rank: int = 2,
    mask_scores: bool = True,
    tfr_compatible: bool = False,
) -> Lists:
    """Returns labels, scores and weights as dense lists.

    Args:
        labels: `(batch, list)`, dense or ragged, below 0 where there is no item; or a dict of
            `labels` and `mask`.
        scores: As the labels.
        weights: None, a scalar, `(batch,)` or `(batch, 1)` for lists, `(batch, list)` for items.
        mask: bool `(batch, list)`, False where there is no item.
        where: Who asks, for error messages.
        label_rank: 2, or 3 for labels of several topics.
        score_rank: 2, or 3 for several outputs an item.
        mask_scores: Whether to put 0 into invalid places of the scores; False for those who put
            something else there.
        tfr_compatible: Takes every item of a ragged list for valid, whatever its label.
    """
    if isinstance(labels, dict):
        mask = labels.get("mask") if mask is None else mask
        labels = labels["labels"]
    lengths = next((x.row_lengths() for x in (labels, scores) if is_ragged(x)), None)
    # TF's Keras adds a mask to what layers return; a ragged tensor carries its own.
    mask = getattr(scores, "_keras_mask", None) if mask is None else mask
    labels, scores, weights = _dense(labels, scores, weights)
    labels = _of_rank(labels, label_rank, "labels", where)
    scores = _of_rank(scores, score_rank, "scores", where)
    _check_shapes(labels, scores, where)
    known = labels >= 0 if label_rank == 2 else ops.any(labels >= 0, axis=-1)
    valid, negative = known, None
    if lengths is not None:
        present = _present(lengths, ops.shape(labels)[1])
        valid = present if tfr_compatible else ops.logical_and(present, known)
        negative = ops.logical_and(present, ops.logical_not(known)) if tfr_compatible else None
    if mask is not None:
        valid = ops.logical_and(valid, ops.cast(ops.convert_to_tensor(mask), "bool"))
    weights = _weights(weights, valid, where)
    return Lists(
        _only(labels, valid),
        _only(scores, valid) if mask_scores else scores,
        weights if weights is None or weights.shape[1] == 1 else _only(weights, valid),
        valid,
        negative,
        weights,
    )


def _present(lengths: Any, size: Any) -> Any:
    lengths = ops.cast(ops.convert_to_tensor(lengths), "int32")
    return ops.arange(size, dtype="int32")[None] < lengths[:, None]


def _dense(labels: Any, scores: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Returns all of one width: that of a dense one, or else of the longest ragged list."""
    width = None
    for x in (labels, scores):
        if not is_ragged(x):
            # Nested lists may be passed too.
            shape = ops.shape(ops.convert_to_tensor(x))
            width = shape[1] if len(shape) > 1 else None

    def dense(x: Any, padding: float) -> Any:
        if not is_ragged(x):
            return x
        if width is None or x.shape.rank > 2:
            return x.to_tensor(padding)
        return x.to_tensor(padding, shape=[None, width])

    return dense(labels, -1), dense(scores, 0), dense(weights, 0)


def _of_rank(x: Any, rank: int, name: str, where: str) -> Any:
    x = ops.cast(ops.convert_to_tensor(x), "float32")
    if len(x.shape) == rank + 1 and x.shape[-1] == 1:
        return ops.squeeze(x, -1)
    if len(x.shape) != rank:
        axes = "(batch, list)" if rank == 2 else "(batch, list, k)"
        raise ValueError(
            explain(
                f"`{name}`",
                rule=f"must be of shape {axes}",
                received=f"shape {tuple(x.shape)}",
                where=where,
                remedy="A list's items lie along the second axis.",
            )
        )
    return x


def _check_shapes(labels: Any, scores: Any, where: str) -> None:
    for a, b in zip(labels.shape[:2], scores.shape[:2], strict=True):
        if a is not None and b is not None and a != b:
            raise ValueError(
                explain(
                    "Labels and scores",
                    rule="must have the same batch and list size",
                    received=f"labels {tuple(labels.shape)}, scores {tuple(scores.shape)}",
                    where=where,
                )
            )


def _only(x: Any, valid: Any) -> Any:
    """Returns `x` with zeros in invalid places, so that nothing there, NaN included, matters."""
    if len(x.shape) > len(valid.shape):
        # Repeated, not broadcast: several times as fast along a short last axis.
        valid = ops.stack([valid] * x.shape[-1], axis=-1) if x.shape[-1] else valid[..., None]
    return ops.where(valid, x, ops.zeros_like(x))


def _weights(weights: Any, valid: Any, where: str) -> Any:
    if weights is None:
        return None
    weights = ops.cast(ops.convert_to_tensor(weights), "float32")
    if len(weights.shape) == 0:
        return ops.reshape(weights, (1, 1))
    if len(weights.shape) == 1:
        return ops.expand_dims(weights, 1)
    if len(weights.shape) == 3 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    width = valid.shape[1]
    if len(weights.shape) != 2 or (weights.shape[1] not in (1, width, None) and width is not None):
        raise ValueError(
            explain(
                "`sample_weight`",
                rule="must be a scalar, `(batch,)` or `(batch, 1)` for lists, or `(batch, list)`",
                received=f"shape {tuple(weights.shape)} for lists of {width}",
                where=where,
            )
        )
    return weights


def scaled(lists: Lists, temperature: float) -> Lists:
    """Returns the lists with their scores divided by the temperature."""
    if temperature == 1:
        return lists
    return dataclasses.replace(lists, scores=lists.scores / temperature)


def check_outputs(scores: Any, outputs: int, where: str) -> None:
    """Raises an error when an item does not have so many scores."""
    if scores.shape[-1] != outputs:
        raise ValueError(
            explain(
                "`scores`",
                rule=f"must have {outputs} outputs an item",
                received=f"shape {tuple(scores.shape)}",
                where=where,
            )
        )


def item_counts(valid: Any) -> Any:
    """Returns how many items each list has, float32 `(batch,)`."""
    # Also to know if there are any: logical reductions are slow.
    return ops.sum(ops.cast(valid, "float32"), axis=1)


def item_weights(lists: Lists) -> Any:
    """Returns a weight for each item, `(batch, list)`, 0 for the invalid."""
    ones = ops.cast(lists.valid, "float32")
    if lists.negative is not None:
        ones = ones * ops.cast(ops.logical_not(lists.negative), "float32")
    return ones if lists.weights is None else ones * lists.weights


def is_plain(lists: Lists) -> bool:
    """Returns whether all items that are there count alike."""
    return lists.weights is None and lists.negative is None


def weighed(values: Any, lists: Lists) -> Any:
    """Returns the values times the weights of their items; without weights just the values.

    Args:
        values: `(batch, list)`, 0 for invalid items.
        lists: What `as_lists` gives.
    """
    return values if is_plain(lists) else values * item_weights(lists)


def list_weights(lists: Lists, tfr_compatible: bool = False) -> Any:
    """Returns a weight for each list, `(batch,)`: the mean of its items', weighted by their labels.

    A list without relevant items gets the plain mean of its items' weights. TF-Ranking gives it 0,
    unless there are no weights at all: so there weights of one are not the same as no weights.
    """
    if lists.weights is None:
        return ops.ones_like(lists.labels[:, 0])
    labels = ops.where(lists.labels > 0, lists.labels, ops.zeros_like(lists.labels))
    total = ops.sum(labels, axis=1)
    by_label = divide_no_nan(ops.sum(lists.weights * labels, axis=1), total)
    if tfr_compatible:
        return by_label
    valid = ops.cast(lists.valid, "float32")
    plain = divide_no_nan(ops.sum(lists.weights * valid, axis=1), ops.sum(valid, axis=1))
    return ops.where(total > 0, by_label, plain)


def divide_no_nan(a: Any, b: Any) -> Any:
    """Returns `a / b`, 0 where `b` is 0, with finite gradients."""
    return ops.divide_no_nan(a, b)
