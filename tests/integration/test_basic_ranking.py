"""TFRS's basic ranking: ratings from two embeddings and a stack of dense layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
import recs.compat.tfrs as tfrs


class RankingModel(keras.Model):
    def __init__(self, users, titles):
        super().__init__()
        embedding_dimension = 32
        self.user_embeddings = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=users, mask_token=None),
                keras.layers.Embedding(len(users) + 1, embedding_dimension),
            ]
        )
        self.movie_embeddings = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=titles, mask_token=None),
                keras.layers.Embedding(len(titles) + 1, embedding_dimension),
            ]
        )
        self.ratings = keras.Sequential(
            [
                keras.layers.Dense(256, activation="relu"),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(1),
            ]
        )

    def call(self, inputs):
        user_id, movie_title = inputs
        user_embedding = self.user_embeddings(user_id)
        movie_embedding = self.movie_embeddings(movie_title)
        return self.ratings(tf.concat([user_embedding, movie_embedding], axis=1))


class MovielensModel(tfrs.models.Model):
    def __init__(self, users, titles):
        super().__init__()
        self.ranking_model: keras.Model = RankingModel(users, titles)
        self.task: keras.layers.Layer = tfrs.tasks.Ranking(
            loss=keras.losses.MeanSquaredError(),
            metrics=[keras.metrics.RootMeanSquaredError()],
        )

    def call(self, features) -> tf.Tensor:
        return self.ranking_model((features["user_id"], features["movie_title"]))

    def compute_loss(self, features, training=False) -> tf.Tensor:
        labels = features.pop("user_rating")
        rating_predictions = self(features)
        return self.task(labels=labels, predictions=rating_predictions)


@pytest.mark.slow
def test_ratings_are_better_than_the_mean(tutorial, tmp_path):
    model = MovielensModel(tutorial.users, tutorial.titles)
    model.compile(optimizer=keras.optimizers.Adagrad(learning_rate=0.1))
    model.fit(tutorial.batches("train", 2048), epochs=3, verbose=0)
    figures = model.evaluate(tutorial.batches("test", 4096), return_dict=True, verbose=0)
    assert figures["root_mean_squared_error"] < 0.95 * tutorial.rmse_of_mean

    some = tutorial.titles[:5]
    told = {
        title: float(model({"user_id": np.array(["42"]), "movie_title": np.array([title])})[0, 0])
        for title in some
    }
    assert len(set(told.values())) == 5
    inputs = {
        name: keras.Input((), dtype="string", name=name) for name in ("user_id", "movie_title")
    }
    recs.export.saved_model(model, tmp_path / "export", inputs=inputs)
    served = tf.saved_model.load(tmp_path / "export").signatures["serving_default"]
    answer = served(user_id=tf.constant(["42"] * 5), movie_title=tf.constant(some))
    (ratings,) = answer.values()
    np.testing.assert_allclose(ratings[:, 0], [told[title] for title in some], rtol=1e-5)
