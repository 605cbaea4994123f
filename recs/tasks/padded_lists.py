"""Lists that come ragged, masked or padded, as what a scorer takes: dense, with a mask."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from recs.losses.functional.ranking.lists import is_ragged


@dataclasses.dataclass(frozen=True)
class PaddedLists:
    """A batch of lists, dense.

    Attributes:
        labels: `(batch, list)`, -1 behind the end of a ragged list.
        inputs: What is scored, ragged leaves of items padded with zeros.
        weights: None, a scalar, or one number a list or an item.
        mask: bool `(batch, list)`, False where there is no item.
    """

    labels: Any
    inputs: Any
    weights: Any
    mask: Any


def padded_lists(labels: Any, inputs: Any, weights: Any = None, mask: Any = None) -> PaddedLists:
    """Returns lists as dense tensors of one width, that of the labels.

    Args:
        labels: `(batch, list)` or `(batch, list, 1)`, dense or ragged, below 0 where there is no
            item; or a dict of `labels` and `mask`.
        inputs: A structure of tensors. Ragged ones with an axis behind that of the list become
            dense, and so does a ragged tensor that stands alone; others stay: they are histories.
        weights: As a ranking loss takes them.
        mask: bool `(batch, list)`, False where there is no item.
    """
    if isinstance(labels, dict):
        mask = labels.get("mask") if mask is None else mask
        labels = labels["labels"]
    labels = labels.to_tensor(-1) if is_ragged(labels) else ops.convert_to_tensor(labels)
    labels = ops.cast(labels, "float32")
    if len(labels.shape) == 3 and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    width = ops.shape(labels)[1]
    there = labels >= 0
    leaves = keras.tree.flatten(inputs)
    dense = []
    for leaf in leaves:
        if is_ragged(leaf) and (len(leaf.shape) > 2 or len(leaves) == 1):
            lengths = ops.cast(leaf.row_lengths(), "int32")
            there = ops.logical_and(there, ops.arange(width) < lengths[:, None])
            leaf = leaf.to_tensor(0, shape=[None, width, *([None] * (len(leaf.shape) - 2))])
        dense.append(leaf)
    if mask is None and len(leaves) == 1:
        # Scores that Keras layers have made may carry one.
        mask = getattr(leaves[0], "_keras_mask", None)
    if mask is not None:
        mask = mask.to_tensor(False) if is_ragged(mask) else ops.convert_to_tensor(mask)
        there = ops.logical_and(there, ops.cast(mask, "bool"))
    if is_ragged(weights):
        weights = weights.to_tensor(0, shape=[None, width])
    return PaddedLists(labels, keras.tree.pack_sequence_as(inputs, dense), weights, there)
