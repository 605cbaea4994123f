"""Saving beside training: what is saved is of one moment, and what was complete stays."""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.callbacks import BackgroundCheckpoint
from recs.layers import DynamicEmbedding

EVERY = np.arange(-5, 400)


def made(optimizer="adam"):
    keras.utils.set_random_seed(3)
    ids = keras.Input((), dtype="int64")
    users = DynamicEmbedding(8, seed=1, optimizer="adagrad", name="users")
    model = keras.Model(ids, keras.layers.Dense(1)(users(ids)))
    model.compile(optimizer, "mse")
    return model


def data():
    rng = np.random.default_rng(7)
    ids = rng.integers(0, 400, 2000)
    targets = rng.normal(size=(2000, 1)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((ids, targets)).batch(100)  # 20 batches


class StopAt(keras.callbacks.Callback):
    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class Notes(keras.callbacks.Callback):
    """What the model says after each batch, and what its tables and optimizer hold."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_train_batch_end(self, batch, logs=None):
        self.states.append(state(self.model))


def state(model):
    found = model.get_layer("users").table.records(slots=True)
    order = np.argsort(found.keys)
    arrays = [found.keys[order], found.rows[order], found.slots["accumulator"][order]]
    return arrays + [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def assert_equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.slow
def test_a_stopped_fit_goes_on_to_the_same_result(tmp_path):
    whole = made()
    whole.fit(data(), epochs=3, shuffle=False, verbose=0)
    stopped, save = made(), BackgroundCheckpoint(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(data(), epochs=3, shuffle=False, verbose=0, callbacks=[save, StopAt(30)])
    save.wait()
    resumed, again = made(), BackgroundCheckpoint(tmp_path)
    assert again.restore(resumed) == {"batches": 20, "epochs": 1, "epoch_batches": 0}
    resumed.fit(data(), epochs=3, initial_epoch=1, shuffle=False, verbose=0, callbacks=[again])
    assert_equal(state(whole), state(resumed))
    assert sorted(os.listdir(tmp_path)) == [f"{n:012d}" for n in (20, 40, 60)]


def test_each_state_is_of_the_batch_that_names_it(tmp_path):
    model, notes = made(), Notes()
    save = BackgroundCheckpoint(tmp_path, save_freq=3, keep=100)
    model.fit(data(), epochs=1, shuffle=False, verbose=0, callbacks=[notes, save])
    assert [int(name) for name in sorted(os.listdir(tmp_path))] == [3, 6, 9, 12, 15, 18]
    for name in os.listdir(tmp_path):
        for other in set(os.listdir(tmp_path)) - {name}:
            (tmp_path / other).rename(tmp_path / f".{other}")
        loaded = made()
        assert save.restore(loaded)["batches"] == int(name)
        assert_equal(notes.states[int(name) - 1], state(loaded))
        for hidden in tmp_path.glob(".0*"):
            hidden.rename(tmp_path / hidden.name[1:])


def test_so_many_are_kept(tmp_path):
    save = BackgroundCheckpoint(tmp_path, save_freq=2, keep=2)
    made().fit(data(), verbose=0, callbacks=[save])
    assert [int(name) for name in sorted(os.listdir(tmp_path))] == [18, 20]


def test_nothing_to_restore_changes_nothing(tmp_path):
    model = made()
    before = model.get_weights()
    assert BackgroundCheckpoint(tmp_path / "none").restore(model) is None
    assert_equal(before, model.get_weights())


def test_another_model_is_told(tmp_path):
    save = BackgroundCheckpoint(tmp_path)
    made().fit(data(), verbose=0, callbacks=[save])
    with pytest.raises(ValueError, match="must be of a model with the same tables and variables"):
        save.restore(made(optimizer="sgd"))


def two_tables():
    keras.utils.set_random_seed(3)
    ids = keras.Input((), dtype="int64")
    users, items = DynamicEmbedding(2, name="users"), DynamicEmbedding(2, name="items")
    model = keras.Model(ids, keras.layers.Dense(1)(users(ids) * items(ids)))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("file", ["table_000", "table_001", "variables.data-00000-of-00001"])
def test_a_damaged_file_leaves_the_model_as_it_was(tmp_path, file):
    save, model = BackgroundCheckpoint(tmp_path), two_tables()
    model.fit(data(), verbose=0, shuffle=False, callbacks=[save])
    path = tmp_path / f"{20:012d}" / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 255]) + whole[-8:])
    other = two_tables()
    before = other.predict(EVERY, verbose=0), other.get_weights()
    with pytest.raises(tf.errors.OpError):
        save.restore(other)
    np.testing.assert_array_equal(other.predict(EVERY, verbose=0), before[0])
    assert_equal(other.get_weights(), before[1])


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[]", b'{"version": 1, "tables": 1}', b"\xff", b"[" * 9999,
        b'{"version": 1, "tables": 1, "batches": 1e999, "epochs": 1}',
        b'{"version": 1, "tables": 1, "batches": NaN, "epochs": 1}',
        b'{"version": 2, "tables": 1, "batches": 1, "epochs": 1}',
        b'{"version": 1, "tables": 1, "batches": true, "epochs": 1}',
        b'{"version": 1, "tables": 1, "batches": 9223372036854775808, "epochs": 1}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_of_a_state_is_told(tmp_path, content):
    path = tmp_path / f"{20:012d}"
    path.mkdir()
    (path / "manifest.json").write_bytes(content)
    with pytest.raises(ValueError, match="The manifest of a saved state must be a JSON object"):
        BackgroundCheckpoint(tmp_path).restore(made())


def test_folders_that_are_no_states_are_neither_read_nor_removed(tmp_path):
    names = ["changes", "00001", f"{99:012d}x", "\u0669" * 12]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    (tmp_path / f"{99:012d}").symlink_to(tmp_path / "changes")
    save = BackgroundCheckpoint(tmp_path, save_freq=5, keep=1)
    made().fit(data(), verbose=0, shuffle=False, callbacks=[save])
    expected = {*names, f"{20:012d}", f"{99:012d}"}
    assert {name for name in os.listdir(tmp_path) if name[0] != "."} == expected
    assert save.restore(made())["batches"] == 20


@pytest.mark.parametrize(
    "arguments", [{"save_freq": 0}, {"save_freq": "step"}, {"keep": 0}, {"keep": True}]
)
def test_wrong_arguments_are_told(tmp_path, arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}` must be"):
        BackgroundCheckpoint(tmp_path, **arguments)


def test_a_folder_that_cannot_be_written_is_told_and_what_is_complete_stays(tmp_path):
    save = BackgroundCheckpoint(tmp_path / "states")
    model = made()
    model.fit(data(), verbose=0, callbacks=[save])
    (tmp_path / "states").rename(tmp_path / "kept")
    (tmp_path / "states").write_text("a file where the folder was")
    with pytest.raises(OSError, match="states"):
        model.fit(data(), verbose=0, callbacks=[save])
    model.fit(data(), verbose=0)  # trains on
    (tmp_path / "states").unlink()
    (tmp_path / "kept").rename(tmp_path / "states")
    assert save.restore(made()) == {"batches": 20, "epochs": 1, "epoch_batches": 0}


CHILD = """
import sys
from tests.callbacks.test_background_checkpoint import BackgroundCheckpoint, data, made
save = BackgroundCheckpoint(sys.argv[1], save_freq=2)
model = made()
print("ready", flush=True)
save.resume(model, data().repeat(), epochs=1, steps_per_epoch=10**6, verbose=0)
"""


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on_from_a_complete_state(tmp_path):
    moments = random.Random(5)
    root = pathlib.Path(__file__).parents[2]
    reached = []
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, text=True,
        )  # fmt: skip
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.5 + moments.random())
        child.send_signal(signal.SIGKILL)
        child.wait()
        loaded = made()
        about = BackgroundCheckpoint(tmp_path).restore(loaded)
        reached.append(about["batches"] if about else 0)
    assert reached == sorted(reached)
    assert reached[-1] > reached[0]
    newest = sorted(p for p in tmp_path.iterdir() if p.name[0] != ".")[-1]
    assert json.loads((newest / "manifest.json").read_text())["batches"] == reached[-1]
    assert np.isfinite(loaded.predict(EVERY, verbose=0)).all()
