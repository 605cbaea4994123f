"""TFRS's deep and cross network: products of features, made up and in MovieLens."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs.compat.tfrs as tfrs

FEATURES = ["user_id", "movie_id", "first_genre", "decade", "weekday"]


class Model(keras.Model):
    """One linear layer on top of a network."""

    def __init__(self, model):
        super().__init__()
        self._model = model
        self._logits_layer = keras.layers.Dense(1)

    def call(self, x):
        return self._logits_layer(self._model(x))


def made_up(rows, seed, start=0.0):
    """Returns three features, and a target in which two of them are multiplied."""
    x = np.random.default_rng(seed).random((rows, 3)) + start
    y = 0.2 * x[:, 0] - 0.5 * x[:, 1] + 3 * x[:, 1] * x[:, 2] + 0.1 * x[:, 2] ** 2
    return x.astype("float32"), y[:, None].astype("float32")


@pytest.mark.slow
def test_crosses_learn_the_product_itself():
    """Dense layers learn it where they have seen it, and are lost beyond."""
    networks = {
        "cross": lambda: tfrs.layers.dcn.Cross(),
        "deep": lambda: tfrs.layers.blocks.MLP([32, 16, 8], final_activation="relu"),
    }
    errors, beyond = {}, {}
    for name, network in networks.items():
        keras.utils.set_random_seed(2)
        model = Model(network())
        model.compile(loss=keras.losses.MeanSquaredError(), optimizer=keras.optimizers.Adam(0.05))
        model.fit(*made_up(20_000, 1), batch_size=200, epochs=5, verbose=0)
        errors[name] = model.evaluate(*made_up(5_000, 2), batch_size=5_000, verbose=0) ** 0.5
        far = made_up(5_000, 3, start=1.0)
        beyond[name] = model.evaluate(*far, batch_size=5_000, verbose=0) ** 0.5
    assert errors["cross"] < 0.02
    assert errors["deep"] < 0.1
    assert beyond["cross"] < 0.2 < 1 < beyond["deep"]


class DCN(tfrs.Model):
    def __init__(self, vocabularies, use_cross_layer, deep_layer_sizes, projection_dim=None):
        super().__init__()
        self.embedding_dimension = 16
        self._embeddings = {
            name: keras.Sequential(
                [
                    keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None),
                    keras.layers.Embedding(len(vocabulary) + 1, self.embedding_dimension),
                ]
            )
            for name, vocabulary in vocabularies.items()
        }
        self._cross_layer = None
        if use_cross_layer:
            self._cross_layer = tfrs.layers.dcn.Cross(
                projection_dim=projection_dim, kernel_initializer="glorot_uniform"
            )
        self._deep_layers = [
            keras.layers.Dense(layer_size, activation="relu") for layer_size in deep_layer_sizes
        ]
        self._logit_layer = keras.layers.Dense(1)
        self.task = tfrs.tasks.Ranking(
            loss=keras.losses.MeanSquaredError(),
            metrics=[keras.metrics.RootMeanSquaredError("RMSE")],
        )

    def call(self, features):
        x = tf.concat([embed(features[name]) for name, embed in self._embeddings.items()], axis=1)
        if self._cross_layer is not None:
            x = self._cross_layer(x)
        for deep_layer in self._deep_layers:
            x = deep_layer(x)
        return self._logit_layer(x)

    def compute_loss(self, features, training=False):
        labels = features.pop("user_rating")
        scores = self(features)
        return self.task(labels=labels, predictions=scores)


@pytest.fixture(scope="module")
def ratings(tutorial):
    """Returns vocabularies, and training and test ratings with features of movie and time."""

    def columns(part):
        genres = part["movie_genres"]
        starts = np.asarray(genres.row_splits)[:-1]
        year = part["timestamp"].astype("datetime64[s]").astype("datetime64[Y]").astype(int)
        day = part["timestamp"] // 86_400 % 7
        return {
            "user_id": part.user.astype(str),
            "movie_id": part.item.astype(str),
            "first_genre": np.asarray(genres.values)[starts].astype(str),
            "decade": (year // 10).astype(str),
            "weekday": day.astype(str),
            "user_rating": part.rating,
        }

    train, test = columns(tutorial.train), columns(tutorial.test)
    vocabularies = {name: np.unique(train[name]) for name in FEATURES}

    def dataset(part):
        return tf.data.Dataset.from_tensor_slices(part).batch(2048).cache()

    return vocabularies, dataset(train), dataset(test)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use_cross_layer", "deep_layer_sizes", "projection_dim"),
    [(True, [192, 192], None), (True, [192, 192], 20), (False, [192, 192, 192], None)],
    ids=["DCN", "DCN-low-rank", "deep"],
)
def test_movielens(use_cross_layer, deep_layer_sizes, projection_dim, ratings, tutorial):
    vocabularies, train, test = ratings
    model = DCN(vocabularies, use_cross_layer, deep_layer_sizes, projection_dim)
    model.compile(optimizer=keras.optimizers.Adam(0.005))
    model.fit(train, epochs=3, verbose=0)
    error = model.evaluate(test, return_dict=True, verbose=0)["RMSE"]
    assert error < 0.92 * tutorial.rmse_of_mean
    if use_cross_layer:
        # The tutorial's picture: how much each pair of features has to do with each other.
        kernels = [w.numpy() for w in model._cross_layer.trainable_weights if len(w.shape) == 2]
        matrix = kernels[0] if len(kernels) == 1 else kernels[0] @ kernels[1]
        dim = model.embedding_dimension
        blocks = matrix.reshape(len(FEATURES), dim, len(FEATURES), dim)
        norms = np.linalg.norm(blocks, axis=(1, 3))
        assert norms.shape == (len(FEATURES), len(FEATURES))
        assert (norms > 0).all()
