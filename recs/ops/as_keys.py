"""Checks ids, and refuses those that a conversion would change."""

from __future__ import annotations

import tensorflow as tf

from recs.errors import explain


def as_keys(tensor: tf.Tensor, key_dtype: tf.DType, *, where: str) -> tf.Tensor:
    """Returns ids in the table's dtype; integers widen, nothing else is converted.

    Raises:
        ValueError: floats, booleans, unsigned 64-bit integers, or strings for integers.
    """
    if tensor.dtype == key_dtype:
        return tensor
    if key_dtype == tf.int64 and tensor.dtype.is_integer and tensor.dtype != tf.uint64:
        return tf.cast(tensor, tf.int64)
    remedy = "Give `key_dtype='string'` for string ids." if tensor.dtype == tf.string else ""
    if tensor.dtype.is_integer and key_dtype == tf.string:
        remedy = "Give `key_dtype='int64'`, or convert them: `tf.strings.as_string(ids)`."
    if tensor.dtype.is_floating:
        remedy = (
            "Convert them before, so that no id is rounded: `ids.astype('int64')`; begin a "
            "`Sequential` with `keras.Input(shape, dtype='int64')`."
        )
    if tensor.dtype == tf.uint64:
        remedy = "Keep their bits: `tf.bitcast(ids, tf.int64)`."
    raise ValueError(
        explain(
            "Ids",
            rule=f"must be {'integers' if key_dtype == tf.int64 else 'strings'}, as `key_dtype` "
            f"{key_dtype.name} says",
            received=f"dtype {tensor.dtype.name}",
            where=where,
            remedy=remedy,
        )
    )
