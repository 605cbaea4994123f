"""Allow-lists against a loop, in every exact index."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import BruteForce, Streaming, TopK
from recs.layers.factorized_top_k.exclusion import EXCLUDED_SCORE

IDS = {
    "string": np.array([f"id {i}" for i in range(12)], object),
    "int64": np.arange(12) * 2**55 - 2**58,
    "int32": np.arange(12, dtype="int32")[::-1].copy(),
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("index", [BruteForce, Streaming])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_agrees_with_a_loop(rng, kind, index, k):
    queries = rng.normal(size=(5, 3)).astype("float32")
    candidates = rng.normal(size=(12, 3)).astype("float32")
    unknown = {"string": "none", "int64": 7, "int32": 77}[kind]
    allowed = np.append(IDS[kind], unknown)[rng.integers(0, 13, (5, 6))]
    allowed[0] = unknown
    rows = tf.data.Dataset.from_tensor_slices((IDS[kind], candidates)).batch(5)
    layer = index(k=2).index_from_dataset(rows)
    wide = allowed if kind == "string" else allowed.astype("int64")
    traced = tf.function(lambda q, a, k: layer.query_with_inclusions(q, a, k=k))
    for got in (
        layer.query_with_inclusions(queries, wide, k=k),
        traced(queries, tf.constant(wide), tf.constant(k)),
    ):
        scores, ids = (x.numpy() for x in got)
        assert scores.shape == (5, k)
        for row in range(5):
            named = [c for c in range(12) if IDS[kind][c] in allowed[row]]
            named.sort(key=lambda c: -(queries[row] @ candidates[c]))
            want = [IDS[kind][c] for c in named[:k]]
            found = ids[row, : len(want)]
            found = [i.decode() for i in found] if kind == "string" else found.tolist()
            assert found == want
            np.testing.assert_allclose(
                scores[row, : len(want)], [queries[row] @ candidates[c] for c in named[:k]],
                rtol=1e-4, atol=1e-6,
            )  # fmt: skip
            assert (scores[row, len(want) :] == EXCLUDED_SCORE).all()


def test_own_scores(rng):
    class Distance(BruteForce):
        def _compute_score(self, queries, candidates):
            return -tf.reduce_sum((queries[:, None] - candidates[None]) ** 2, axis=-1)

    rows = rng.normal(size=(9, 3)).astype("float32")
    ids = Distance().index(rows).query_with_inclusions(rows[4:6], [[4, 0, 5]] * 2, k=1)[1]
    assert ids.numpy().tolist() == [[4], [5]]


def test_an_index_loaded_or_changed_finds_its_own(tmp_path):
    layer = BruteForce(k=1).index(np.eye(2, dtype="float32"), np.array(["a", "b"]))
    layer.save_weights(tmp_path / "i.weights.h5")
    layer.index(np.eye(3, dtype="float32"), np.array([7, 8, 9]))
    assert layer.query_with_inclusions(np.ones((1, 3)), [[8, 3]])[1].numpy() == [[8]]
    layer.load_weights(tmp_path / "i.weights.h5")
    found = layer.query_with_inclusions(np.ones((1, 2)), np.array([["b", "z"]]))[1]
    assert found.numpy().tolist() == [[b"b"]]


def test_errors():
    layer = BruteForce(name="films").index(np.eye(2), np.array(["a", "b"]))
    with pytest.raises(TypeError, match=r"`inclusions` must have the kind .*int32 against string"):
        layer.query_with_inclusions(np.eye(2), tf.constant([[1]] * 2))
    with pytest.raises(ValueError, match="must be indexed before"):
        BruteForce().query_with_inclusions(np.eye(2), [[1]] * 2)

    class Other(TopK):
        def index(self, candidates, identifiers=None): ...

        def call(self, queries, k=None): ...

        def is_exact(self): ...

    with pytest.raises(NotImplementedError, match=r"Inclusions must be .*Received: Other"):
        Other().query_with_inclusions(np.eye(2), [[1]] * 2)


def test_bad_candidates():
    rows = np.ones((4, 2), "float32")
    rows[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"`candidates` must be finite.*in 1 rows, such as row 2"):
        BruteForce().index(rows)
    empty = BruteForce(k=3).index(np.zeros((0, 2), "float32"))
    with pytest.raises(ValueError, match=r"`k` must not exceed .*k=3, 0 candidates"):
        empty(np.ones((1, 2)))
    twice = BruteForce(k=2).index(np.array([[1.0], [3.0], [2.0]]), np.array([5, 5, 6]))
    assert twice(np.ones((1, 1)))[1].numpy().tolist() == [[5, 6]]
    assert twice.query_with_inclusions(np.ones((1, 1)), [[5, 5]], k=1)[0].numpy() == [[1.0]]
