"""Identifiers of any dtype in two kinds of storage: 64-bit integers and byte strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


def encode(identifiers: tf.Tensor) -> tf.Tensor:
    """Returns integers and floats as int64, without loss, and strings as they are."""
    if identifiers.dtype == tf.string:
        return identifiers
    if identifiers.dtype.is_floating:
        return tf.bitcast(tf.cast(identifiers, tf.float64), tf.int64)
    return tf.cast(identifiers, tf.int64)


def decode(encoded: tf.Tensor, dtype: str) -> tf.Tensor:
    """Returns what `encode` was given."""
    original = tf.as_dtype(dtype)
    if original.is_floating:
        return tf.cast(tf.bitcast(encoded, tf.float64), original)
    return tf.cast(encoded, original) if encoded.dtype != original else encoded


def strings_to_arrays(strings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the bytes of all strings end to end, and their lengths: HDF5 holds numbers only."""
    parts = [bytes(one) for one in strings]
    lengths = np.array([len(one) for one in parts], "int64")
    return np.frombuffer(b"".join(parts), "uint8").copy(), lengths


def arrays_to_strings(joined: Any, lengths: Any) -> np.ndarray:
    """Returns the strings that `strings_to_arrays` took apart."""
    data, ends = np.asarray(joined, "uint8").tobytes(), np.cumsum(np.asarray(lengths, "int64"))
    parts = [data[end - size : end] for end, size in zip(ends, lengths, strict=True)]
    result = np.empty(len(parts), object)
    result[:] = parts
    return result
