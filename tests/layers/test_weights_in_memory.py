"""What Keras keeps and restores in memory has the tables' rows, in every kind of model."""

from __future__ import annotations

import copy
import pickle

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import (
    DynamicEmbedding,
    EmbeddingCollection,
    FeatureConfig,
    RecentRecords,
    TableConfig,
)
from recs.layers.resource_layer import layers_with_resources
from tests.layers.dynamic_embedding.dense_twin import dense_model, dynamic_model, one_hot, rows_of

DIM = 3


class Collection(keras.layers.Layer):
    """Two tables, one of them shared by two features."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        items = TableConfig("items", DIM, seed=1)
        words = TableConfig("words", DIM, key_dtype="string", seed=2)
        self.collection = EmbeddingCollection(
            [
                FeatureConfig("a", items, None),
                FeatureConfig("b", items, None),
                FeatureConfig("c", words, None),
            ]
        )

    def call(self, ids, training=None):
        batch = {"a": ids, "b": ids + 1, "c": tf.strings.as_string(ids)}
        return keras.ops.concatenate(
            list(self.collection(batch, training=training).values()), axis=-1
        )


class Shared(keras.layers.Layer):
    """One table, looked up twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = DynamicEmbedding(DIM, seed=3)

    def call(self, ids, training=None):
        first = self.embedding(ids, training=training)
        return first * self.embedding(ids + 1, training=training)


class Records(keras.layers.Layer):
    """The last records of each id, beside an embedding."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.recent = RecentRecords(width=1, capacity=2)
        self.embedding = DynamicEmbedding(DIM, seed=4)

    def call(self, ids, training=None):
        rows = self.embedding(ids, training=training)
        if training:
            self.recent.append(ids, rows[..., :1], timestamps=tf.zeros(tf.shape(ids), tf.int64))
        return rows + keras.ops.sum(self.recent(ids), axis=2)


def half():
    return DynamicEmbedding(DIM, seed=5, storage_dtype="bfloat16", optimizer="adam")


def mean_row():
    return DynamicEmbedding(DIM, seed=6, cold_ids=recs.layers.cold.MeanRow())


def shared_rows():
    return DynamicEmbedding(DIM, seed=8, cold_ids=recs.layers.cold.SharedRows(3))


LAYERS = {
    "one": lambda: DynamicEmbedding(DIM, seed=7, optimizer="adam"),
    "half": half,
    "mean_row": mean_row,
    "shared_rows": shared_rows,
    "shared": Shared,
    "collection": Collection,
    "records": Records,
}


class Subclassed(keras.Model):
    def __init__(self, make):
        super().__init__()
        self.table_layer, self.head = make(), head()

    def call(self, ids, training=None):
        return self.head(self.table_layer(ids, training=training))


class OwnLoss(recs.Model):
    def __init__(self, make):
        super().__init__()
        self.table_layer, self.head = make(), head()

    def call(self, ids, training=None):
        return self.head(self.table_layer(ids, training=training))

    def compute_loss(self, inputs, training=False):
        ids, y = inputs
        return keras.ops.mean((self(ids) - y) ** 2)


def head():
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])


def functional(make, model_class=keras.Model):
    ids = keras.Input((2,), dtype="int64")
    return model_class(ids, head()(make()(ids)))


MODELS = {
    "functional": functional,
    "sequential": lambda make: keras.Sequential([keras.Input((2,), dtype="int64"), make(), head()]),
    "subclassed": Subclassed,
    "recs functional": lambda make: functional(make, recs.Model),
    "recs": OwnLoss,
}


def built(model, make):
    made = MODELS[model](LAYERS[make])
    made.compile(keras.optimizers.Adam(0.1), loss_of(made), run_eagerly=True)
    made(np.zeros((1, 2), "int64"))
    return made


def loss_of(model):
    return None if isinstance(model, OwnLoss) else "mse"


def batch(first, last, seed=0):
    generator = np.random.default_rng(seed)
    ids = generator.integers(first, last, (8, 2))
    return ids, generator.normal(size=(8, 1)).astype("float32")


def train(model, ids, y):
    if isinstance(model, OwnLoss):
        model.train_on_batch((ids, y))
    else:
        model.train_on_batch(ids, y)


def tables_of(model):
    return [table for layer in layers_with_resources(model) for table in layer.tables]


EVERY_ID = np.arange(30).reshape(15, 2)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("make", LAYERS)
def test_set_weights_brings_back_what_get_weights_saw(model, make):
    trained = built(model, make)
    train(trained, *batch(0, 10))
    weights, before = trained.get_weights(), np.array(trained(EVERY_ID))
    sizes = [table.size() for table in tables_of(trained)]
    for table in tables_of(trained):
        if isinstance(table, recs.ops.table.Table):
            table.remove(table.export()[0][:2])
    train(trained, *batch(5, 25, seed=1))
    assert np.abs(trained(EVERY_ID) - before).max() > 1e-3
    trained.set_weights(weights)
    np.testing.assert_array_equal(trained(EVERY_ID), before)
    assert [table.size() for table in tables_of(trained)] == sizes
    clone = built(model, make)
    train(clone, *batch(20, 30))
    clone.set_weights(pickle.loads(pickle.dumps(copy.deepcopy(weights))))
    np.testing.assert_array_equal(clone(EVERY_ID), before)
    train(trained, *batch(0, 10))  # the clone shares nothing with it
    np.testing.assert_array_equal(clone(EVERY_ID), before)


@pytest.mark.parametrize("optimizer", ["Adam", "Adagrad", "SGD"])
def test_training_goes_on_as_that_of_a_dense_table(optimizer):
    """Rows are restored and slots stay, as those of a Keras optimizer."""
    vocabulary = 8
    twins = dynamic_model(vocabulary, 2, None), dense_model(vocabulary, 2)
    made = [getattr(keras.optimizers, optimizer)(0.1) for _ in twins]
    twins[0].get_layer("table").bind_optimizer(made[0])
    for twin, own in zip(twins, made, strict=True):
        twin.compile(own, "mse")
    y = np.random.default_rng(0).normal(size=(8, 1)).astype("float32")

    def step(seed):
        # Every id in every step: what a dense optimizer does to others is another matter.
        ids = np.random.default_rng(seed).permutation(np.repeat(np.arange(8), 2)).reshape(8, 2)
        twins[0].train_on_batch(ids, y)
        twins[1].train_on_batch(one_hot(ids, vocabulary), y)

    step(0)
    kept = [twin.get_weights() for twin in twins]
    step(1)
    for twin, weights in zip(twins, kept, strict=True):
        twin.set_weights(weights)
    step(2)
    rows = [rows_of(twin, vocabulary) for twin in twins]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", ["functional", "sequential", "subclassed", "recs"])
def test_early_stopping_restores_the_best_epoch(model):
    ids, y = batch(0, 12, seed=2)
    held_out = (ids, 0.5 * y[::-1])  # what is learnt is soon of no use for it

    def fit(made):
        made.compile(keras.optimizers.Adam(0.1), loss_of(made))
        stop = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
        data = [tf.data.Dataset.from_tensor_slices(pair).batch(8) for pair in ((ids, y), held_out)]
        history = made.fit(data[0], validation_data=data[1], epochs=12, callbacks=[stop], verbose=0)
        losses = history.history["val_loss"]
        assert len(losses) > 1 + np.argmin(losses)  # training went on
        return min(losses), made.evaluate(data[1], verbose=0, return_dict=True)["loss"]

    best, restored = fit(MODELS[model](LAYERS["one"]))
    assert restored == best
    if model == "functional":  # the oracle: Keras's own layer keeps the same promise
        best, restored = fit(functional(lambda: keras.layers.Embedding(30, DIM)))
        assert restored == best


def test_a_reset_to_the_first_weights_trains_alike():
    """As between the folds of a cross-validation."""
    model = functional(lambda: DynamicEmbedding(DIM, seed=7))
    first = model.get_weights()
    results = []
    for _ in range(2):
        model.set_weights(first)
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
        for layer in layers_with_resources(model):
            assert layer.table.size() == 0
            layer.bind_optimizer(model.optimizer)
        for seed in range(3):
            model.train_on_batch(*batch(0, 10, seed))
        results.append(model.predict(EVERY_ID, verbose=0))
    np.testing.assert_array_equal(*results)


def test_a_clone_with_the_weights_initializes_new_ids_alike():
    layer, clone = DynamicEmbedding(DIM), DynamicEmbedding(DIM)  # each draws a seed
    clone.set_weights(layer.get_weights())
    ids = np.arange(5)
    np.testing.assert_array_equal(clone(ids, training=True), layer(ids, training=True))


def test_files_hold_the_rows_once(tmp_path):
    model = built("functional", "records")
    train(model, *batch(0, 10))
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        names = []
        file.visit(names.append)
    stored = [name for name in names if "recent" in name or "embedding" in name]
    assert stored
    assert not any("contents" in name or name.endswith("/0") for name in stored)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    assert not any("contents" in name for name, _ in tf.train.list_variables(path))
    with pytest.raises(TypeError, match=r"Save to a `\.keras` file"):
        model.save(tmp_path / "whole.h5")
