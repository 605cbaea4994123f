"""Every Keras way out and in keeps predictions and further training, in a new process."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from tests.harness.new_process import run_module
from tests.harness.tiers import slow_but
from tests.layers.dynamic_embedding.saving_side import batch, build, report, restore, train

ROOT = pathlib.Path(__file__).parents[3]


def save(model: keras.Model, kind: str, folder: pathlib.Path) -> None:
    if kind == "keras":
        model.save(folder / "model.keras")
    elif kind == "weights":
        model.save_weights(folder / "model.weights.h5")
    else:
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        checkpoint.write(str(folder / "ckpt"))


def report_from_a_new_process(kind: str, folder: pathlib.Path) -> dict[str, np.ndarray]:
    run_module("tests.layers.dynamic_embedding.saving_side", kind, folder)
    return dict(np.load(folder / "restored.npz"))


@pytest.mark.parametrize("kind", slow_but(["keras", "weights", "checkpoint"], "keras"))
def test_a_new_process_predicts_and_trains_on_equally(kind, tmp_path):
    model = build()
    train(model, range(5))
    save(model, kind, tmp_path)
    if kind == "weights":  # the same fresh dense optimizer on both sides
        model.compile(keras.optimizers.Adam(0.01), "mse")
    expected = report(model)
    assert np.abs(expected["further"] - expected["restored"]).max() > 1e-3
    actual = report_from_a_new_process(kind, tmp_path)
    np.testing.assert_array_equal(actual["restored"], expected["restored"])
    np.testing.assert_allclose(actual["further"], expected["further"], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(actual["sizes"], expected["sizes"])


@pytest.mark.parametrize("kind", slow_but(["keras", "weights", "checkpoint"], "weights"))
def test_a_reloaded_model_shares_nothing_with_the_original(kind, tmp_path):
    model = build()
    train(model, range(3))
    inputs, _ = batch(3)
    before = model.predict(inputs, verbose=0)
    save(model, kind, tmp_path)
    for layer in model.layers:
        if isinstance(layer, DynamicEmbedding):
            layer.table.clear()
    np.testing.assert_array_equal(restore(kind, tmp_path).predict(inputs, verbose=0), before)


def test_restoring_replaces_what_was_there(tmp_path):
    model = build()
    train(model, range(2))
    save(model, "weights", tmp_path)
    sizes = report(restore("weights", tmp_path))["sizes"]
    other = build()
    train(other, range(20, 30))
    other.load_weights(tmp_path / "model.weights.h5")
    assert report(other)["sizes"] == sizes


@pytest.mark.slow
def test_backup_and_restore_resumes_where_fit_was_killed(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    inputs, targets = batch(0)
    arguments = {"epochs": 4, "batch_size": 16, "shuffle": False, "verbose": 0}
    keras.utils.set_random_seed(3)
    whole = build()
    start = tmp_path / "start.weights.h5"
    whole.save_weights(start)
    whole.fit(inputs, targets, **arguments)
    interrupted = build()
    interrupted.load_weights(start)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(inputs, targets, callbacks=[backup, Kill()], **arguments)
    resumed = build()
    resumed.fit(
        inputs,
        targets,
        callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")],
        **arguments,
    )
    np.testing.assert_allclose(
        resumed.predict(inputs, verbose=0), whole.predict(inputs, verbose=0), rtol=1e-6, atol=1e-7
    )


def test_model_checkpoint_keeps_the_best_rows(tmp_path):
    model = build()
    path = tmp_path / "best.keras"
    inputs, targets = batch(0)
    saver = keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    model.fit(inputs, targets, epochs=2, callbacks=[saver], verbose=0)
    best = keras.saving.load_model(path)
    np.testing.assert_array_equal(best.predict(inputs, verbose=0), model.predict(inputs, verbose=0))


def test_another_dimension_is_refused_and_changes_nothing(tmp_path):
    layer = DynamicEmbedding(3, name="movies")
    layer([1, 2], training=True)
    layer.table.save(tmp_path / "table")
    other = DynamicEmbedding(4, name="films")
    other([5], training=True)
    before = other.table.serialize().numpy().tolist()
    message = r"output_dim=4, saved: 3 \(in table 'films'.*Build the layer with the saved dimension"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        other.table.restore(tmp_path / "table")
    assert other.table.serialize().numpy().tolist() == before


def test_another_key_type_is_refused(tmp_path):
    layer = DynamicEmbedding(3)
    layer.table.save(tmp_path / "table")
    other = DynamicEmbedding(3, key_dtype="string", name="words")
    message = r"Received: string, saved: int64 \(in table 'words'"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        other.table.restore(tmp_path / "table")


def test_a_truncated_file_is_refused_and_changes_nothing(tmp_path):
    layer = DynamicEmbedding(3)
    layer(np.arange(100), training=True)
    path = tmp_path / "table"
    layer.table.save(path)
    content = path.read_bytes()
    before = layer.table.serialize().numpy().tolist()
    for length in (0, 3, 50, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(tf.errors.DataLossError, match="must be complete and unaltered"):
            layer.table.restore(path)
    assert layer.table.serialize().numpy().tolist() == before


def test_a_truncated_keras_archive_is_refused(tmp_path):
    model = build()
    train(model, range(1))
    path = tmp_path / "model.keras"
    model.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Exception, match=r"(?i)zip"):
        keras.saving.load_model(path)
