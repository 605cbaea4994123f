"""TFRS's first tutorials, as their users have them, with the imports changed and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs as tfrs


@pytest.fixture(scope="module")
def movielens():
    log = tfrs.data.movielens.load()
    few = log.take(np.random.default_rng(0).choice(len(log), 8192, replace=False))
    ratings = few.with_item_features("movie_title").to_dataset(
        ["user_id", "movie_title", "user_rating"]
    )
    titles = np.unique(few.with_item_features("movie_title")["movie_title"].astype(str))
    return ratings, tf.data.Dataset.from_tensor_slices(titles)


def lookup_and_embedding(values, dim=16):
    vocabulary = keras.layers.StringLookup(mask_token=None)
    vocabulary.adapt(values.batch(1024))
    return keras.Sequential([vocabulary, keras.layers.Embedding(vocabulary.vocabulary_size(), dim)])


@pytest.mark.slow
def test_retrieval(movielens, tmp_path):
    ratings, movies = movielens

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

    user_model = lookup_and_embedding(ratings.map(lambda x: x["user_id"]))
    movie_model = lookup_and_embedding(movies)
    task = tfrs.tasks.Retrieval(
        metrics=tfrs.metrics.FactorizedTopK(movies.batch(128).map(movie_model), ks=(10, 100))
    )
    model = MovieLensModel(user_model, movie_model, task)
    model.compile(optimizer=keras.optimizers.Adagrad(0.5))
    history = model.fit(ratings.batch(2048), epochs=3, verbose=0).history
    assert history["total_loss"][-1] < history["total_loss"][0]
    found = history["factorized_top_k/top_100_categorical_accuracy"]
    assert found[-1] > found[0]

    index = tfrs.layers.factorized_top_k.BruteForce(model.user_model)
    index.index_from_dataset(movies.batch(100).map(lambda title: (title, model.movie_model(title))))
    _, titles = index(np.array(["42"]))
    assert titles.shape == (1, 10)
    known = {title.decode() for title in movies.as_numpy_iterator()}
    assert {title.decode() for title in titles.numpy()[0]} <= known

    streaming = tfrs.layers.factorized_top_k.Streaming(model.user_model)
    streaming.index_from_dataset(
        movies.batch(100).map(lambda title: (title, model.movie_model(title)))
    )
    np.testing.assert_array_equal(streaming(tf.constant(["42"]))[1], titles)

    path = tmp_path / "model"
    tfrs.export.saved_model(index, path, inputs=keras.Input((), dtype="string", name="user_id"))
    served = tf.saved_model.load(path).signatures["serving_default"]
    answer = served(user_id=tf.constant(["42"]))
    assert any(np.array_equal(value, titles) for value in answer.values())


@pytest.mark.slow
def test_ranking(movielens):
    ratings, movies = movielens

    class RankingModel(keras.Model):
        def __init__(self):
            super().__init__()
            self.user_embeddings = lookup_and_embedding(ratings.map(lambda x: x["user_id"]))
            self.movie_embeddings = lookup_and_embedding(movies)
            self.ratings = keras.Sequential(
                [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)]
            )

        def call(self, inputs):
            user_id, movie_title = inputs
            user = self.user_embeddings(user_id)
            movie = self.movie_embeddings(movie_title)
            return self.ratings(tf.concat([user, movie], axis=1))

    class MovielensModel(tfrs.models.Model):
        def __init__(self):
            super().__init__()
            self.ranking_model = RankingModel()
            self.task = tfrs.tasks.Ranking(
                loss=keras.losses.MeanSquaredError(),
                metrics=[keras.metrics.RootMeanSquaredError()],
            )

        def call(self, features):
            return self.ranking_model((features["user_id"], features["movie_title"]))

        def compute_loss(self, features, training=False):
            labels = features.pop("user_rating")
            return self.task(labels=labels, predictions=self(features))

    model = MovielensModel()
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    model.fit(ratings.batch(1024), epochs=3, verbose=0)
    figures = model.evaluate(ratings.batch(1024), return_dict=True, verbose=0)
    assert figures["root_mean_squared_error"] < 1.2
