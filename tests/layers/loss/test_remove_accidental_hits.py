"""`RemoveAccidentalHits` in any precision and with any ids."""

from __future__ import annotations

import numpy as np
import pytest

from recs.layers.loss import RemoveAccidentalHits

IDS = [np.array([7, 8, 7, 7]), np.array(["a", "b", "a", "a"]), np.array([[7], [8], [7], [7]])]


@pytest.mark.parametrize("ids", IDS, ids=["int", "string", "column"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_hits_leave_the_softmax(ids, dtype):
    logits = np.full((3, 4), 60000.0, dtype)
    got = np.asarray(RemoveAccidentalHits()(np.eye(3, 4, dtype=dtype), logits, ids))
    assert got.dtype == dtype
    assert np.isfinite(got).all()
    assert (got < -10000).tolist() == [
        [False, False, True, True],
        [False, False, False, False],
        [True, False, False, True],
    ]
    np.testing.assert_array_equal(got[got > 0], np.dtype(dtype).type(60000.0))


def test_no_queries():
    empty = np.zeros((0, 4), "float32")
    assert RemoveAccidentalHits()(empty, empty, IDS[0]).shape == (0, 4)
