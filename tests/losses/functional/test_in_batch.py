"""The pure functions, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from recs.losses.functional import in_batch


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_large_negative_is_finite_and_ignored(dtype):
    import keras

    low = keras.ops.cast(in_batch.large_negative(dtype), dtype)
    both = keras.ops.stack([low, keras.ops.zeros_like(low)])
    assert np.isfinite(np.asarray(keras.ops.cast(low, "float64")))
    assert float(keras.ops.softmax(both)[0]) == 0.0
    assert np.isfinite(float(keras.ops.cast(low + low, "float64"))) or dtype == "bfloat16"


@pytest.mark.parametrize("count", [1, 2, 5, 6, 50])
def test_hardest_negatives(rng, count):
    logits = rng.normal(size=(4, 7)).astype("float32")
    got = np.asarray(in_batch.hardest_negatives(logits, count))
    for row in range(4):
        want = np.sort(np.delete(logits[row], row))[::-1][:count]
        np.testing.assert_array_equal(np.sort(got[row][got[row] > -1e30])[::-1], want)


def test_same_id():
    got = np.asarray(in_batch.same_id(np.array([3, 4, 3]), 2))
    assert got.tolist() == [[True, False, True], [False, True, False]]
