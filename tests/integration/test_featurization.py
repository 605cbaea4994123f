"""TFRS's featurization: vocabularies, hashing, normalization, buckets and text, in two towers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100
from tests.integration.test_context_features import MovieModel, UserModel


def test_titles_become_numbers(tutorial):
    movie_title_lookup = keras.layers.StringLookup()
    movie_title_lookup.adapt(tutorial.movies.batch(1000))
    known, unknown = tutorial.titles[3], "No Such Movie (1900)"
    assert movie_title_lookup.vocabulary_size() == len(tutorial.titles) + 1
    numbers = movie_title_lookup(tf.constant([known, unknown])).numpy()
    assert numbers[0] > 0 == numbers[1]
    hashing = keras.layers.Hashing(num_bins=200_000)
    hashed = hashing(tf.constant([known, unknown])).numpy()
    assert ((hashed >= 0) & (hashed < 200_000)).all()
    assert hashed[0] != hashed[1]
    # A table needs neither: every title has a row of its own as soon as it is trained on.
    table = recs.layers.DynamicEmbedding(32, key_dtype="string")
    rows = table(tutorial.titles, training=True)
    assert len(np.unique(rows, axis=0)) == len(tutorial.titles) == table.table.size()
    assert not table(np.array([unknown])).numpy().any()


def test_times_become_numbers(tutorial):
    timestamps = tutorial.train["timestamp"]
    normalization = keras.layers.Normalization(axis=None)
    normalization.adapt(timestamps)
    normal = normalization(timestamps.astype("float32")).numpy()
    assert normal.mean() == pytest.approx(0, abs=0.01)
    assert normal.std() == pytest.approx(1, abs=0.01)
    buckets = np.linspace(timestamps.min(), timestamps.max(), num=1000)
    discretization = keras.layers.Discretization(buckets.tolist())
    found = discretization(timestamps[:100]).numpy()
    np.testing.assert_array_equal(found, np.digitize(timestamps[:100], buckets))


class MovielensModel(tfrs.models.Model):
    def __init__(self, tutorial):
        super().__init__()
        self.query_model = keras.Sequential([UserModel(tutorial, True), keras.layers.Dense(32)])
        self.candidate_model = keras.Sequential(
            [keras.Input((), dtype="string"), MovieModel(tutorial), keras.layers.Dense(32)]
        )
        candidates = tutorial.movies.batch(1024).map(self.candidate_model)
        self.task = tfrs.tasks.Retrieval(metrics=tfrs.metrics.FactorizedTopK(candidates))

    def compute_loss(self, features, training=False):
        queries = {"user_id": features["user_id"], "timestamp": features["timestamp"]}
        movies = self.candidate_model(features["movie_title"])
        return self.task(self.query_model(queries), movies, compute_metrics=not training)


@pytest.mark.slow
def test_features_of_both_towers(tutorial):
    model = MovielensModel(tutorial)
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    model.fit(tutorial.batches("train", 2048), epochs=3, verbose=0)
    figures = model.evaluate(tutorial.batches("test", 4096), return_dict=True, verbose=0)
    assert top_100(figures) > 2.2 * tutorial.top_100_by_chance
    # A title that no vocabulary has is known by its words.
    titles = tf.constant(["Star Trek: The Sequel", "Toy Story: The Sequel", "Zyxwv"])
    new = model.candidate_model(titles).numpy()
    assert (new[0] != new[1]).any()
    assert (new[1] != new[2]).any()
