"""Ids of any kind as int64, where ids are only compared and counted."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.errors import explain


def id_numbers(ids: Any, where: str) -> tf.Tensor:
    """Returns integers as they are and strings by a 63-bit hash, flat.

    Two of ten million strings share a number with odds of one in a hundred thousand; what is made
    of numbers bears that.

    Args:
        ids: Integers or strings of any shape.
        where: The layer, for an error.

    Raises:
        TypeError: when ids are floats, which would be rounded.
    """
    flat = tf.reshape(tf.convert_to_tensor(ids), [-1])
    if flat.dtype == tf.string:
        return tf.strings.to_hash_bucket_fast(flat, 2**63 - 1)
    if not flat.dtype.is_integer:
        raise TypeError(
            explain(
                "Ids", rule="must be integers or strings", received=flat.dtype.name, where=where
            )
        )
    return tf.cast(flat, tf.int64)
