"""From every kind of input to one flat batch of ids, and from its rows back to its shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from recs.errors import explain
from recs.ops.as_keys import as_keys
from recs.ops.lookup import Batch

Ids: TypeAlias = tf.Tensor | tf.RaggedTensor | tf.SparseTensor


@dataclasses.dataclass(frozen=True)
class FlatInputs:
    """A batch of ids and the way back.

    Attributes:
        batch: The ids, flat.
        restore: Gives the rows `(n or bags, dim)` the shape of the input.
    """

    batch: Batch
    restore: Callable[[tf.Tensor], tf.Tensor | tf.RaggedTensor]


def flatten(
    ids: Ids,
    weights: Ids | None,
    mask: Any | None,
    *,
    key_dtype: tf.DType,
    combiner: str | None,
    mask_key: int | str | None,
    where: str,
) -> FlatInputs:
    """Returns the flat batch of an input.

    Args:
        ids: Dense of any rank, ragged, or sparse. Without a combiner the output has one axis
            more; with one, the last axis of the input is what a row is made of (a dense input of
            one axis, or of none, has one id a row).
        weights: One number per id, in the same structure. Needs a combiner.
        mask: Bools of the ids' shape; false means that there is no id. Dense and ragged input.
        key_dtype: The table's.
        combiner: `None`, `"sum"`, `"mean"` or `"sqrtn"`.
        mask_key: The id that means that there is none, or None.
        where: The layer, for messages.

    Raises:
        ValueError: dtype or structure do not fit; sparse or weighted input without a combiner.
    """
    if weights is not None and combiner is None:
        raise ValueError(
            explain(
                "`weights`",
                rule="need a combiner",
                received="weights with combiner=None",
                where=where,
                remedy="Give the layer `combiner='sum'`, `'mean'` or `'sqrtn'`.",
            )
        )
    if isinstance(ids, tf.SparseTensor):
        return _flatten_sparse(ids, weights, key_dtype, combiner, mask_key, where)
    flat = ids.flat_values if isinstance(ids, tf.RaggedTensor) else ids
    keys = tf.reshape(as_keys(flat, key_dtype, where=where), [-1])
    flat_weights = _flat_weights(weights, ids, where)
    batch_mask = _flat_mask(mask, keys, mask_key)
    if combiner is None:
        batch = Batch(keys, batch_mask, tf.constant([], tf.int64), flat_weights, "none")
        return FlatInputs(batch, lambda rows: _unflatten(ids, rows))
    splits, restore = _bags(ids)
    return FlatInputs(Batch(keys, batch_mask, splits, flat_weights, combiner), restore)


def _flat_mask(mask: Any | None, keys: tf.Tensor, mask_key: int | str | None) -> tf.Tensor:
    masks = []
    if mask is not None:
        values = mask.flat_values if isinstance(mask, tf.RaggedTensor) else mask
        masks.append(tf.reshape(tf.cast(values, tf.bool), [-1]))
    if mask_key is not None:
        masks.append(tf.not_equal(keys, tf.constant(mask_key, keys.dtype)))
    if not masks:
        return tf.constant([], tf.bool)
    return masks[0] if len(masks) == 1 else tf.logical_and(*masks)


def _flat_weights(weights: Ids | None, ids: Ids, where: str) -> tf.Tensor:
    if weights is None:
        return tf.constant([], tf.float32)
    if type(weights) is not type(ids) and isinstance(weights, tf.RaggedTensor | tf.SparseTensor):
        raise ValueError(
            explain(
                "`weights`",
                rule="must have the structure of the ids",
                received=f"{type(weights).__name__} for {type(ids).__name__}",
                where=where,
            )
        )
    if isinstance(weights, tf.RaggedTensor):
        weights = weights.flat_values
    elif isinstance(ids, tf.RaggedTensor):
        raise ValueError(
            explain(
                "`weights`",
                rule="must be ragged for ragged ids",
                received=type(weights).__name__,
                where=where,
            )
        )
    return tf.reshape(tf.cast(weights, tf.float32), [-1])


def _unflatten(ids: tf.Tensor | tf.RaggedTensor, rows: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
    flat = ids.flat_values if isinstance(ids, tf.RaggedTensor) else ids
    dim = rows.shape[-1]
    shaped = tf.reshape(rows, tf.concat([tf.shape(flat), [dim]], axis=0))
    shaped = tf.ensure_shape(shaped, [*flat.shape, dim])
    return ids.with_flat_values(shaped) if isinstance(ids, tf.RaggedTensor) else shaped


def _bags(
    ids: tf.Tensor | tf.RaggedTensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor | tf.RaggedTensor]]:
    """Returns the splits of the bags along the last axis, and the way back."""
    if isinstance(ids, tf.RaggedTensor) and ids.flat_values.shape.rank == 1:
        nested = ids.nested_row_splits
        outer = nested[:-1]
        splits = tf.cast(nested[-1], tf.int64)
        if not outer:
            return splits, lambda rows: rows
        return splits, lambda rows: tf.RaggedTensor.from_nested_row_splits(rows, outer)
    flat = ids.flat_values if isinstance(ids, tf.RaggedTensor) else ids
    shape = tf.shape(flat, out_type=tf.int64)
    one_id_a_row = flat.shape.rank in (0, 1)
    length = tf.constant(1, tf.int64) if one_id_a_row else shape[-1]
    outer_shape = shape if one_id_a_row else shape[:-1]
    static_outer = flat.shape if one_id_a_row else flat.shape[:-1]
    splits = tf.range(tf.reduce_prod(outer_shape) + 1) * length

    def restore(rows: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
        dim = rows.shape[-1]
        shaped = tf.reshape(rows, tf.concat([outer_shape, [dim]], axis=0))
        shaped = tf.ensure_shape(shaped, [*static_outer, dim])
        return ids.with_flat_values(shaped) if isinstance(ids, tf.RaggedTensor) else shaped

    return splits, restore


def _flatten_sparse(
    ids: tf.SparseTensor,
    weights: Ids | None,
    key_dtype: tf.DType,
    combiner: str | None,
    mask_key: int | str | None,
    where: str,
) -> FlatInputs:
    if combiner is None:
        raise ValueError(
            explain(
                "A sparse input",
                rule="needs a combiner",
                received="tf.SparseTensor with combiner=None",
                where=where,
                remedy="Give the layer `combiner='sum'`, `'mean'` or `'sqrtn'`, or a ragged input.",
            )
        )
    ids = tf.sparse.reorder(ids)  # bags must lie one after another; nothing else promises it
    keys = as_keys(ids.values, key_dtype, where=where)
    if isinstance(weights, tf.SparseTensor):
        weights = tf.sparse.reorder(weights).values
    flat_weights = _flat_weights(weights, ids, where)
    outer = ids.dense_shape[:-1]
    strides = tf.math.cumprod(outer, exclusive=True, reverse=True)
    bag_of_key = tf.reduce_sum(ids.indices[:, :-1] * strides, axis=1)
    splits = tf.searchsorted(bag_of_key, tf.range(tf.reduce_prod(outer) + 1))
    batch = Batch(
        keys, _flat_mask(None, keys, mask_key), tf.cast(splits, tf.int64), flat_weights, combiner
    )
    static_outer = ids.shape[:-1]

    def restore(rows: tf.Tensor) -> tf.Tensor:
        shaped = tf.reshape(rows, tf.concat([outer, [rows.shape[-1]]], axis=0))
        return tf.ensure_shape(shaped, [*static_outer, rows.shape[-1]])

    return FlatInputs(batch, restore)
