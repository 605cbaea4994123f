"""From the items of lists, one after another, to a batch: shuffled, cut, padded, masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from recs.data.ranking.ranking_feature import RankingFeature
from recs.data.ranking.ranking_features import RankingFeatures
from recs.errors import explain


@dataclasses.dataclass(frozen=True)
class Flat:
    """Lists without padding.

    Attributes:
        context: By name, a value a list.
        examples: By name, a value an item, list after list; sequences and weights are ragged.
        lengths: Items of each list, int64.
    """

    context: Mapping[str, Any]
    examples: Mapping[str, Any]
    lengths: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Places:
    """Positions of items in a batch of lists.

    Attributes:
        items: The number of the item at each true place of the mask, in the order of the places.
        mask: `(batch, list_size)`.
    """

    items: tf.Tensor
    mask: tf.Tensor


def places(
    starts: tf.Tensor,
    lengths: tf.Tensor,
    list_size: int | None,
    key: tf.Tensor | None = None,
) -> Places:
    """Returns the places of lists that begin at `starts`; shuffling comes before cutting.

    Args:
        starts: The number of the first item of each list.
        lengths: How many items each list has.
        list_size: The width of the batch; None for that of its longest list.
        key: Two integers that decide how the items of each list are shuffled; None for not at all.
    """
    lengths = tf.cast(lengths, tf.int64)
    longest = tf.reduce_max(tf.concat([lengths, [0]], 0))
    size = longest if list_size is None else tf.constant(list_size, tf.int64)
    if key is None:
        order = tf.tile(tf.range(size)[None], [tf.size(lengths), 1])
    else:
        shape = tf.stack([tf.size(lengths, tf.int64), longest])
        draws = tf.random.stateless_uniform(shape, key)
        behind = tf.where(tf.sequence_mask(lengths, longest), draws, 2.0)
        order = tf.cast(tf.argsort(behind, axis=1, stable=True), tf.int64)
        order = tf.pad(order, [[0, 0], [0, tf.maximum(size - longest, 0)]])[:, :size]
    mask = tf.sequence_mask(lengths, size)
    if list_size is not None:
        mask = tf.ensure_shape(mask, [None, list_size])
    return Places(tf.boolean_mask(starts[:, None] + order, mask), mask)


def batch_of(
    flat: Flat,
    features: RankingFeatures,
    at: Places,
    label: bool,
) -> dict[str, Any]:
    """Returns the batch that `RankingFeatures` describes; `flat.examples` may be longer."""
    batch = dict(flat.context)
    for name, feature in columns(features.of_examples(label)):
        values = tf.gather(flat.examples[name], at.items)
        batch[name] = spread(values, at.mask, feature)
    batch[features.mask] = at.mask
    return batch


def columns(features: Iterable[RankingFeature]) -> list[tuple[str, RankingFeature]]:
    """Returns names of columns and their feature: weights are columns of their own."""
    named = []
    for feature in features:
        named.append((feature.name, feature))
        if feature.weights is not None:
            named.append((feature.weights, feature))
    return named


def spread(values: Any, mask: tf.Tensor, feature: RankingFeature) -> Any:
    """Returns values of the items that are there, in their places `(batch, list, ...)`."""
    where = tf.where(mask)
    shape = tf.shape(mask, out_type=tf.int64)
    if isinstance(values, tf.RaggedTensor):
        lengths = tf.scatter_nd(where, values.row_lengths(), shape)
        rows = tf.RaggedTensor.from_row_lengths(values.values, tf.reshape(lengths, [-1]))
        splits = tf.range(shape[0] + 1) * shape[1]
        return tf.RaggedTensor.from_row_splits(rows, splits, validate=False)
    size = tf.concat([shape, tf.shape(values, out_type=tf.int64)[1:]], 0)
    padded = tf.tensor_scatter_nd_update(
        tf.broadcast_to(tf.constant(feature.pad, values.dtype), size), where, values
    )
    return tf.ensure_shape(padded, [*mask.shape, *values.shape[1:]])


def check_list_size(list_size: int | None, where: str) -> None:
    """Raises ValueError unless it is a positive integer or None."""
    if list_size is not None and (not isinstance(list_size, int) or list_size < 1):
        raise ValueError(
            explain(
                "`list_size`",
                rule="must be a positive integer, or None for the longest list of each batch",
                received=f"list_size={list_size!r}",
                where=where,
            )
        )
