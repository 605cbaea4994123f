"""Models and data that the tests of `recs.Model` share."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from recs.models.base import Model

WAYS = [{}, {"run_eagerly": True}, {"steps_per_execution": 2}]
IDS = ["graph", "eager", "two-a-call"]


class SeesTraining(keras.layers.Layer):
    """Returns 1 when it trains and 0 when it infers, times a weight of 1."""

    def build(self, _):
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x, training=None):
        return ops.mean(x * 0.0) + self.scale * float(bool(training))


class Nested(Model):
    """Calls a layer inside a layer and hands `training` to neither."""

    def __init__(self):
        super().__init__()
        self.tower = keras.Sequential([SeesTraining()])

    def compute_loss(self, inputs, training=False):
        return self.tower(inputs["x"])


class Linear(Model):
    """The sum of squares of `w x - y`, with an L2 regularizer of one half."""

    def __init__(self, regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(
            1, use_bias=False, kernel_initializer="ones", kernel_regularizer=regularizer
        )

    def compute_loss(self, inputs, training=False):
        return ops.sum(ops.subtract(self.dense(inputs["x"]), inputs["y"]) ** 2)


def batch(rows=4):
    return {"x": np.full((rows, 1), 2.0, "float32"), "y": np.zeros((rows, 1), "float32")}


def dataset(rows=8, size=2):
    return tf.data.Dataset.from_tensor_slices(batch(rows)).batch(size)
