"""Every Keras way out and in keeps predictions and further training, in a new process."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import EmbeddingCollection, FeatureConfig, TableConfig
from tests.harness.new_process import run_module
from tests.layers.embedding_collection.saving_side import batch, build, report, restore, train

ROOT = pathlib.Path(__file__).parents[3]
KINDS = ["keras", "recs", "weights", "checkpoint"]


def trained(kind: str, steps: int) -> keras.Model:
    model = build(recs.Model if kind == "recs" else keras.Model)
    train(model, range(steps))
    return model


def save(model: keras.Model, kind: str, folder: pathlib.Path) -> None:
    if kind in ("keras", "recs"):
        model.save(folder / "model.keras")
    elif kind == "weights":
        model.save_weights(folder / "model.weights.h5")
    else:
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        checkpoint.write(str(folder / "ckpt"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_process_predicts_and_trains_on_equally(kind, tmp_path):
    # An even number of steps: half a step of accumulated gradients is not saved.
    model = trained(kind, 6)
    save(model, kind, tmp_path)
    if kind == "weights":  # the same fresh dense optimizer on both sides
        model.compile(keras.optimizers.Adam(0.01), "mse")
    expected = report(model)
    assert np.abs(expected["further"] - expected["restored"]).max() > 1e-3
    run_module("tests.layers.embedding_collection.saving_side", kind, tmp_path)
    actual = dict(np.load(tmp_path / "restored.npz"))
    np.testing.assert_array_equal(actual["restored"], expected["restored"])
    np.testing.assert_allclose(actual["further"], expected["further"], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(actual["sizes"], expected["sizes"])
    np.testing.assert_array_equal(actual["steps"], expected["steps"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_reloaded_model_shares_nothing_with_the_original(kind, tmp_path):
    model = trained(kind, 3)
    inputs, _ = batch(3)
    before = model.predict(inputs, verbose=0)
    save(model, kind, tmp_path)
    for table in model.get_layer("embeddings").tables:
        table.clear()
    again = restore(kind, tmp_path)
    np.testing.assert_array_equal(again.predict(inputs, verbose=0), before)
    assert type(again) is type(model)


def test_a_loaded_collection_has_the_same_configuration(tmp_path):
    model = trained("keras", 1)
    save(model, "keras", tmp_path)
    again = restore("keras", tmp_path).get_layer("embeddings")
    assert again.get_config() == model.get_layer("embeddings").get_config()


def test_weights_of_other_tables_are_refused(tmp_path):
    def of(dim: int) -> keras.Model:
        inputs = {"a": keras.Input((), dtype="int64")}
        table = TableConfig("a", dim, combiner=None)
        return keras.Model(inputs, EmbeddingCollection([FeatureConfig("a", table)])(inputs)["a"])

    of(3).save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(Exception, match=r"saved: 3 \(in table 'embedding_collection.*/a'"):
        of(4).load_weights(tmp_path / "m.weights.h5")


@pytest.mark.slow
def test_backup_and_restore_resumes_where_fit_was_killed(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    inputs, targets = batch(0)
    arguments = {"epochs": 4, "batch_size": 16, "shuffle": False, "verbose": 0}
    whole = build()
    start = tmp_path / "start.weights.h5"
    whole.save_weights(start)
    whole.fit(inputs, targets, **arguments)
    interrupted, resumed = build(), build()
    interrupted.load_weights(start)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(inputs, targets, callbacks=[backup, Kill()], **arguments)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    resumed.fit(inputs, targets, callbacks=[backup], **arguments)
    np.testing.assert_allclose(
        resumed.predict(inputs, verbose=0), whole.predict(inputs, verbose=0), rtol=1e-6, atol=1e-6
    )
