"""TFRS's efficient serving: exact and approximate indexes of a trained model, compared."""

from __future__ import annotations

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100
from tests.integration.test_basic_retrieval import MovielensModel, parts

has_scann = importlib.util.find_spec("scann") is not None


@pytest.fixture(scope="module")
def model(tutorial):
    keras.utils.set_random_seed(1)
    made = MovielensModel(*parts(tutorial))
    made.compile(optimizer=keras.optimizers.Adagrad(0.1))
    made.fit(tutorial.batches("train", 2048), epochs=3, verbose=0)
    return made


def pairs(model, tutorial):
    # The corpus many times over, so that there is something to search.
    titles = tutorial.movies.batch(128)
    return tf.data.Dataset.zip((titles, titles.map(model.movie_model)))


def test_brute_force_and_streaming_agree(model, tutorial):
    users = tf.constant(tutorial.users[:64])
    found = {}
    for kind in ("BruteForce", "Streaming"):
        index = getattr(tfrs.layers.factorized_top_k, kind)(model.user_model, k=20)
        index.index_from_dataset(pairs(model, tutorial))
        found[kind] = index(users)
    scores, titles = found["BruteForce"]
    np.testing.assert_allclose(found["Streaming"][0], scores, rtol=1e-5)
    np.testing.assert_array_equal(found["Streaming"][1], titles)
    expected = model.user_model(users).numpy() @ model.movie_model(tutorial.titles).numpy().T
    np.testing.assert_allclose(scores[:, 0], expected.max(axis=1), rtol=1e-5)


@pytest.mark.slow
def test_an_index_takes_the_place_of_the_metric_s_candidates(model, tutorial):
    test = tutorial.batches("test", 4096)
    exact = model.evaluate(test, return_dict=True, verbose=0)
    index = tfrs.layers.factorized_top_k.BruteForce(k=100)
    index.index_from_dataset(pairs(model, tutorial))
    model.task.factorized_metrics = tfrs.metrics.FactorizedTopK(candidates=index)
    model.compile()
    indexed = model.evaluate(test, return_dict=True, verbose=0)
    assert top_100(indexed) == pytest.approx(top_100(exact), abs=1e-3)
    assert top_100(indexed) > 2 * tutorial.top_100_by_chance


@pytest.mark.slow
@pytest.mark.skipif(not has_scann, reason="scann is not installed: pip install recs[scann]")
def test_scann_finds_nearly_the_same(model, tutorial, tmp_path):
    users = tf.constant(tutorial.users[:200])
    brute = tfrs.layers.factorized_top_k.BruteForce(model.user_model, k=10)
    brute.index_from_dataset(pairs(model, tutorial))
    scann = tfrs.layers.factorized_top_k.ScaNN(
        model.user_model,
        k=10,
        num_leaves=32,
        num_leaves_to_search=16,
        num_reordering_candidates=100,
    )
    scann.index_from_dataset(pairs(model, tutorial))
    best, near = brute(users)[1].numpy(), scann(users)[1].numpy()
    shared = [len(set(a) & set(b)) for a, b in zip(best, near, strict=True)]
    assert np.mean(shared) / 10 > 0.9
