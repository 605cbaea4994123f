"""TFRS's deep retrieval: towers of any depth over the features of users and movies."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100
from tests.integration.test_context_features import MovieModel, UserModel


class QueryModel(keras.Model):
    """From the features of a query to its embedding."""

    def __init__(self, tutorial, layer_sizes):
        super().__init__()
        self.embedding_model = UserModel(tutorial, use_timestamps=True)
        self.dense_layers = keras.Sequential()
        for layer_size in layer_sizes[:-1]:
            self.dense_layers.add(keras.layers.Dense(layer_size, activation="relu"))
        # No activation at the end.
        for layer_size in layer_sizes[-1:]:
            self.dense_layers.add(keras.layers.Dense(layer_size))

    def call(self, inputs):
        return self.dense_layers(self.embedding_model(inputs))


class CandidateModel(keras.Model):
    """From a title to its embedding."""

    def __init__(self, tutorial, layer_sizes):
        super().__init__()
        self.embedding_model = MovieModel(tutorial)
        self.dense_layers = tfrs.layers.blocks.MLP(layer_sizes)

    def call(self, inputs):
        return self.dense_layers(self.embedding_model(inputs))


class MovielensModel(tfrs.models.Model):
    def __init__(self, tutorial, layer_sizes):
        super().__init__()
        self.query_model = QueryModel(tutorial, layer_sizes)
        self.candidate_model = CandidateModel(tutorial, layer_sizes)
        self.task = tfrs.tasks.Retrieval(
            metrics=tfrs.metrics.FactorizedTopK(
                candidates=tutorial.movies.batch(1024).map(self.candidate_model)
            )
        )

    def compute_loss(self, features, training=False):
        query_embeddings = self.query_model(
            {"user_id": features["user_id"], "timestamp": features["timestamp"]}
        )
        movie_embeddings = self.candidate_model(features["movie_title"])
        return self.task(query_embeddings, movie_embeddings, compute_metrics=not training)


@pytest.mark.slow
@pytest.mark.parametrize("layer_sizes", [[32], [64, 32]], ids=["shallow", "deep"])
def test_towers_of_any_depth(layer_sizes, tutorial):
    model = MovielensModel(tutorial, layer_sizes)
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    model.fit(tutorial.batches("train", 2048), epochs=3, verbose=0)
    figures = model.evaluate(tutorial.batches("test", 4096), return_dict=True, verbose=0)
    assert top_100(figures) > 1.8 * tutorial.top_100_by_chance

    index = tfrs.layers.factorized_top_k.BruteForce(model.query_model, k=5)
    index.index_from_dataset(
        tutorial.movies.batch(1024).map(lambda titles: (titles, model.candidate_model(titles)))
    )
    query = {"user_id": tf.constant(["42"]), "timestamp": tf.constant([1_000_000_000], tf.int64)}
    scores, titles = index(query)
    assert titles.shape == (1, 5)
    assert (scores.numpy()[0, :-1] >= scores.numpy()[0, 1:]).all()
