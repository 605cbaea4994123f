"""An entry of a chain is applied whole or not at all, and a later call goes on from there."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.export import DeltaFolder, saved_model
from recs.export.deltas import target
from recs.layers import DynamicEmbedding

IDS = np.arange(6)


def model_of():
    ids = keras.Input((), dtype="int64", name="ids")
    users = DynamicEmbedding(2, name="users")(ids)
    items = DynamicEmbedding(2, name="items")(ids)
    return keras.Model(ids, keras.layers.Dense(1, name="scores")(users * items))


def change(model, value):
    for name in ("users", "items"):
        model.get_layer(name).table.upsert([1, int(value)], np.full((2, 2), value))
    model.get_layer("scores").set_weights([np.full((2, 1), value), np.full(1, value)])


class Served:
    """A model, or a loaded export of it, and what it answers and where it stands."""

    def __init__(self, model, path=None):
        self.target = model
        self.answer = lambda: model(IDS).numpy().tolist()
        if path is not None:
            loaded = tf.saved_model.load(str(saved_model(model, path, stock_ops=False)))
            serve = loaded.signatures["serving_default"]
            self.target = loaded
            self.answer = lambda: serve(ids=tf.constant(IDS))["output_0"].numpy().tolist()


@pytest.fixture(params=["model", "export"])
def server(request, tmp_path):
    return Served(model_of(), tmp_path / "1" if request.param == "export" else None)


@pytest.fixture
def trainer():
    return model_of()


def chain_of(folder, trainer, length=3):
    """Writes a chain; returns what the trainer answers at each entry."""
    answers = []
    for value in range(1, length + 1):
        change(trainer, float(value))
        folder.write(trainer)
        answers.append(trainer(IDS).numpy().tolist())
    return answers


def shift(path):
    """Removes a file, and returns what brings it back."""
    path.rename(path.with_name("away"))
    return lambda: path.with_name("away").rename(path)


def damage(path):
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes([whole[half] ^ 255]) + whole[half + 1 :])
    return lambda: path.write_bytes(whole)


def cut(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return lambda: path.write_bytes(whole)


def test_a_file_that_is_missing_or_damaged_leaves_the_entry_before(tmp_path, trainer, server):
    folder = DeltaFolder(tmp_path / "changes")
    answers = chain_of(folder, trainer)
    for entry, expected in zip(folder.entries, answers, strict=True):
        before = server.answer()
        for file in sorted((folder.path / entry.name).iterdir()):
            for spoil in (shift, damage, cut):
                mend = spoil(file)
                with pytest.raises(tf.errors.OpError):
                    folder.apply(server.target)
                assert server.answer() == before, (spoil, file)
                mend()
        later = folder.path / f"{entry.number + 1:06d}-delta"
        if later.exists():
            mend = shift(later)
            with pytest.raises(FileNotFoundError):  # it goes as far as it can
                folder.apply(server.target)
            mend()
        else:
            assert folder.apply(server.target) == [entry.name]
        assert server.answer() == expected


def test_a_chain_compacted_while_it_is_read_is_read_on_in_its_new_form(
    tmp_path, trainer, monkeypatch
):
    folder, server = DeltaFolder(tmp_path), Served(model_of())
    answers = chain_of(folder, trainer)
    read, calls = target.dense_variables.read, []

    def read_then_compact(*arguments):
        values = read(*arguments)
        calls.append(arguments)
        if len(calls) == 2:
            folder.compact(trainer)
        return values

    monkeypatch.setattr(target.dense_variables, "read", read_then_compact)
    assert folder.apply(server.target) == ["000001-base", "000004-base"]
    assert server.answer() == answers[-1]
    assert folder.apply(server.target) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_leaves_the_entry_before_or_the_entry_whole(
    tmp_path, trainer, monkeypatch, moment
):
    folder, server = DeltaFolder(tmp_path), Served(model_of())
    answers = chain_of(folder, trainer, 2)
    applied = target.apply_to_tables

    def interrupted(tables, path, base):
        if base.numpy():
            return applied(tables, path, base)
        if moment == "after":  # as when Ctrl-C is pressed while the op runs
            applied(tables, path, base)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(target, "apply_to_tables", interrupted)
        with pytest.raises(KeyboardInterrupt):
            folder.apply(server.target)
    assert server.answer() == answers[0 if moment == "before" else 1]
    assert folder.apply(server.target) == (["000002-delta"] if moment == "before" else [])
    assert server.answer() == answers[1]
