"""TFRS's multi-task model: watching and rating from the same embeddings."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100


class MovielensModel(tfrs.models.Model):
    def __init__(self, tutorial, rating_weight: float, retrieval_weight: float) -> None:
        super().__init__()
        embedding_dimension = 32
        self.movie_model: keras.layers.Layer = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=tutorial.titles, mask_token=None),
                keras.layers.Embedding(len(tutorial.titles) + 1, embedding_dimension),
            ]
        )
        self.user_model: keras.layers.Layer = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=tutorial.users, mask_token=None),
                keras.layers.Embedding(len(tutorial.users) + 1, embedding_dimension),
            ]
        )
        self.rating_model = keras.Sequential(
            [
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(1),
            ]
        )
        self.rating_task: keras.layers.Layer = tfrs.tasks.Ranking(
            loss=keras.losses.MeanSquaredError(),
            metrics=[keras.metrics.RootMeanSquaredError()],
        )
        self.retrieval_task: keras.layers.Layer = tfrs.tasks.Retrieval(
            metrics=tfrs.metrics.FactorizedTopK(
                candidates=tutorial.movies.batch(1024).map(self.movie_model)
            )
        )
        self.rating_weight = rating_weight
        self.retrieval_weight = retrieval_weight

    def call(self, features):
        user_embeddings = self.user_model(features["user_id"])
        movie_embeddings = self.movie_model(features["movie_title"])
        both = tf.concat([user_embeddings, movie_embeddings], axis=1)
        return (user_embeddings, movie_embeddings, self.rating_model(both))

    def compute_loss(self, features, training=False) -> tf.Tensor:
        ratings = features.pop("user_rating")
        user_embeddings, movie_embeddings, rating_predictions = self(features)
        rating_loss = self.rating_task(labels=ratings, predictions=rating_predictions)
        retrieval_loss = self.retrieval_task(
            user_embeddings, movie_embeddings, compute_metrics=not training
        )
        return self.rating_weight * rating_loss + self.retrieval_weight * retrieval_loss


def figures_of(tutorial, rating_weight, retrieval_weight):
    keras.utils.set_random_seed(1)
    model = MovielensModel(tutorial, rating_weight, retrieval_weight)
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    model.fit(tutorial.batches("train", 2048), epochs=3, verbose=0)
    figures = model.evaluate(tutorial.batches("test", 4096), return_dict=True, verbose=0)
    return figures["root_mean_squared_error"], top_100(figures)


@pytest.mark.slow
def test_one_model_does_both(tutorial):
    rmse, found = figures_of(tutorial, rating_weight=1.0, retrieval_weight=0.0)
    assert rmse < 0.95 * tutorial.rmse_of_mean
    assert found < 2 * tutorial.top_100_by_chance
    rmse, found = figures_of(tutorial, rating_weight=0.0, retrieval_weight=1.0)
    assert rmse > 2 * tutorial.rmse_of_mean
    assert found > 2 * tutorial.top_100_by_chance
    rmse, found = figures_of(tutorial, rating_weight=1.0, retrieval_weight=1.0)
    assert rmse < tutorial.rmse_of_mean
    assert found > 2 * tutorial.top_100_by_chance
