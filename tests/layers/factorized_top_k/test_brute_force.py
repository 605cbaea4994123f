"""`BruteForce` against NumPy, and every way its state is saved."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import BruteForce

IDS = {
    "string": np.array([f"id {i}\0é".encode() for i in range(12)], object),
    "int64": np.arange(12) * 2**55 - 2**58,
    "int32": np.arange(12, dtype="int32")[::-1].copy(),
    "float32": np.arange(12, dtype="float32") + 0.25,
    "uint64": np.arange(12, dtype="uint64") + np.uint64(2**63),
}


def _expected(queries, candidates, ids, k):
    scores = queries @ candidates.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), ids[order]


@pytest.fixture
def data(rng):
    return rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(12, 3)).astype("float32")


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("k", [1, 4, 12])
def test_agrees_with_numpy(data, kind, k):
    queries, candidates = data
    scores, ids = BruteForce(k=k).index(candidates, IDS[kind])(queries)
    want_scores, want_ids = _expected(queries, candidates, IDS[kind], k)
    np.testing.assert_allclose(scores, want_scores, rtol=1e-5)
    np.testing.assert_array_equal(ids.numpy(), want_ids)
    assert ids.dtype == tf.as_dtype(kind)


def test_row_numbers_are_the_default(data):
    ids = BruteForce(k=2).index(data[1])(data[0])[1]
    assert ids.dtype == tf.int32
    np.testing.assert_array_equal(ids, _expected(*data, np.arange(12), 2)[1])


def test_k_at_call_time(data):
    index = BruteForce(k=2).index(data[1])
    assert index(data[0], k=5)[0].shape == (5, 5)
    assert index(data[0], k=tf.constant(3))[0].shape == (5, 3)
    traced = tf.function(lambda q, k: index(q, k=k))
    assert traced(data[0], tf.constant(7))[0].shape == (5, 7)


def test_index_from_dataset(data):
    pairs = tf.data.Dataset.from_tensor_slices((IDS["string"], data[1])).batch(5)
    ids = BruteForce(k=3).index_from_dataset(pairs)(data[0])[1]
    np.testing.assert_array_equal(ids.numpy(), _expected(*data, IDS["string"], 3)[1])


@pytest.mark.parametrize("names", [["a", "b"], [7, 8]])
def test_a_new_index_reaches_functions_traced_before(data, names):
    index = BruteForce(k=1).index(data[1], np.array(names * 6))
    traced = tf.function(lambda q: index(q), input_signature=[tf.TensorSpec([None, 3])])
    traced(data[0])
    index.index(np.eye(3, dtype="float32")[:2], np.array(names[::-1]))
    scores, ids = traced(np.eye(3, dtype="float32"))
    assert scores.numpy().tolist() == [[1.0], [1.0], [0.0]]
    assert ids.numpy().astype(str)[:2, 0].tolist() == [str(name) for name in names[::-1]]


def test_query_model_infers(data):
    dropout = keras.Sequential([keras.layers.Dropout(0.9)])
    index = BruteForce(dropout, k=1).index(data[1])
    np.testing.assert_allclose(
        index(data[0], training=True)[0], _expected(*data, np.arange(12), 1)[0], rtol=1e-5
    )


def test_no_half_precision(data):
    keras.config.set_dtype_policy("mixed_float16")
    scores = BruteForce(k=1).index(data[1])(1000 * data[0])[0]
    want = _expected(1000 * data[0], data[1], np.arange(12), 1)[0]
    np.testing.assert_allclose(scores, want, rtol=1e-5)


def test_exclusions(data):
    queries, candidates = data
    index = BruteForce(k=3).index(candidates, IDS["string"])
    want = _expected(queries, candidates, IDS["string"], 12)[1]
    excluded = want[:, [0, 2]].astype(object)
    _, ids = index.query_with_exclusions(queries, excluded)
    np.testing.assert_array_equal(ids.numpy(), want[:, [1, 3, 4]])


def test_excluded_stay_out_whatever_the_gap():
    # TFRS gives back item 0 here, whose score is more than 1e5 ahead.
    index = BruteForce(k=1).index(np.array([[1e7], [1.0], [2.0]], "float32"))
    scores, ids = index.query_with_exclusions(np.ones((1, 1)), np.array([[0]]))
    assert (scores.numpy().tolist(), ids.numpy().tolist()) == ([[2.0]], [[2]])


def test_too_few_others_are_marked():
    index = BruteForce(k=3).index(np.array([[3.0], [1.0], [2.0]], "float32"))
    scores, ids = index.query_with_exclusions(np.ones((1, 1)), np.array([[0, 2]]))
    assert ids.numpy()[0, 0] == 1
    assert scores.numpy()[0, 1:].tolist() == [tf.float32.min] * 2


def test_errors(data):
    with pytest.raises(ValueError, match=r"must be indexed before .*no index.*BruteForce 'b'"):
        BruteForce(name="b")(data[0])
    with pytest.raises(ValueError, match=r"`k` must not exceed the number .*k=10, 3 candidates"):
        BruteForce().index(data[1][:3])(data[0])
    with pytest.raises(ValueError, match=r"`k` must be a positive integer. Received: k=0"):
        BruteForce(k=0)
    with pytest.raises(ValueError, match=r"must be a matrix and a vector .*\(12, 3\) and \(2,\)"):
        BruteForce().index(data[1], np.arange(2))
    with pytest.raises(ValueError, match=r"must be a matrix"):
        BruteForce().index(np.ones(3))
    index = BruteForce(k=2).index(data[1][:3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must not exceed the number"):
        tf.function(lambda q, k: index(q, k=k))(data[0], tf.constant(4))
    with pytest.raises(ValueError, match=r"`k` must not exceed"):
        index.query_with_exclusions(data[0], np.zeros((5, 1), "int32"), k=4)
    with pytest.raises(TypeError, match=r"`exclusions` must have the kind .*string against int32"):
        index.query_with_exclusions(data[0], np.array([["a"]] * 5))
    with pytest.raises(ValueError, match=r"must yield embeddings or pairs of"):
        index.index_from_dataset(tf.data.Dataset.from_tensors((1, 2, 3)))


def test_empty_queries(data):
    scores, ids = BruteForce(k=2).index(data[1], IDS["string"])(np.zeros((0, 3), "float32"))
    assert scores.shape == ids.shape == (0, 2)


def _model(kind, rows, query_model=False):
    tower = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]) if query_model else None
    index = BruteForce(tower, k=2, name="index")
    rng = np.random.default_rng(rows)
    return index.index(rng.normal(size=(rows, 3)).astype("float32"), IDS[kind][:rows])


@pytest.mark.parametrize("kind", ["string", "int64", "float32"])
@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize("way", ["weights", "checkpoint"])
def test_state_replaces_an_index_of_another_size(data, tmp_path, kind, before, way):
    saved = _model(kind, 9)
    other = _model("int32", before) if before else BruteForce(k=2, name="index")
    if way == "weights":
        saved.save_weights(tmp_path / "i.weights.h5")
    else:
        path = tf.train.Checkpoint(index=saved).save(tmp_path / "i")
    want = [x.numpy() for x in saved(data[0])]
    saved.index(np.zeros((4, 3), "float32"))
    if way == "weights":
        other.load_weights(tmp_path / "i.weights.h5")
    else:
        tf.train.Checkpoint(index=other).restore(path).assert_existing_objects_matched()
    scores, ids = other(data[0])
    np.testing.assert_array_equal(scores, want[0])
    np.testing.assert_array_equal(ids, want[1])
    assert ids.dtype == tf.as_dtype(kind)


LOAD = """
    import sys, keras, numpy as np, tensorflow as tf
    if sys.argv[1] != "exported":
        import recs.layers.factorized_top_k
    queries = np.load(sys.argv[3])
    if sys.argv[1] == "exported":
        served = tf.saved_model.load(sys.argv[2])
        scores, ids = served.serve(queries)
        assert "recs" not in sys.modules
    else:
        scores, ids = keras.models.load_model(sys.argv[2])(queries)
    names = [[one.hex() for one in row] for row in ids.numpy()]
    np.savez(sys.argv[4], scores=scores.numpy(), ids=names)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["keras", "exported"])
def test_another_process_gives_the_same(data, tmp_path, way):
    index = _model("string", 9, query_model=True)
    path = tmp_path / ("i.keras" if way == "keras" else "exported")
    if way == "keras":
        index.save(path)
    else:
        index.export(
            path, input_signature=[keras.InputSpec(shape=(None, 3), dtype="float32")], verbose=False
        )
    np.save(tmp_path / "q.npy", data[0])
    out = tmp_path / "out.npz"
    script = textwrap.dedent(LOAD)
    command = [sys.executable, "-c", script, way, path, tmp_path / "q.npy", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    scores, ids = index(data[0])
    with np.load(out) as loaded:
        np.testing.assert_allclose(loaded["scores"], scores, rtol=1e-6)
        np.testing.assert_array_equal(loaded["ids"], [[x.hex() for x in r] for r in ids.numpy()])


def test_exclusions_and_k_are_exported_with_stock_ops(data, tmp_path):
    index = BruteForce(k=2).index(data[1], IDS["string"])

    class Served(tf.Module):
        def __init__(self):
            super().__init__()
            self.index = index

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 3]),
                tf.TensorSpec([None, None], tf.string),
                tf.TensorSpec([], tf.int32),
            ]
        )
        def top_k(self, queries, exclusions, k):
            scores, ids = self.index.query_with_exclusions(queries, exclusions, k=k)
            return {"scores": scores, "ids": ids}

    tf.saved_model.save(Served(), str(tmp_path))
    excluded = _expected(*data, IDS["string"], 12)[1][:, :1].astype(object)
    loaded = tf.saved_model.load(str(tmp_path))
    ids = loaded.top_k(data[0], tf.constant(excluded), tf.constant(3))["ids"]
    want = _expected(*data, IDS["string"], 12)[1][:, 1:4]
    np.testing.assert_array_equal(ids.numpy(), want)
