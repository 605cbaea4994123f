"""The index of lists against scoring everything, and its own promises."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import IVF, BruteForce
from recs.layers.factorized_top_k import ivf as module
from recs.layers.factorized_top_k.clusters import find_clusters
from tests.harness.rounding import sum_error


@pytest.fixture(scope="module")
def groups():
    """Candidates in groups, the first of them large, and queries near them."""
    rng = np.random.default_rng(3)
    means = rng.normal(size=(40, 16)).astype("float32")
    of = np.concatenate([np.zeros(1500, int), rng.integers(0, 40, 2500)])
    rows = means[of] + 0.3 * rng.normal(size=(4000, 16)).astype("float32")
    queries = means[rng.integers(0, 40, 50)] + 0.3 * rng.normal(size=(50, 16)).astype("float32")
    return rows.astype("float32"), queries.astype("float32")


def found(ids, best, k):
    ids, best = np.asarray(ids), np.asarray(best)
    return np.mean([len(set(i) & set(b)) / k for i, b in zip(ids, best, strict=True)])


def test_lists_hold_every_row_once_and_none_is_long(groups):
    rows, _ = groups
    lists = find_clusters(rows, 50, 0, "here")
    assert sorted(lists.order) == list(range(4000))
    assert lists.lengths.sum() == 4000
    assert lists.lengths.max() <= 120  # half as long again as 4000 / 50
    assert lists.lengths.min() >= 1
    np.testing.assert_array_equal(lists.offsets, np.cumsum(lists.lengths) - lists.lengths)
    for offset, length, centre in zip(lists.offsets, lists.lengths, lists.centres, strict=True):
        want = rows[lists.order[offset : offset + length]].mean(0)
        np.testing.assert_allclose(centre, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["numbers", "strings", "rows"])
def test_all_lists_give_what_brute_force_gives(groups, kind):
    rows, queries = groups
    ids = {"numbers": np.arange(4000) * 7 - 5000, "rows": None,
           "strings": np.array([f"item {i}" for i in range(4000)])}[kind]  # fmt: skip
    index = IVF(k=10, lists=50).index(rows, ids)
    exact = BruteForce(k=10).index(rows, ids)
    got, want = index(queries, probes=10_000), exact(queries)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-5)
    assert got[1].dtype == want[1].dtype
    assert found(got[1], want[1], 10) > 0.999  # but for ties


def test_scores_are_those_of_the_candidates_and_recall_is_what_is_found(groups):
    rows, queries = groups
    index = IVF(k=20, lists=60).index(rows)
    truth = np.argsort(-(queries @ rows.T), axis=1)[:, :20]
    recalls = []
    for probes in (3, 6, 16, 60):
        scores, ids = (np.asarray(x) for x in index(queries, probes=probes))
        np.testing.assert_allclose(
            scores, np.einsum("qd,qkd->qk", queries, rows[ids]), rtol=1e-4, atol=1e-5
        )
        assert np.all(np.diff(scores, axis=1) <= 0)
        assert all(len(set(row)) == 20 for row in ids)
        recalls.append(found(ids, truth, 20))
        assert index.recall(queries, probes=probes) == pytest.approx(recalls[-1], abs=0.005)
    assert recalls[0] < recalls[1] < recalls[-1]
    assert recalls[2] > 0.9


def test_probes_are_chosen_by_a_wanted_recall(groups):
    rows, queries = groups
    index = IVF(k=20, lists=60).index(rows)
    probes = index.choose_probes(queries, recall=0.9)
    assert index.probes == probes
    assert index.recall(queries) >= 0.9
    assert probes == 1 or index.recall(queries, probes=probes - 1) < 0.9


@pytest.mark.parametrize("traced", [False, True])
def test_queries_are_searched_some_at_a_time(groups, monkeypatch, traced):
    rows, queries = groups
    index = IVF(k=7, lists=50, probes=5).index(rows)
    want = index(queries)
    monkeypatch.setattr(module, "AT_ONCE", 5 * 120 * 16 * 3)  # three queries or a few more
    call = tf.function(index) if traced else index
    for got, value in zip(call(queries), want, strict=True):
        np.testing.assert_array_equal(got, value)


def test_k_and_probes_may_be_tensors(groups):
    rows, queries = groups
    index = IVF(lists=50).index(rows)
    call = tf.function(lambda q, k, p: index(q, k=k, probes=p))
    for k, probes in ((3, 2), (15, 9)):
        for got, want in zip(
            call(queries, tf.constant(k), tf.constant(probes)),
            index(queries, k=k, probes=probes),
            strict=True,
        ):
            np.testing.assert_array_equal(got, want)


def test_rows_are_filled_up_where_lists_are_short(groups):
    rows, queries = groups
    index = IVF(lists=50).index(rows)
    scores, ids = index(queries, k=200, probes=1)
    assert scores.shape == ids.shape == (50, 200)
    filled = np.asarray(scores) == np.finfo("float32").min
    assert filled.any(1).all()
    assert not filled[:, 0].any()


def test_exclusions_and_inclusions(groups):
    rows, queries = groups
    index = IVF(k=5, lists=50, probes=50).index(rows)
    best = index(queries)[1].numpy()
    scores, left = index.query_with_exclusions(queries, best[:, :2])
    np.testing.assert_array_equal(left[:, :3], best[:, 2:])
    _, among = index.query_with_inclusions(queries, best[:, ::-1], k=2)
    np.testing.assert_array_equal(among, best[:, :2])
    assert scores.shape == (50, 5)


def test_an_index_may_be_built_again(groups):
    rows, queries = groups
    index = IVF(k=5, lists=50, probes=50).index(rows)
    call = tf.function(index)
    call(queries)
    other = rows[:1000] * -1
    index.index(other, np.arange(1000) + 5)
    want = BruteForce(k=5).index(other, np.arange(1000) + 5)(queries)
    size = (np.abs(queries) @ np.abs(other).T).max()
    error = 2 * sum_error(queries.shape[1], size)
    np.testing.assert_allclose(call(queries)[0], want[0], rtol=0, atol=error)
    assert index.num_candidates() == 1000


def test_it_is_saved_without_k_means(groups, tmp_path, monkeypatch):
    rows, queries = groups
    index = IVF(k=5, lists=50, probes=3, name="films").index(
        rows, np.array([f"{i}" for i in range(4000)])
    )
    want = index(queries)
    index.save(tmp_path / "index.keras")
    tf.train.Checkpoint(index=index).write(str(tmp_path / "checkpoint"))
    tf.saved_model.save(index, str(tmp_path / "served"), signatures=tf.function(
        lambda q: dict(zip(("scores", "ids"), index(q), strict=True)),
        input_signature=[tf.TensorSpec([None, 16], name="q")],
    ).get_concrete_function())  # fmt: skip
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    loaded = keras.saving.load_model(tmp_path / "index.keras")
    restored = IVF(k=5, probes=3)
    tf.train.Checkpoint(index=restored).read(str(tmp_path / "checkpoint")).assert_consumed()
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    answer = served(q=tf.constant(queries))
    for got in (loaded(queries), restored(queries), (answer["scores"], answer["ids"])):
        np.testing.assert_allclose(got[0], want[0], rtol=1e-6)
        np.testing.assert_array_equal(got[1], want[1])
    with pytest.raises(ImportError, match=r"recs\[ivf\]"):
        index.index(rows)


def test_few_candidates():
    rows = np.eye(3, dtype="float32")
    scores, ids = IVF(k=3).index(rows)(rows[:1] * 2)
    assert scores.numpy().tolist()[0][0] == 2.0
    assert ids.numpy()[0, 0] == 0
    same = IVF(k=2, lists=3).index(np.ones((5, 2), "float32"))  # duplicates
    assert same(np.ones((1, 2), "float32"))[0].numpy().tolist() == [[2.0, 2.0]]


def test_what_cannot_be_is_refused(groups):
    rows, queries = groups
    with pytest.raises(ValueError, match="`lists` must be a positive integer"):
        IVF(lists=0)
    with pytest.raises(ValueError, match="`probes` must be a positive integer"):
        IVF(probes=-1)
    with pytest.raises(ValueError, match="must be indexed before"):
        IVF()(queries)
    index = IVF(k=10, lists=50).index(rows)
    with pytest.raises(ValueError, match="`k` must not exceed the number of candidates"):
        index(queries, k=4001)
    with pytest.raises(ValueError, match="`recall` must lie in"):
        index.choose_probes(queries, recall=1.5)
    broken = rows.copy()
    broken[7, 3] = np.nan
    with pytest.raises(ValueError, match="`candidates` must be finite"):
        index.index(broken)
    with pytest.raises(ValueError, match="must be a matrix and a vector with as many rows"):
        index.index(rows, np.arange(3))
    with pytest.raises(ValueError, match="`k` must not exceed"):
        IVF().index(np.zeros((0, 16), "float32"))(queries)
    np.testing.assert_array_equal(index(queries, probes=50)[0].shape, (50, 10))  # still there
