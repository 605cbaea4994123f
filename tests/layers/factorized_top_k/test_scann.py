"""ScaNN, where it is installed, against all scores; and what is said where it is not.

`pip install "recs[scann]"` into an environment of its own, then `pytest` there: ScaNN wants
TensorFlow 2.20.
"""

from __future__ import annotations

import importlib.util
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers.factorized_top_k import BruteForce, ScaNN
from recs.metrics import FactorizedTopK

HAS_SCANN = importlib.util.find_spec("scann") is not None
needs_scann = pytest.mark.skipif(not HAS_SCANN, reason='needs `pip install "recs[scann]"`')

RNG = np.random.default_rng(5)
CORPUS = RNG.normal(size=(2000, 16)).astype("float32")
OTHER = RNG.normal(size=(1500, 16)).astype("float32")
NAMES = np.array([f"item {i}" for i in range(2000)])
QUERIES = RNG.normal(size=(20, 16)).astype("float32")
WELL = {"num_leaves": 20, "num_leaves_to_search": 20, "num_reordering_candidates": 200}


def best(queries, corpus, k=10):
    return np.argsort(-(queries @ corpus.T), axis=1)[:, :k]


def recall(found, expected):
    pairs = zip(np.asarray(found), np.asarray(expected), strict=True)
    return np.mean([len(set(a.tolist()) & set(b.tolist())) / len(b) for a, b in pairs])


def test_the_error_without_scann_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "scann", None)
    monkeypatch.delitem(sys.modules, "scann.scann_ops.py.scann_ops", raising=False)
    message = r"`scann` must be installed.*in ScaNN 's'.*pip install \"recs\[scann\]\".*BruteForce"
    with pytest.raises(ImportError, match=message):
        ScaNN(name="s")


@needs_scann
@pytest.mark.parametrize("parallel", [True, False])
def test_it_finds_nearly_all_with_their_scores(parallel):
    index = ScaNN(k=10, parallelize_batch_searches=parallel, **WELL).index(CORPUS)
    scores, ids = index(QUERIES)
    assert recall(ids, best(QUERIES, CORPUS)) > 0.95
    expected = np.take_along_axis(QUERIES @ CORPUS.T, ids.numpy(), axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()
    one, ids_of_one = index(QUERIES[0])
    np.testing.assert_allclose(one, scores[0], rtol=1e-5)
    assert ids_of_one.shape == (10,)
    assert not index.is_exact()


@needs_scann
@pytest.mark.parametrize(
    "identifiers", [None, NAMES, np.arange(2000) * 2**40, np.arange(2000) / 7], ids=str
)
def test_identifiers_of_any_kind(identifiers):
    index = ScaNN(**WELL).index(CORPUS, identifiers)
    brute = BruteForce().index(CORPUS, identifiers)
    found, expected = index(QUERIES)[1], brute(QUERIES)[1]
    assert found.dtype == expected.dtype
    assert recall(found, expected) > 0.95
    assert index.num_candidates() == 2000


@needs_scann
def test_more_leaves_find_more():
    few = ScaNN(num_leaves=50, num_leaves_to_search=2, num_reordering_candidates=200)
    all_of_them = ScaNN(num_leaves=50, num_leaves_to_search=50, num_reordering_candidates=200)
    expected = best(QUERIES, CORPUS)
    first, second = (recall(i.index(CORPUS)(QUERIES)[1], expected) for i in (few, all_of_them))
    assert first < 0.9 < second


@needs_scann
def test_k_and_exclusions_of_a_call():
    index = ScaNN(**WELL).index(CORPUS, NAMES)
    scores, names = index(QUERIES, k=3)
    assert scores.shape == names.shape == (20, 3)
    _, others = index.query_with_exclusions(QUERIES, names, k=3)
    assert recall(others, names) == 0
    assert recall(others, NAMES[best(QUERIES, CORPUS, 6)].astype(bytes)) > 0.4


@needs_scann
def test_a_new_index_is_searched_and_old_functions_say_so():
    index = ScaNN(**WELL).index(CORPUS)
    traced = tf.function(lambda q: index(q)[1])
    assert recall(traced(QUERIES), best(QUERIES, CORPUS)) > 0.9
    index.index(OTHER)
    assert recall(index(QUERIES)[1], best(QUERIES, OTHER)) > 0.9
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be traced again after `index`"):
        traced(QUERIES)
    again = tf.function(lambda q: index(q)[1])
    assert recall(again(QUERIES), best(QUERIES, OTHER)) > 0.9


@needs_scann
def test_two_indexes_do_not_mix():
    first, second = ScaNN(**WELL).index(CORPUS), ScaNN(**WELL).index(OTHER)
    for index, corpus in ((first, CORPUS), (second, OTHER), (first, CORPUS)):
        assert recall(index(QUERIES)[1], best(QUERIES, corpus)) > 0.9


@needs_scann
@pytest.mark.parametrize("names", [None, NAMES], ids=["numbers", "strings"])
def test_a_saved_model_finds_the_same(names, tmp_path):
    index = ScaNN(keras.Sequential([keras.layers.Rescaling(2.0)]), k=5, **WELL)
    index.index(CORPUS, names)
    inputs = keras.Input((16,))
    model = keras.Model(inputs, index(inputs))
    scores, ids = index(QUERIES)
    model.save(tmp_path / "m.keras")
    index.index(OTHER)
    again = keras.models.load_model(tmp_path / "m.keras")
    for found in (again(QUERIES), again.predict(QUERIES, verbose=0)):
        np.testing.assert_allclose(found[0], scores, rtol=1e-6)
        np.testing.assert_array_equal(found[1], ids)


@needs_scann
def test_a_checkpoint_finds_the_same(tmp_path):
    index, other = ScaNN(**WELL).index(CORPUS, NAMES), ScaNN(**WELL).index(OTHER)
    other(QUERIES)
    path = tf.train.Checkpoint(index=index).write(str(tmp_path / "c"))
    tf.train.Checkpoint(index=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other(QUERIES)[1], index(QUERIES)[1])


@needs_scann
def test_an_export_finds_the_same(tmp_path):
    index = ScaNN(**WELL).index(CORPUS, NAMES)
    module = tf.Module()
    module.index = index
    spec = tf.TensorSpec([None, 16], tf.float32, name="queries")
    module.serve = tf.function(
        lambda queries: dict(zip(("scores", "ids"), index(queries), strict=True)),
        input_signature=[spec],
    )
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve, options=options)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    np.testing.assert_array_equal(served(queries=QUERIES)["ids"], index(QUERIES)[1])


@needs_scann
def test_the_corpus_metric_takes_it_with_ids():
    index = ScaNN(k=100, **WELL).index(CORPUS, NAMES)
    metric = FactorizedTopK(index, ks=(1, 10))
    chosen = best(QUERIES, CORPUS)
    metric.update_state(QUERIES, CORPUS[chosen[:, 0]], true_candidate_ids=NAMES[chosen[:, 0]])
    assert [float(x) for x in metric.result()] == [1.0, 1.0]
    with pytest.raises(ValueError, match="must be given with an index that is not exact"):
        metric.update_state(QUERIES, CORPUS[chosen[:, 0]])


@needs_scann
def test_configuration_returns():
    index = ScaNN(
        None, 7, "squared_l2", 11, 3, 5, 4, num_reordering_candidates=30,
        parallelize_batch_searches=False, name="mine",
    )  # fmt: skip
    config = index.get_config()
    assert ScaNN.from_config(config).get_config() == config
    assert (config["k"], config["num_leaves"], config["distance_measure"]) == (7, 11, "squared_l2")


@needs_scann
def test_distances():
    scores, ids = ScaNN(distance_measure="squared_l2", **WELL).index(CORPUS)(QUERIES)
    expected = ((QUERIES[:, None] - CORPUS[ids.numpy()]) ** 2).sum(-1)
    np.testing.assert_allclose(scores, expected, rtol=1e-3)


BAD = {
    "leaves": (lambda: ScaNN().index(CORPUS[:50]), "`num_leaves` must not exceed the number of"),
    "rows": (
        lambda: ScaNN().index(CORPUS, NAMES[:5]),
        "must be a matrix and a vector with as many",
    ),
    "no_index": (lambda: ScaNN()(QUERIES), "must be indexed before the layer is called"),
    "measure": (lambda: ScaNN(distance_measure="cosine"), "`distance_measure` must be 'dot_prod"),
    "k": (lambda: ScaNN(**WELL).index(CORPUS)(QUERIES, k=2001), "`k` must not exceed the number"),
}


@needs_scann
@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
