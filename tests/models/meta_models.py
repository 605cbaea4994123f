"""Small models with a tower that adapts, and the data they learn from."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import recs
from recs.layers.blocks import MLP
from recs.models import MetaLearner, RatingModel


def rating_rows(rng, users=8, each=6, films=20):
    """Returns a batch of ratings, those of a user together."""
    rows = users * each
    return {
        "user_id": np.repeat([f"user {u}" for u in range(users)], each).astype(object),
        "item_id": np.array([f"film {f}" for f in rng.integers(0, films, rows)], object),
        "user_rating": rng.integers(1, 6, rows).astype("float32"),
    }


def rating_learner(**kwargs):
    model = RatingModel(embedding_dim=4, units=[5], seed=1).set_mean(3.0)
    return MetaLearner(model, **{"inner_rate": 0.2, "support": 3, "query": 3, "seed": 1, **kwargs})


def of(batch, rows):
    return {name: column[rows] for name, column in batch.items()}


def tensors(batch):
    return {name: tf.constant(column) for name, column in batch.items()}


@keras.saving.register_keras_serializable("tests")
class ByProduct(keras.layers.Layer):
    """A dense embedding, looked up by a matrix product: its gradient is dense."""

    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
        self.table = self.add_weight(shape=table.shape, initializer="zeros", name="table")
        self.table.assign(table)
        self.built = True

    def call(self, ids):
        return keras.ops.one_hot(ids, self.table.shape[0]) @ self.table


class Grades(recs.Model):
    """A model that knows nothing of meta-learning: it has a tower, and a loss."""

    def __init__(self, embedding, units=(5, 1)):
        super().__init__()
        self.items = embedding
        self.shared = keras.layers.Dense(4, "tanh", kernel_initializer=start(3))
        self.shared.build((None, 4))
        self.tower = MLP(units, activation="tanh", name="tower")
        self.tower.build((None, 4))
        for number, layer in enumerate(self.tower.layers):
            layer.kernel.assign(start(number)(layer.kernel.shape))
        self.columns = ["item"]

    def call(self, inputs):
        return self.tower(self.shared(self.items(inputs["item"])))

    def compute_loss(self, inputs, training=False):
        error = self(inputs) - inputs["grade"][:, None]
        return keras.ops.mean(keras.ops.square(error))


def start(seed):
    return keras.initializers.GlorotUniform(seed)


def grade_rows(rng, pupils=5, each=4, items=6):
    return {
        "pupil": np.repeat(np.arange(pupils), each),
        "item": rng.integers(0, items, pupils * each),
        "grade": rng.normal(size=pupils * each).astype("float32"),
    }


def grade_learner(model, **kwargs):
    known = {"task": "pupil", "labels": "grade", "loss": "mean_squared_error", "id_dtype": "int64"}
    return MetaLearner(model, **{**known, "inner_rate": 0.3, "seed": 1, **kwargs})
