"""TFRS's sequential retrieval: the next movie from the last ten, by a GRU."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100

CONTEXT = 10


@pytest.fixture(scope="module")
def sequences(tutorial):
    """Returns datasets of ten movies and the next: all but the last of each user, and the last."""
    log = recs.data.movielens.load()
    log = log.take(np.isin(log.item.astype(str), tutorial.train.item.astype(str)))
    order = np.lexsort([log["timestamp"], log.user.astype(str)])
    users, items = log.user[order].astype(str), log.item[order].astype(str)
    windows = np.lib.stride_tricks.sliding_window_view(items, CONTEXT + 1)
    same_user = users[: len(windows)] == users[CONTEXT:]
    last = np.append(users[1:] != users[:-1], True)[CONTEXT:]

    def dataset(rows, size):
        chosen = windows[rows]
        columns = {"context_movie_id": chosen[:, :-1], "label_movie_id": chosen[:, -1]}
        return tf.data.Dataset.from_tensor_slices(columns).shuffle(100_000, seed=1).batch(size)

    movies = np.unique(items)
    before = items[:-1][(users[1:] == users[:-1])]
    names, counts = np.unique(before, return_counts=True)
    popular = names[np.argsort(-counts)[:100]]
    by_popularity = np.isin(windows[same_user & last][:, -1], popular).mean()
    return dataset(same_user & ~last, 4096), dataset(same_user & last, 1024), movies, by_popularity


class Model(tfrs.Model):
    def __init__(self, query_model, candidate_model, task):
        super().__init__()
        self._query_model = query_model
        self._candidate_model = candidate_model
        self._task = task

    def compute_loss(self, features, training=False):
        watch_history = features["context_movie_id"]
        watch_next_label = features["label_movie_id"]
        query_embedding = self._query_model(watch_history)
        candidate_embedding = self._candidate_model(watch_next_label)
        return self._task(query_embedding, candidate_embedding, compute_metrics=not training)


@pytest.mark.slow
def test_the_next_movie(sequences):
    train, test, movies, by_popularity = sequences
    embedding_dimension = 32
    query_model = keras.Sequential(
        [
            keras.layers.StringLookup(vocabulary=movies, mask_token=None),
            keras.layers.Embedding(len(movies) + 1, embedding_dimension),
            keras.layers.GRU(embedding_dimension),
        ]
    )
    candidate_model = keras.Sequential(
        [
            keras.layers.StringLookup(vocabulary=movies, mask_token=None),
            keras.layers.Embedding(len(movies) + 1, embedding_dimension),
        ]
    )
    candidates = tf.data.Dataset.from_tensor_slices(movies).batch(1024)
    metrics = tfrs.metrics.FactorizedTopK(candidates=candidates.map(candidate_model))
    task = tfrs.tasks.Retrieval(metrics=metrics)
    model = Model(query_model, candidate_model, task)
    model.compile(optimizer=keras.optimizers.Adagrad(learning_rate=0.1))
    model.fit(train, epochs=3, verbose=0)
    figures = model.evaluate(test, return_dict=True, verbose=0)
    assert top_100(figures) > 1.5 * by_popularity
