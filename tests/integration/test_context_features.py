"""TFRS's context features: when a user watches tells what they watch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100


class UserModel(keras.Model):
    def __init__(self, tutorial, use_timestamps):
        super().__init__()
        self._use_timestamps = use_timestamps
        self.user_embedding = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=tutorial.users, mask_token=None),
                keras.layers.Embedding(len(tutorial.users) + 1, 32),
            ]
        )
        if use_timestamps:
            timestamps = tutorial.train["timestamp"]
            buckets = np.linspace(timestamps.min(), timestamps.max(), num=1000)
            self.timestamp_embedding = keras.Sequential(
                [
                    keras.layers.Discretization(buckets.tolist()),
                    keras.layers.Embedding(len(buckets) + 1, 32),
                ]
            )
            self.normalized_timestamp = keras.layers.Normalization(axis=None)
            self.normalized_timestamp.adapt(timestamps)

    def call(self, inputs):
        if not self._use_timestamps:
            return self.user_embedding(inputs["user_id"])
        timestamp = tf.cast(inputs["timestamp"], tf.float32)
        return tf.concat(
            [
                self.user_embedding(inputs["user_id"]),
                self.timestamp_embedding(inputs["timestamp"]),
                tf.reshape(self.normalized_timestamp(timestamp), (-1, 1)),
            ],
            axis=1,
        )


class MovieModel(keras.Model):
    def __init__(self, tutorial):
        super().__init__()
        max_tokens = 2_000
        self.title_embedding = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=tutorial.titles, mask_token=None),
                keras.layers.Embedding(len(tutorial.titles) + 1, 32),
            ]
        )
        self.title_vectorizer = keras.layers.TextVectorization(max_tokens=max_tokens)
        self.title_text_embedding = keras.Sequential(
            [
                self.title_vectorizer,
                keras.layers.Embedding(max_tokens, 32, mask_zero=True),
                keras.layers.GlobalAveragePooling1D(),
            ]
        )
        self.title_vectorizer.adapt(tutorial.movies.batch(1024))

    def call(self, titles):
        return tf.concat([self.title_embedding(titles), self.title_text_embedding(titles)], axis=1)


class MovielensModel(tfrs.models.Model):
    def __init__(self, tutorial, use_timestamps):
        super().__init__()
        self.query_model = keras.Sequential(
            [UserModel(tutorial, use_timestamps), keras.layers.Dense(32)]
        )
        self.candidate_model = keras.Sequential(
            [keras.Input((), dtype="string"), MovieModel(tutorial), keras.layers.Dense(32)]
        )
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
def test_the_time_makes_it_better(tutorial):
    found = {}
    for use_timestamps in (False, True):
        keras.utils.set_random_seed(1)
        model = MovielensModel(tutorial, use_timestamps)
        model.compile(optimizer=keras.optimizers.Adagrad(0.1))
        model.fit(tutorial.batches("train", 2048), epochs=8, verbose=0)
        figures = model.evaluate(tutorial.batches("test", 4096), return_dict=True, verbose=0)
        found[use_timestamps] = top_100(figures)
    assert found[False] > 2 * tutorial.top_100_by_chance
    assert found[True] > 1.1 * found[False]
