"""The quickstart of TFRS, as its users have it, with the imports changed and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100


def lookup_and_embedding(values, dim=32):
    vocabulary = keras.layers.StringLookup(mask_token=None)
    vocabulary.adapt(values.batch(1000))
    return keras.Sequential([vocabulary, keras.layers.Embedding(vocabulary.vocabulary_size(), dim)])


class MovieLensModel(tfrs.Model):
    def __init__(self, user_model, movie_model, task):
        super().__init__()
        self.user_model = user_model
        self.movie_model = movie_model
        self.task = task

    def compute_loss(self, features, training=False):
        user_embeddings = self.user_model(features["user_id"])
        movie_embeddings = self.movie_model(features["movie_title"])
        return self.task(user_embeddings, movie_embeddings)


@pytest.mark.slow
def test_quickstart(tutorial):
    ratings = tutorial.rows("train").map(
        lambda x: {"movie_title": x["movie_title"], "user_id": x["user_id"]}
    )
    movies = tutorial.movies
    user_model = lookup_and_embedding(ratings.map(lambda x: x["user_id"]))
    movie_model = lookup_and_embedding(movies)
    task = tfrs.tasks.Retrieval(
        metrics=tfrs.metrics.FactorizedTopK(movies.batch(1024).map(movie_model), ks=(10, 100))
    )
    model = MovieLensModel(user_model, movie_model, task)
    model.compile(optimizer=keras.optimizers.Adagrad(0.5))
    history = model.fit(ratings.batch(2048), epochs=2, verbose=0).history
    assert history["total_loss"][-1] < history["total_loss"][0]
    found = history["factorized_top_k/top_100_categorical_accuracy"]
    assert found[-1] > found[0]
    figures = model.evaluate(tutorial.batches("test", 4096), return_dict=True, verbose=0)
    assert top_100(figures) > 2 * tutorial.top_100_by_chance

    index = tfrs.layers.factorized_top_k.BruteForce(model.user_model)
    index.index_from_dataset(movies.batch(100).map(lambda title: (title, model.movie_model(title))))
    _, titles = index(np.array(["42"]))
    assert titles.shape == (1, 10)
    known = {title.decode() for title in movies.as_numpy_iterator()}
    assert {title.decode() for title in titles.numpy()[0]} <= known

    # Another user likes other movies.
    assert index(tf.constant(["7"]))[1].numpy().tolist() != titles.numpy().tolist()
