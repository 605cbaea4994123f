"""A run that was not restored from a folder of states never passes for the one that was."""

from __future__ import annotations

import os

import keras
import numpy as np
import pytest

from recs.callbacks import BackgroundCheckpoint
from recs.layers import DynamicEmbedding

IDS = np.arange(40)


def made():
    keras.utils.set_random_seed(3)
    ids = keras.Input((), dtype="int64")
    model = keras.Model(ids, keras.layers.Dense(1)(DynamicEmbedding(2, seed=1)(ids)))
    model.compile("adam", "mse")
    return model


def fit(model, target, *callbacks, epochs=1, initial_epoch=0):
    model.fit(
        IDS, np.full((40, 1), target), batch_size=10, shuffle=False, verbose=0, epochs=epochs,
        initial_epoch=initial_epoch, callbacks=list(callbacks),
    )  # fmt: skip
    return model


def answers(model):
    return model(IDS).numpy().tolist()


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


REFUSED = "The folder of states must hold states of this training alone, or none"


@pytest.mark.parametrize("earlier", [1, 3])
def test_a_second_run_is_refused_before_it_trains(tmp_path, earlier):
    fit(made(), 1.0, BackgroundCheckpoint(tmp_path), epochs=earlier)
    before = contents(tmp_path)
    model = made()
    weights = answers(model)
    with pytest.raises(ValueError, match=REFUSED):
        fit(model, -1.0, BackgroundCheckpoint(tmp_path))
    assert answers(model) == weights
    assert contents(tmp_path) == before


@pytest.mark.parametrize("earlier", [1, 3])
def test_a_second_run_replaces_the_first_where_that_is_wanted(tmp_path, earlier):
    fit(made(), 1.0, BackgroundCheckpoint(tmp_path), epochs=earlier)
    model = made()
    fit(model, -1.0, BackgroundCheckpoint(tmp_path, overwrite=True))
    restored = made()
    assert BackgroundCheckpoint(tmp_path).restore(restored)["batches"] == 4
    assert answers(restored) == answers(model)


def test_a_run_that_is_to_replace_another_and_is_killed_at_once_leaves_no_state(tmp_path):
    fit(made(), 1.0, BackgroundCheckpoint(tmp_path))

    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(made(), -1.0, BackgroundCheckpoint(tmp_path, overwrite=True), Stop())
    assert BackgroundCheckpoint(tmp_path).restore(made()) is None


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_restored_run_goes_on(tmp_path, overwrite):
    fit(made(), 1.0, BackgroundCheckpoint(tmp_path))
    model, save = made(), BackgroundCheckpoint(tmp_path, overwrite=overwrite)
    save.restore(model)
    fit(model, 1.0, save, epochs=2, initial_epoch=1)
    fit(model, 1.0, save, epochs=3, initial_epoch=2)  # once more with the same callback
    assert sorted(os.listdir(tmp_path)) == [f"{batches:012d}" for batches in (4, 8, 12)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_two_at_once_the_later_to_save_is_refused(tmp_path, overwrite):
    first, second = made(), made()
    later = BackgroundCheckpoint(tmp_path, save_freq=2)

    class RunAnother(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                fit(second, -1.0, later)

    save = BackgroundCheckpoint(tmp_path, overwrite=overwrite)
    with pytest.raises(ValueError, match=REFUSED):
        fit(first, 1.0, RunAnother(), save)
    restored = made()
    assert BackgroundCheckpoint(tmp_path).restore(restored)["batches"] == 4
    assert answers(restored) == answers(second)


def test_two_that_were_restored_from_one_folder_do_not_mix(tmp_path):
    fit(made(), 1.0, BackgroundCheckpoint(tmp_path))
    models, saves = [made(), made()], [BackgroundCheckpoint(tmp_path) for _ in range(2)]
    for model, save in zip(models, saves, strict=True):
        save.restore(model)
    fit(models[0], 1.0, saves[0], epochs=2, initial_epoch=1)
    with pytest.raises(ValueError, match=REFUSED):
        fit(models[1], -1.0, saves[1], epochs=2, initial_epoch=1)
    restored = made()
    BackgroundCheckpoint(tmp_path).restore(restored)
    assert answers(restored) == answers(models[0])


@pytest.mark.parametrize("overwrite", [False, True])
def test_another_model_with_the_same_callback_is_another_run(tmp_path, overwrite):
    save = BackgroundCheckpoint(tmp_path, overwrite=overwrite)
    fit(made(), 1.0, save, epochs=2)
    model = made()
    if not overwrite:
        with pytest.raises(ValueError, match=REFUSED):
            fit(model, -1.0, save)
        return
    fit(model, -1.0, save)
    restored = made()
    assert save.restore(restored)["batches"] == 4
    assert answers(restored) == answers(model)
