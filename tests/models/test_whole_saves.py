"""`recs.Model.save` and `save_weights` leave the old file whole until the new one is."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.callbacks import BackgroundCheckpoint
from recs.export import DeltaFolder, saved_model
from recs.files.workspace import replacing
from recs.layers import DynamicEmbedding
from recs.warm_start import to_parquet
from tests.ops.test_background_save import ON_A_SMALL_DISK

ROOT = pathlib.Path(__file__).parents[2]
IDS = np.arange(8)


def model_of(rows=8):
    ids = keras.Input((), dtype="int64", name="ids")
    users = DynamicEmbedding(8, name="users", optimizer="adagrad")
    model = recs.Model(ids, keras.layers.Dense(1, name="scores")(users(ids)))
    set_to(model, 1.0, rows)
    return model


def set_to(model, value, rows=8):
    model.get_layer("users").table.upsert(np.arange(rows), np.broadcast_to(value, (rows, 8)))


def answers(model):
    return model(IDS).numpy().tolist()


@pytest.mark.parametrize("name", ["m.keras", "folder", "m.weights.h5", "m.weights.json"])
def test_what_is_saved_is_what_keras_saves(tmp_path, name, recwarn):
    model, path = model_of(), tmp_path / name
    for value in (1.0, 2.0):  # new, and over an old one
        set_to(model, value)
        if "weights" in name:
            model.save_weights(str(path), max_shard_size=1 if "json" in name else None)
            loaded = model_of()
            loaded.load_weights(path)
        else:
            model.save(path, zipped=False if name == "folder" else None)
            loaded = keras.saving.load_model(path)
        assert answers(loaded) == answers(model)
        assert not [entry for entry in os.listdir(tmp_path) if entry[0] == "."]


@contextlib.contextmanager
def short_files():
    """Lets no file grow beyond 300,000 bytes: a write fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def check_full_disk(folder, rows, full):
    """Every way out of a model leaves the old state where the new one does not fit."""
    model = model_of()
    model.compile("sgd", "mse")
    checkpoint = BackgroundCheckpoint(folder / "states")
    ways = {
        "keras": lambda m: m.save(folder / "m.keras"),
        "folder": lambda m: m.save(folder / "m", zipped=False),
        "weights": lambda m: m.save_weights(folder / "m.weights.h5"),
        "shards": lambda m: m.save_weights(folder / "s.weights.json", max_shard_size=1),
        "deltas": lambda m: DeltaFolder(folder / "changes").write(m),
        "states": lambda m: m.fit(IDS, np.ones((8, 1)), verbose=0, callbacks=[checkpoint]),
        "serving": lambda m: saved_model(m, folder / "served" / "1"),
        "table": lambda m: m.get_layer("users").table.save(folder / "table"),
        "parquet": lambda m: to_parquet(m.get_layer("users"), folder / "rows.parquet"),
    }

    def contents():
        return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    for way in ways.values():
        way(model)
    before = contents()
    set_to(model, np.random.default_rng(0).normal(size=(rows, 8)), rows)
    for name, way in ways.items():
        with full(), pytest.raises((OSError, RuntimeError, ValueError, tf.errors.OpError)):
            way(model)
        assert contents() == before, name
        assert not list(folder.rglob(".*")), name
    set_to(model, 4.0)
    model.get_layer("users").table.remove(np.arange(8, rows))
    for way in reversed(ways.values()):
        way(model)
    assert answers(keras.saving.load_model(folder / "m.keras")) == answers(model)


@pytest.mark.slow
def test_where_files_may_not_grow_the_old_ones_stay_and_nothing_is_left(tmp_path):
    check_full_disk(tmp_path, 50_000, short_files)


FULL = """
import contextlib, pathlib
from tests.models.test_whole_saves import check_full_disk
check_full_disk(pathlib.Path({path!r}), 200_000, contextlib.nullcontext)
"""


@pytest.mark.slow
def test_where_the_disk_is_full_the_old_ones_stay_and_nothing_is_left(tmp_path):
    # Namespaces of its own let the process mount a disk, where the machine allows them.
    namespaces = ("unshare", "--user", "--map-root-user", "--mount")
    if not shutil.which("unshare") or subprocess.run([*namespaces, "true"], check=False).returncode:
        pytest.skip("a small disk is mounted in namespaces, which this machine does not allow")
    mounted = ("sh", "-ec", ON_A_SMALL_DISK, "sh", str(tmp_path))
    command = [*namespaces, *mounted, sys.executable, "-c", FULL.format(path=str(tmp_path))]
    subprocess.run(command, check=True, cwd=ROOT)


def test_keras_is_asked_where_it_is_its_own_matter(tmp_path):
    model = model_of()
    for path in (tmp_path / "m.txt", tmp_path / "m"):
        with pytest.raises(ValueError, match=f"{path}"):
            model.save(path)
        with pytest.raises(ValueError, match=f"{path}"):
            model.save_weights(path)
    with pytest.raises(FileNotFoundError):
        model.save(tmp_path / "none" / "m.keras")
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_there_is_asked_about(tmp_path, monkeypatch):
    model = model_of()
    for path, save in [
        (tmp_path / "m.keras", model.save),
        (tmp_path / "m.weights.h5", model.save_weights),
    ]:
        save(path, overwrite=False)
        before = path.read_bytes()
        replies = iter(["what", "n", "y"])
        monkeypatch.setattr("builtins.input", lambda prompt, replies=replies: next(replies))
        set_to(model, 5.0)
        save(path, overwrite=False)
        assert path.read_bytes() == before
        save(path, overwrite=False)
        assert path.read_bytes() != before
        set_to(model, 1.0)


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "notes").write_text("kept")
    with pytest.raises(FileExistsError, match="must be new, an empty folder, or the folder of a"):
        model_of().save(tmp_path, zipped=False)
    assert os.listdir(tmp_path) == ["notes"]


def test_a_link_s_file_is_replaced(tmp_path):
    model = model_of()
    (tmp_path / "link.keras").symlink_to(tmp_path / "real.keras")
    model.save(tmp_path / "link.keras")
    assert (tmp_path / "link.keras").is_symlink()
    assert answers(keras.saving.load_model(tmp_path / "real.keras")) == answers(model)


def test_a_workspace_is_hidden_from_who_lists_the_folder(tmp_path):
    with replacing(tmp_path / "m.keras") as beside:
        beside.write_text("x")
        assert [name for name in os.listdir(tmp_path) if name[0] != "."] == []
