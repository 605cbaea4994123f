"""The oracle: the same model with a dense table that Keras updates with the dense gradient.

Ids go in as one-hot rows, so the gradient of the table is dense and Keras's own optimizer sees the
sum over equal ids. (`keras.layers.Embedding` would not do: its gradient is not summed first.)
"""

from __future__ import annotations

import keras
import numpy as np

from recs.layers import DynamicEmbedding

DIM = 4


def initial_rows(vocabulary: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(vocabulary, DIM)).astype("float32")


def dynamic_model(vocabulary: int, positions: int, optimizer, **layer_arguments) -> keras.Model:
    """Ids (batch, positions) -> the sum over positions -> a number."""
    layer = DynamicEmbedding(DIM, optimizer=optimizer, name="table", **layer_arguments)
    layer.table.upsert(np.arange(vocabulary), initial_rows(vocabulary))
    inputs = keras.Input((positions,), dtype="int64")
    return keras.Model(inputs, _head(layer(inputs)))


def dense_model(vocabulary: int, positions: int) -> keras.Model:
    """One-hot ids (batch, positions, vocabulary) -> the same."""
    layer = keras.layers.Dense(DIM, use_bias=False, name="table", dtype="float32")
    inputs = keras.Input((positions, vocabulary))
    rows = layer(inputs)
    layer.set_weights([initial_rows(vocabulary)])
    return keras.Model(inputs, _head(rows))


def _head(rows):
    x = keras.layers.Lambda(lambda r: keras.ops.sum(keras.ops.tanh(r), axis=1))(rows)
    head = keras.layers.Dense(1, use_bias=False, trainable=False, kernel_initializer="ones")
    return head(x)


def one_hot(ids: np.ndarray, vocabulary: int) -> np.ndarray:
    return np.eye(vocabulary, dtype="float32")[ids]


def rows_of(model: keras.Model, vocabulary: int) -> np.ndarray:
    layer = model.get_layer("table")
    if isinstance(layer, DynamicEmbedding):
        return layer.table.lookup(np.arange(vocabulary))
    return layer.get_weights()[0]
