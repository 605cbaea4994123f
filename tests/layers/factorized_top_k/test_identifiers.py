"""Storage of identifiers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import identifiers


@pytest.mark.parametrize(
    "values",
    [
        tf.constant([-(2**63), 2**63 - 1]),
        tf.constant([2**64 - 1, 0], tf.uint64),
        tf.constant([-(2**31), 7], tf.int32),
        tf.constant([-0.1, float("inf")]),
        tf.constant([0.1, 1e300], tf.float64),
        tf.constant([True, False]),
        tf.constant(["", "a"]),
    ],
    ids=lambda v: v.dtype.name,
)
def test_round_trip(values):
    encoded = identifiers.encode(values)
    assert encoded.dtype in (tf.int64, tf.string)
    decoded = identifiers.decode(encoded, values.dtype.name)
    assert decoded.dtype == values.dtype
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("strings", [[], [b""], [b"", b"a\0b", "é".encode() * 9, b""]])
def test_strings_as_arrays(strings):
    joined, lengths = identifiers.strings_to_arrays(strings)
    assert joined.dtype == "uint8"
    assert identifiers.arrays_to_strings(joined, lengths).tolist() == strings
