"""Look-ups in the `call` of a model train its table in `fit`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.embedding import (
    embedding_lookup,
    embedding_lookup_sparse,
    embedding_lookup_unique,
    safe_embedding_lookup_sparse,
)
from tests.embedding.dense_twin import RATE, Twins, twins

INDICES = np.array([[1, 2, 1, -1], [3, -1, -1, -1], [2, 8, 4, 4], [1, 5, 6, 7]])
LABELS = np.arange(4, dtype="float32")


def sparse_of(dense):
    return tf.sparse.from_dense(dense + 1).with_values(tf.boolean_mask(dense, dense >= 0))


LOOK_UPS = {
    "embedding_lookup": lambda layer, ids: embedding_lookup(layer, tf.maximum(ids, 0), 1.5),
    "embedding_lookup_unique": lambda layer, ids: embedding_lookup_unique(
        layer, tf.maximum(ids, 0), 1.5
    ),
    "embedding_lookup_sparse": lambda layer, ids: embedding_lookup_sparse(
        layer, sparse_of(ids), combiner="sqrtn"
    ),
    "safe_embedding_lookup_sparse": lambda layer, ids: safe_embedding_lookup_sparse(
        layer, sparse_of(ids), default_id=3
    ),
}


def oracle(name: str, dense: tf.Variable) -> tf.Tensor:
    indices = tf.constant(INDICES)
    if name.startswith("embedding_lookup_sparse"):
        return tf.nn.embedding_lookup_sparse(dense, sparse_of(indices), None, combiner="sqrtn")
    if name.startswith("safe"):
        return tf.nn.safe_embedding_lookup_sparse(dense, sparse_of(indices), default_id=3)
    return tf.nn.embedding_lookup(dense, tf.maximum(indices, 0), 1.5)


def summed(rows: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.reshape(rows, [4, -1]), axis=1)


def model_of(base: type, both: Twins, name: str) -> keras.Model:
    class Summed(base):
        def __init__(self):
            super().__init__()
            self.embedding = both.layer

        def call(self, ids, training=None):
            return summed(LOOK_UPS[name](self.embedding, ids))

    return Summed()


@pytest.mark.parametrize("base", [keras.Model, recs.Model])
@pytest.mark.parametrize("name", LOOK_UPS)
@pytest.mark.parametrize("eagerly", [False, True])
def test_fit_trains_the_table_as_a_dense_one(base, name, eagerly):
    # The optimizer of `compile` does nothing: that of the layer counts.
    both = twins(in_order=True)
    model = model_of(base, both, name)
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=eagerly)
    model.fit(INDICES, LABELS, batch_size=4, epochs=2, verbose=0, shuffle=False)
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((summed(oracle(name, both.dense)) - LABELS) ** 2)
        both.dense.assign_sub(RATE * tf.convert_to_tensor(tape.gradient(loss, both.dense)))
    np.testing.assert_allclose(both.rows(), both.dense, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_layer_without_an_optimizer_follows_that_of_compile(name):
    both = twins(in_order=True, optimizer=None)
    before = both.rows()
    model = model_of(recs.Model, both, name)
    model.compile(keras.optimizers.SGD(RATE), "mse")
    model.fit(INDICES, LABELS, batch_size=4, verbose=0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((summed(oracle(name, both.dense)) - LABELS) ** 2)
    step = RATE * tf.convert_to_tensor(tape.gradient(loss, both.dense))
    np.testing.assert_allclose(before - both.rows(), step, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOOK_UPS)
def test_fit_inserts_and_predict_does_not(name):
    both = twins(in_order=True)
    both.layer.table.clear()
    model = model_of(recs.Model, both, name)
    model.compile("sgd", "mse")
    assert np.all(model.predict(INDICES, verbose=0) == 0.0)
    assert both.layer.table.size() == 0
    model.fit(INDICES, LABELS, verbose=0)
    # Where rows are padded, 0 stands for "no id" and is looked up as any other.
    assert both.layer.table.size() == 8 + (0 if "sparse" in name else 1)


def test_fit_on_sparse_inputs():
    both = twins("string")
    ids = both.sparse_keys(sparse_of(tf.constant(INDICES)))

    class Tags(recs.Model):
        def __init__(self):
            super().__init__()
            self.embedding = both.layer

        def call(self, inputs, training=None):
            return summed(safe_embedding_lookup_sparse(self.embedding, inputs["tags"]))

    model = Tags()
    model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensor_slices(({"tags": ids}, LABELS)).batch(4).repeat(20)
    losses = model.fit(data, steps_per_epoch=20, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0] < 5.0
    assert both.layer.table.size() == len(both.keys)


@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_model_is_exported_in_the_ops_of_tensorflow(name, tmp_path):
    both = twins(in_order=True)
    model = model_of(recs.Model, both, name)
    model.compile("sgd", "mse")
    model.fit(INDICES, LABELS, verbose=0)
    path = recs.export.saved_model(model, tmp_path / "1")
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    (scores,) = served(inputs=tf.constant(INDICES)).values()
    np.testing.assert_allclose(scores, model(INDICES), rtol=1e-6)


def test_a_bare_loop_trains_rows_and_dense_weights_together():
    layer = recs.layers.DynamicEmbedding(4, optimizer=keras.optimizers.Adagrad(0.5), seed=1)
    head = keras.layers.Dense(1)
    optimizer = keras.optimizers.Adagrad(0.5)
    head.build((None, 4))
    weights = [*layer.trainable_variables, *head.trainable_variables]
    optimizer.build(weights)
    ids = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [5, -3, -3], [2, 2])
    losses = []
    for _ in range(20):
        with tf.GradientTape() as tape:
            vectors = embedding_lookup_sparse(layer, ids, combiner="sum", training=True)
            loss = tf.reduce_mean((head(vectors)[:, 0] - [1.0, -1.0]) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        losses.append(float(loss))
    assert losses[-1] < 0.05 * losses[0]
    assert layer.table.size() == 2
