"""The time of a look-up."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from recs.errors import explain

# What the op takes for the clock's time, and for no time at all.
NOW, NONE = 0, -1


def newest(timestamps: Any, where: str) -> tf.Tensor | int:
    """Returns the newest of some times as a scalar int64: `NOW` without any argument.

    Args:
        timestamps: Whole seconds since 1970, integers or floats of any shape and structure, or
            None. Of none in a batch `NONE` is returned.
        where: The layer, for the message.

    Raises:
        ValueError: they are no numbers.
        tf.errors.InvalidArgumentError: one of them is NaN, infinite, below 1 or 2^32 or above.
    """
    if timestamps is None:
        return NOW
    if isinstance(timestamps, tf.RaggedTensor):
        timestamps = timestamps.flat_values
    elif isinstance(timestamps, tf.SparseTensor):
        timestamps = timestamps.values
    times = tf.convert_to_tensor(timestamps)
    if not (times.dtype.is_integer or times.dtype.is_floating):
        raise ValueError(
            explain(
                "`timestamps`",
                rule="must be seconds since 1970 as numbers",
                received=f"dtype {times.dtype.name}",
                where=where,
                remedy="Convert dates before: `dates.astype('datetime64[s]').astype('int64')`.",
            )
        )
    with tf.control_dependencies([_check(times, where)]):
        times = tf.cast(times, tf.int64)
    return tf.where(tf.size(times) > 0, tf.reduce_max(times), tf.constant(NONE, tf.int64))


def _check(times: tf.Tensor, where: str) -> tf.Operation | None:
    # In float64, where NaN is in no range and 2^32 is exact.
    seconds = tf.cast(times, tf.float64)
    message = explain(
        "`timestamps`",
        rule="must be finite seconds since 1970, from 1 to 2^32 - 1",
        received="others",
        where=where,
        remedy="Divide milliseconds by 1000. Leave `timestamps` out for the clock's time.",
    )
    good = tf.reduce_all((seconds >= 1) & (seconds < 2.0**32))
    return tf.debugging.assert_equal(good, True, message)
