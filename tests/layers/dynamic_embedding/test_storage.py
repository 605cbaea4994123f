"""A layer whose rows are stored in half precision trains, saves and exports as any other."""

from __future__ import annotations

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

import recs.export
from recs.layers import DynamicEmbedding
from tests.harness.tiers import slow_but
from tests.layers.dynamic_embedding.dense_twin import dynamic_model, rows_of

VOCABULARY = 50
DTYPES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
STORAGES = list(DTYPES)


def batches(steps: int = 100):
    rng = np.random.default_rng(1)
    for _ in range(steps):
        ids = rng.integers(0, VOCABULARY, size=(32, 3))
        yield ids, np.sin(ids).sum(axis=1, keepdims=True).astype("float32")


def trained(storage: str, optimizer=None) -> keras.Model:
    optimizer = optimizer or keras.optimizers.Adagrad(0.1)
    model = dynamic_model(VOCABULARY, 3, optimizer, storage_dtype=storage)
    model.compile("sgd", "mse")
    for ids, targets in batches():
        model.train_on_batch(ids, targets)
    return model


def loss_of(model: keras.Model) -> float:
    ids, targets = next(batches(1))
    return float(model.evaluate(ids, targets, verbose=0))


@pytest.mark.slow
@pytest.mark.parametrize("storage", STORAGES)
def test_training_is_close_to_that_of_float32(storage):
    full, half = trained("float32"), trained(storage)
    untrained = dynamic_model(VOCABULARY, 3, "sgd")
    untrained.compile("sgd", "mse")
    assert loss_of(full) < 0.1 * loss_of(untrained)
    assert loss_of(half) < 0.12 * loss_of(untrained)
    # A row is rounded some six times: of each, less than a spacing, 2^-7 or 2^-10 of its value.
    spacing = 2.0**-7 if storage == "bfloat16" else 2.0**-10
    rows, expected = rows_of(half, VOCABULARY), rows_of(full, VOCABULARY)
    error = np.abs(rows - expected) / np.maximum(np.abs(expected), 1.0)
    assert 0 < error.mean() < 4 * spacing
    np.testing.assert_array_equal(rows, rows.astype(DTYPES[storage]).astype(np.float32))


@pytest.mark.parametrize("storage", slow_but(STORAGES, "bfloat16"))
def test_updates_far_below_the_spacing_add_up(storage):
    """Five hundred steps of a hundredth of the spacing; rounded to the nearest, all were lost."""
    dtype, dim, steps = DTYPES[storage], 256, 500
    spacing = float(ml_dtypes.finfo(dtype).eps)
    layer = DynamicEmbedding(
        dim, "ones", optimizer=keras.optimizers.SGD(0.01 * spacing), storage_dtype=storage, seed=1
    )
    anchor = layer.trainable_variables
    optimizer = keras.optimizers.SGD()
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(layer(np.array([7]), training=True))
        optimizer.apply(tape.gradient(loss, [v.value for v in anchor]), anchor)
    moved = (layer.table.lookup([7])[0] - 1.0) / spacing
    # Each of the steps goes up by one spacing with probability 0.01.
    standard_error = np.sqrt(steps * 0.01 * 0.99 / dim)
    assert abs(moved.mean() - 5.0) < 4 * standard_error
    lost = np.float32(1.0)
    for _ in range(steps):
        lost = np.float32(np.asarray(lost + np.float32(0.01 * spacing)).astype(dtype))
    assert lost == 1.0


@pytest.mark.parametrize("storage", STORAGES)
def test_a_saved_model_keeps_storage_and_bits(storage, tmp_path):
    table = DynamicEmbedding(4, optimizer="adam", storage_dtype=storage, name="table")
    model = keras.Sequential([table, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    for ids, targets in batches(20):
        model.train_on_batch(ids, targets)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_layer("table").table.storage == storage
    assert again.get_layer("table").table.serialize().numpy().tolist() == (
        table.table.serialize().numpy().tolist()
    )
    for ids, targets in batches(3):
        for one in (model, again):
            one.train_on_batch(ids, targets)
    np.testing.assert_array_equal(rows_of(again, VOCABULARY), rows_of(model, VOCABULARY))


@pytest.mark.parametrize("storage", STORAGES)
def test_weights_of_float32_are_loaded_rounded(storage, tmp_path):
    full = trained("float32")
    full.save_weights(tmp_path / "model.weights.h5")
    half = dynamic_model(VOCABULARY, 3, keras.optimizers.Adagrad(0.1), storage_dtype=storage)
    half.load_weights(tmp_path / "model.weights.h5")
    expected = rows_of(full, VOCABULARY).astype(DTYPES[storage]).astype(np.float32)
    np.testing.assert_array_equal(rows_of(half, VOCABULARY), expected)


@pytest.mark.parametrize("storage", STORAGES)
def test_the_stock_export_predicts_what_the_model_does(storage, tmp_path):
    model = trained(storage)
    path = recs.export.saved_model(model, tmp_path / "exported")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    ids = np.array([[0, 1, 2], [3, 49, 1000]])
    (served,) = serve(tf.constant(ids)).values()
    np.testing.assert_allclose(served, model.predict(ids, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_vectors_have_the_compute_dtype_whatever_the_storage(storage):
    layer = DynamicEmbedding(2, storage_dtype=storage)
    assert layer(np.array([1])).dtype == "float32"
    half = DynamicEmbedding(2, storage_dtype=storage, dtype="mixed_bfloat16")
    assert half(np.array([1])).dtype == "bfloat16"


def test_another_storage_is_refused():
    with pytest.raises(ValueError, match=r"`storage_dtype` must be one of float32, .*'int8'"):
        DynamicEmbedding(2, storage_dtype="int8")
