"""`Streaming` against NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import BruteForce, Streaming


@pytest.fixture
def data(rng):
    return rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(23, 3)).astype("float32")


def _stream(rows, batch, **options):
    return Streaming(**options).index_from_dataset(
        tf.data.Dataset.from_tensor_slices(rows).batch(batch)
    )


@pytest.mark.parametrize("batch", [1, 4, 23, 100])
@pytest.mark.parametrize("k", [1, 5, 23])
@pytest.mark.parametrize("at_once", [6, 2**16], ids=["merged", "at once"])
def test_agrees_with_brute_force(data, batch, k, at_once, monkeypatch):
    monkeypatch.setattr("recs.layers.factorized_top_k.streaming.COLUMNS_AT_ONCE", at_once)
    scores, ids = _stream(data[1], batch, k=k)(data[0])
    want = BruteForce(k=k).index(data[1])(data[0])
    np.testing.assert_allclose(scores, want[0], rtol=1e-6)
    np.testing.assert_array_equal(ids, want[1])


@pytest.mark.parametrize("kind", ["int64", "string"])
def test_identifiers(data, kind):
    names = np.arange(23) * 10 if kind == "int64" else np.array([f"n{i}" for i in range(23)])
    ids = _stream((names, data[1]), 6, k=3)(data[0])[1]
    assert ids.dtype == tf.as_dtype(kind)
    rows = BruteForce(k=3).index(data[1])(data[0])[1]
    np.testing.assert_array_equal(ids.numpy().astype(names.dtype), names[rows.numpy()])


def test_fewer_candidates_give_fewer_columns(data):
    scores, ids = _stream(data[1][:4], 3, k=10)(data[0])
    assert scores.shape == ids.shape == (5, 4)
    few = _stream(data[1][:4], 3, k=3).query_with_exclusions(data[0], np.zeros((5, 1), "int32"))
    assert few[0].shape == (5, 3)
    assert 0 not in few[1].numpy()


def test_no_candidates_at_all(data):
    scores, ids = _stream(data[1][:0], 3, k=10)(data[0])
    assert scores.shape == ids.shape == (5, 0)


@pytest.mark.parametrize("traced", [False, True])
def test_incomplete_batches_can_be_refused(data, traced):
    index = _stream(data[1], 5, k=4, handle_incomplete_batches=False)
    call = tf.function(lambda q: index(q)) if traced else index
    kind = tf.errors.InvalidArgumentError if traced else ValueError
    with pytest.raises(kind, match="must have at least `k` candidates"):
        call(data[0])
    whole = _stream(data[1][:20], 5, k=4, handle_incomplete_batches=False)
    assert whole(data[0])[0].shape == (5, 4)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_candidates_without_an_order_are_refused(data, traced, bad):
    data[1][17, 1] = bad
    index = _stream(data[1], 5, k=4)
    call = tf.function(lambda q: index(q)) if traced else index
    kind = tf.errors.InvalidArgumentError if traced else ValueError
    with pytest.raises(kind, match="andidates must be finite"):
        call(data[0])


def test_k_may_be_a_tensor(data):
    index = _stream(data[1], 7)
    assert index(data[0], k=tf.constant(6))[0].shape == (5, 6)
    assert tf.function(lambda q, k: index(q, k=k))(data[0], tf.constant(2))[0].shape == (5, 2)


def test_candidates_are_encoded_as_they_are_now(data):
    table = keras.layers.Embedding(23, 3)
    rows = tf.data.Dataset.range(23).batch(5).map(table)
    index = Streaming(k=2).index_from_dataset(rows)
    index(data[0])
    table.embeddings.assign(data[1])
    np.testing.assert_array_equal(index(data[0])[1], BruteForce(k=2).index(data[1])(data[0])[1])


def test_calls_side_by_side_keep_their_own_row_numbers(data):
    # TFRS counts rows in one variable, so two calls in one graph disturb each other.
    index = _stream(data[1], 4, k=3)
    first, second = tf.function(lambda q: (index(q)[1], index(q)[1]))(data[0])
    want = BruteForce(k=3).index(data[1])(data[0])[1]
    np.testing.assert_array_equal(first, want)
    np.testing.assert_array_equal(second, want)


def test_own_scores(data):
    class Distance(Streaming):
        def _compute_score(self, queries, candidates):
            difference = queries[:, None] - candidates[None]
            return -tf.reduce_sum(difference**2, axis=-1)

    rows = tf.data.Dataset.from_tensor_slices(data[1]).batch(5)
    ids = Distance(k=1).index_from_dataset(rows)(data[1][:7])[1]
    np.testing.assert_array_equal(ids[:, 0], np.arange(7))


def test_errors(data):
    with pytest.raises(ValueError, match=r"must be indexed before .*Streaming 's'"):
        Streaming(name="s")(data[0])
    with pytest.raises(NotImplementedError, match=r"must come as a dataset.*index_from_dataset"):
        Streaming().index(data[1])
    unequal = tf.data.Dataset.from_tensors((np.zeros(3), np.zeros((4, 2))))
    with pytest.raises(ValueError, match=r"pairs of \(identifiers, embeddings\) of equal length"):
        Streaming().index_from_dataset(unequal)
    with pytest.raises(ValueError, match="must yield embeddings or pairs"):
        Streaming().index_from_dataset(tf.data.Dataset.from_tensors({"a": np.zeros((1, 2))}))
