"""TFRS's basic retrieval: with and without its base class, evaluated, indexed, exported."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
import recs.compat.tfrs as tfrs
from tests.integration.conftest import top_100

DIM = 32


def tower(vocabulary):
    return keras.Sequential(
        [
            keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None),
            keras.layers.Embedding(len(vocabulary) + 1, DIM),
        ]
    )


def parts(tutorial):
    user_model, movie_model = tower(tutorial.users), tower(tutorial.titles)
    metrics = tfrs.metrics.FactorizedTopK(candidates=tutorial.movies.batch(1024).map(movie_model))
    return user_model, movie_model, tfrs.tasks.Retrieval(metrics=metrics)


class MovielensModel(tfrs.Model):
    def __init__(self, user_model, movie_model, task):
        super().__init__()
        self.movie_model: keras.Model = movie_model
        self.user_model: keras.Model = user_model
        self.task: keras.layers.Layer = task

    def compute_loss(self, features, training=False) -> tf.Tensor:
        user_embeddings = self.user_model(features["user_id"])
        positive_movie_embeddings = self.movie_model(features["movie_title"])
        return self.task(user_embeddings, positive_movie_embeddings, compute_metrics=not training)


class NoBaseClassMovielensModel(keras.Model):
    """The same without tfrs.Model: the steps are written out."""

    def __init__(self, user_model, movie_model, task):
        super().__init__()
        self.movie_model: keras.Model = movie_model
        self.user_model: keras.Model = user_model
        self.task: keras.layers.Layer = task

    def train_step(self, features):
        with tf.GradientTape() as tape:
            user_embeddings = self.user_model(features["user_id"])
            movie_embeddings = self.movie_model(features["movie_title"])
            loss = self.task(user_embeddings, movie_embeddings, compute_metrics=False)
            regularization_loss = sum(self.losses)
            total_loss = loss + regularization_loss
        gradients = tape.gradient(total_loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        metrics = {metric.name: metric.result() for metric in self.metrics}
        return {**metrics, "loss": loss, "total_loss": total_loss}


@pytest.fixture(scope="module")
def trained(tutorial):
    keras.utils.set_random_seed(1)
    model = MovielensModel(*parts(tutorial))
    model.compile(optimizer=keras.optimizers.Adagrad(learning_rate=0.1))
    cached_train = tutorial.rows("train").shuffle(100_000, seed=1).batch(2048).cache()
    model.fit(cached_train, epochs=3, verbose=0)
    return model


@pytest.mark.slow
def test_it_finds_what_users_watch(trained, tutorial):
    cached_test = tutorial.rows("test").batch(4096).cache()
    figures = trained.evaluate(cached_test, return_dict=True, verbose=0)
    assert top_100(figures) > 2 * tutorial.top_100_by_chance
    # Movies of the training take places in that list. Without them:
    movies = tf.data.Dataset.from_tensor_slices({"movie_id": tutorial.titles})

    def rows(part):
        return tutorial.rows(part).map(
            lambda x: {"user_id": x["user_id"], "movie_id": x["movie_title"]}
        )

    titles, counts = np.unique(tutorial.train["movie_title"].astype(str), return_counts=True)
    popular = {title.encode(): float(n) for title, n in zip(titles, counts, strict=True)}

    def recall(user_model, movie_model):
        return tfrs.examples.movielens.evaluate(
            user_model, movie_model, rows("test"), movies, rows("train"), k=10
        )["recall_at_k"]

    of_popularity = recall(
        lambda x: np.ones((len(x["user_id"]), 1), "float32"),
        lambda x: np.array([[popular.get(title, 0.0)] for title in x["movie_id"].numpy()]),
    )
    of_model = recall(
        lambda x: trained.user_model(x["user_id"]), lambda x: trained.movie_model(x["movie_id"])
    )
    assert of_model > of_popularity


@pytest.mark.slow
def test_predictions_are_served(trained, tutorial, tmp_path):
    index = tfrs.layers.factorized_top_k.BruteForce(trained.user_model)
    pairs = tf.data.Dataset.zip(
        (tutorial.movies.batch(100), tutorial.movies.batch(100).map(trained.movie_model))
    )
    index.index_from_dataset(pairs)
    _, titles = index(tf.constant(["42"]))
    streaming = tfrs.layers.factorized_top_k.Streaming(trained.user_model)
    streaming.index_from_dataset(pairs)
    np.testing.assert_array_equal(streaming(tf.constant(["42"]))[1], titles)

    path = tmp_path / "model"
    recs.export.saved_model(index, path, inputs=keras.Input((), dtype="string", name="user_id"))
    served = tf.saved_model.load(path).signatures["serving_default"]
    answer = served(user_id=tf.constant(["42"]))
    assert any(np.array_equal(value, titles) for value in answer.values())


def test_without_the_base_class(tutorial):
    """The base class only saves writing."""
    weights = []
    for kind in (MovielensModel, NoBaseClassMovielensModel):
        keras.utils.set_random_seed(1)
        model = kind(*parts(tutorial))
        model.compile(optimizer=keras.optimizers.Adagrad(learning_rate=0.1))
        history = model.fit(tutorial.batches("test", 2048), epochs=2, shuffle=False, verbose=0)
        assert history.history["total_loss"][-1] < history.history["total_loss"][0]
        weights.append([w.numpy() for w in model.user_model.trainable_variables])
    np.testing.assert_allclose(*(w[0] for w in weights), rtol=1e-4, atol=1e-6)
