"""TFRS's listwise ranking: the order of the movies of a user, by losses of a rating, pair, list."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
import recs.compat.tfrs as tfrs


class RankingModel(tfrs.Model):
    def __init__(self, loss, users, titles):
        super().__init__()
        embedding_dimension = 32
        self.user_embeddings = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=users),
                keras.layers.Embedding(len(users) + 2, embedding_dimension),
            ]
        )
        self.movie_embeddings = keras.Sequential(
            [
                keras.layers.StringLookup(vocabulary=titles),
                keras.layers.Embedding(len(titles) + 2, embedding_dimension),
            ]
        )
        self.score_model = keras.Sequential(
            [
                keras.layers.Dense(256, activation="relu"),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(1),
            ]
        )
        self.task = tfrs.tasks.Ranking(
            loss=loss,
            metrics=[
                recs.metrics.NDCGMetric(name="ndcg_metric"),
                keras.metrics.RootMeanSquaredError(),
            ],
        )

    def call(self, features):
        user_embeddings = self.user_embeddings(features["user_id"])
        movie_embeddings = self.movie_embeddings(features["movie_title"])
        # One user for a whole list.
        list_length = features["movie_title"].shape[1]
        user_embedding_repeated = tf.repeat(
            tf.expand_dims(user_embeddings, 1), [list_length], axis=1
        )
        return self.score_model(tf.concat([user_embedding_repeated, movie_embeddings], 2))

    def compute_loss(self, features, training=False):
        labels = features.pop("user_rating")
        scores = self(features)
        return self.task(labels=labels, predictions=tf.squeeze(scores, axis=-1))


@pytest.fixture(scope="module")
def lists(tutorial):
    def sampled(part, number):
        return tfrs.examples.movielens.sample_listwise(
            tutorial.batches(part, 8192, ["user_id", "movie_title", "user_rating"]),
            num_list_per_user=number,
            num_examples_per_list=5,
            seed=42,
        )

    train = sampled("train", 50).shuffle(100_000, seed=1).batch(1024).cache()
    return train, sampled("test", 1).batch(1024).cache()


def mean_by_movie(tutorial, test):
    """Returns the NDCG of lists in the order of the movies' mean ratings."""
    titles, of_title = np.unique(tutorial.train["movie_title"].astype(str), return_inverse=True)
    sums = np.bincount(of_title, tutorial.train.rating)
    means = dict(zip(titles.tolist(), sums / np.bincount(of_title), strict=True))
    metric = recs.metrics.NDCGMetric()
    for batch in test.as_numpy_iterator():
        scores = [[means.get(t.decode(), 3.5) for t in row] for row in batch["movie_title"]]
        metric.update_state(batch["user_rating"], np.array(scores, "float32"))
    return float(metric.result())


LOSSES = {
    "rating": lambda: keras.losses.MeanSquaredError(),
    "pair": lambda: recs.losses.PairwiseHingeLoss(),
    "list": lambda: recs.losses.ListMLELoss(),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
def test_order_is_learnt_from_ratings_pairs_and_lists(kind, lists, tutorial):
    train, test = lists
    model = RankingModel(LOSSES[kind](), tutorial.users, tutorial.titles)
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    before = model.evaluate(test, return_dict=True, verbose=0)["ndcg_metric"]
    model.fit(train, epochs=8, verbose=0)
    figures = model.evaluate(test, return_dict=True, verbose=0)
    by_movie = mean_by_movie(tutorial, test)
    assert figures["ndcg_metric"] > before + 0.03
    assert figures["ndcg_metric"] > by_movie - 0.01
    if kind == "rating":
        assert figures["root_mean_squared_error"] < tutorial.rmse_of_mean
