"""A chain of changes brings whoever serves to the state of the model in training."""

from __future__ import annotations

import json
import os
import shutil
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.export import DeltaFolder, saved_model
from recs.layers import (
    DynamicEmbedding,
    EmbeddingCollection,
    FeatureConfig,
    RecentRecords,
    TableConfig,
)
from recs.layers.factorized_top_k import BruteForce

IDS = np.arange(-20, 400)


def model_of(key_dtype="int64", **arguments):
    ids = keras.Input((), dtype=key_dtype, name="ids")
    users = DynamicEmbedding(4, key_dtype=key_dtype, optimizer="adagrad", name="users", **arguments)
    return keras.Model(ids, keras.layers.Dense(2, name="scores")(users(ids)))


def train(model, rng, greatest=300):
    if not model.compiled:
        model.compile(keras.optimizers.Adam(0.05), "mse")
    ids = rng.integers(0, greatest, 200)
    x = ids if model.inputs[0].dtype == "int64" else ids.astype(str).astype(object)
    model.fit(tf.constant(x), rng.normal(size=(200, 2)), batch_size=64, verbose=0)
    model.get_layer("users").table.remove(x[:3])


def state(model, slots=True):
    """Returns rows, slots and counts by id, and the dense weights."""
    table = model.get_layer("users").table
    found = table.records(slots=slots)
    order = np.argsort(found.keys)
    parts = [found.keys, found.rows, found.metadata.count, found.metadata.last_step]
    parts += [found.slots[name] for name in sorted(found.slots)] if slots else []
    return [np.asarray(part)[order] for part in parts] + model.get_layer("scores").get_weights()


def assert_equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("key_dtype", ["int64", "string"])
@pytest.mark.parametrize("slots", [False, True])
def test_base_and_deltas_give_the_model_bit_for_bit(tmp_path, rng, key_dtype, slots):
    trainer, server = model_of(key_dtype), model_of(key_dtype)
    folder = DeltaFolder(tmp_path / "changes", slots)
    for i in range(4):
        train(trainer, rng)
        assert folder.write(trainer) == f"{i + 1:06d}-{'delta' if i else 'base'}"
        if i != 1:  # a consumer may fall behind
            folder.apply(server)
            assert_equal(state(trainer, slots), state(server, slots))
    assert folder.apply(server) == []


def test_a_replica_with_slots_trains_on_as_the_trainer_would(tmp_path, rng):
    trainer, replica = model_of(seed=3), model_of(seed=3)
    folder = DeltaFolder(tmp_path, slots=True)
    for _ in range(2):
        train(trainer, rng)
        folder.write(trainer)
    folder.apply(replica)
    ids, rows = np.arange(500), np.ones((500, 4), np.float32)
    for model in (trainer, replica):
        users = model.get_layer("users")
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(users(ids, training=True) * rows)
        gradients = tape.gradient(loss, users.trainable_variables)
        keras.optimizers.SGD().apply(gradients, users.trainable_variables)
    assert_equal(state(trainer)[:4], state(replica)[:4])


def test_every_kind_of_table_and_variable_is_in_it(tmp_path, rng):
    class Everything(keras.Model):
        def __init__(self):
            super().__init__()
            tables = [TableConfig(name, 3) for name in ("films", "genres")]
            self.items = EmbeddingCollection([FeatureConfig(t.name, t) for t in tables])
            self.recent = RecentRecords(2, 1)
            self.index = BruteForce(k=1)

        def call(self, ids):
            return self.items({"films": ids, "genres": ids})

    trainer, server = Everything(), Everything()
    folder = DeltaFolder(tmp_path)
    for i in range(2):
        for table in trainer.items.tables:
            table.upsert([1, 2 + i], rng.normal(size=(2, 3)))
        trainer.recent.append(np.array([5]), np.array([[1.0, i]], np.float32))
        films = np.array([f"film {j}" for j in range(4 + i)])
        trainer.index.index(rng.normal(size=(4 + i, 3)), films)
        folder.write(trainer)
    server.index.index(np.ones((1, 3)), np.array(["old"]))
    assert folder.apply(server) == ["000001-base", "000002-delta"]
    for one, other in zip(trainer.items.tables, server.items.tables, strict=True):
        np.testing.assert_array_equal(one.lookup([1, 2, 3]), other.lookup([1, 2, 3]))
    recent = [model.recent.table.recent([5]).records for model in (server, trainer)]
    np.testing.assert_array_equal(recent[0], recent[1])
    query = rng.normal(size=(3, 3))
    np.testing.assert_array_equal(trainer.index(query)[1], server.index(query)[1])


@pytest.mark.parametrize("loss_of_memory", ["clear", "restore", "another process"])
def test_a_table_that_does_not_know_its_changes_gives_a_base(tmp_path, rng, loss_of_memory):
    trainer, server = model_of(), model_of()
    folder = DeltaFolder(tmp_path / "changes")
    train(trainer, rng)
    folder.write(trainer)
    folder.apply(server)
    table = trainer.get_layer("users").table
    if loss_of_memory == "clear":
        table.clear()
    elif loss_of_memory == "restore":
        table.save(tmp_path / "state")
        table.restore(tmp_path / "state")
    else:
        trainer = model_of()
    train(trainer, rng, greatest=50)
    assert folder.write(trainer) == "000002-base"
    assert folder.apply(server) == ["000002-base"]
    assert_equal(state(trainer, False), state(server, False))
    assert folder.write(trainer, base=True) == "000003-base"


def test_a_loaded_export_takes_changes_over(tmp_path, rng):
    trainer = model_of()
    train(trainer, rng)
    loaded = tf.saved_model.load(str(saved_model(trainer, tmp_path / "1", stock_ops=False)))
    folder = DeltaFolder(tmp_path / "changes")
    for i in range(2):
        folder.write(trainer)
        assert len(folder.apply(loaded)) == 1
        found = loaded.signatures["serving_default"](ids=tf.constant(IDS, tf.int64))["output_0"]
        np.testing.assert_allclose(found, trainer(IDS), rtol=1e-6, atol=1e-7)
        if i == 0:
            train(trainer, rng)


def test_a_session_takes_changes_over_by_its_signature(tmp_path, rng):
    trainer = model_of()
    train(trainer, rng)
    path = str(saved_model(trainer, tmp_path / "1", stock_ops=False))
    folder = DeltaFolder(tmp_path / "changes")
    folder.write(trainer)
    train(trainer, rng)
    folder.write(trainer)
    expected = trainer(IDS).numpy()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)

        def call(name, **arguments):
            signature = loaded.signature_def[name]
            fed = {signature.inputs[key].name: value for key, value in arguments.items()}
            (output,) = signature.outputs.values()
            return session.run(output.name, fed)

        for entry in folder.entries:
            entered = str(folder.path / entry.name)
            at = call("apply_delta", folder=entered, base=entry.kind == "base")
            assert [text.decode() for text in at] == list(entry.cursors)
        np.testing.assert_allclose(call("serving_default", ids=IDS), expected, rtol=1e-6, atol=1e-7)


def test_readers_see_a_delta_wholly_or_not_at_all(tmp_path):
    def of_value(layer, value):
        layer.table.upsert(np.arange(20_000), np.full((20_000, 8), value, np.float32))

    trainer, server = DynamicEmbedding(8), DynamicEmbedding(8)
    folder = DeltaFolder(tmp_path)
    of_value(trainer, 0.0)
    folder.write(trainer)
    folder.apply(server)
    torn, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            # Within one piece of a look-up, which is what locks are held for.
            rows = server.table.lookup(np.arange(0, 20_000, 10))
            if rows.min() != rows.max():
                torn.append(rows)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for value in range(1, 15):
        of_value(trainer, float(value))
        folder.write(trainer)
        folder.apply(server)
    stop.set()
    for reader in readers:
        reader.join()
    assert not torn
    assert server.table.lookup([3])[0, 0] == 14.0


def test_compaction_gives_one_base_that_readers_at_the_end_go_on_from(tmp_path, rng):
    trainer, current, behind = model_of(), model_of(), model_of()
    folder = DeltaFolder(tmp_path)
    for i in range(3):
        train(trainer, rng)
        folder.write(trainer)
        folder.apply(current)
        if i == 1:
            folder.apply(behind)
    assert folder.compact(trainer) == "000004-base"
    assert folder.compact(trainer) == "000004-base"  # nothing to do
    assert sorted(os.listdir(tmp_path)) == ["000004-base", "manifest.json"]
    assert folder.apply(current) == []
    assert folder.apply(behind) == ["000004-base"]
    assert_equal(state(trainer, False), state(behind, False))
    train(trainer, rng)
    assert folder.write(trainer) == "000005-delta"
    for server in (current, behind):
        assert folder.apply(server) == ["000005-delta"]
        assert_equal(state(trainer, False), state(server, False))


def test_damage_leaves_the_server_at_the_entry_before(tmp_path, rng):
    trainer, server = model_of(), model_of()
    folder = DeltaFolder(tmp_path)
    states = []
    for _ in range(3):
        train(trainer, rng)
        folder.write(trainer)
        states.append(state(trainer, False))
    path = tmp_path / "000003-delta" / "table_000"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 4
    path.write_bytes(whole)
    with pytest.raises(tf.errors.DataLossError):
        folder.apply(server)
    assert_equal(states[1], state(server, False))


def test_what_a_killed_writer_left_does_no_harm_and_goes_with_the_next_write(tmp_path, rng):
    trainer, server = model_of(), model_of()
    folder = DeltaFolder(tmp_path)
    train(trainer, rng)
    folder.write(trainer)
    # Killed before the manifest, before the entry had its name, and in a compaction.
    for name in ("000002-delta", ".000002-delta.0123456789abcdef.partial", "000007-base"):
        shutil.copytree(tmp_path / "000001-base", tmp_path / name)
    assert folder.apply(server) == ["000001-base"]
    train(trainer, rng)
    assert folder.write(trainer) == "000002-delta"
    assert folder.apply(server) == ["000002-delta"]
    assert_equal(state(trainer, False), state(server, False))
    assert sorted(os.listdir(tmp_path)) == ["000001-base", "000002-delta", "manifest.json"]


@pytest.mark.slow
def test_two_writers_at_once_leave_a_chain(tmp_path, rng):
    trainers = [model_of(), model_of()]
    for trainer in trainers:
        train(trainer, rng)
    folders = [DeltaFolder(tmp_path) for _ in trainers]

    def write(folder, trainer):
        for _ in range(5):
            folder.write(trainer)

    threads = [
        threading.Thread(target=write, args=pair) for pair in zip(folders, trainers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.number for entry in folders[0].entries] == list(range(1, 11))
    server = model_of()
    folders[0].apply(server)
    assert any(np.array_equal(server(IDS), trainer(IDS)) for trainer in trainers)


def test_a_folder_that_cannot_be_written_leaves_the_chain(tmp_path, rng):
    trainer = model_of()
    folder = DeltaFolder(tmp_path / "changes")
    train(trainer, rng)
    folder.write(trainer)
    before = (tmp_path / "changes" / "manifest.json").read_text()
    (tmp_path / "changes").rename(tmp_path / "moved")
    (tmp_path / "changes").write_text("a file where the folder was")
    with pytest.raises(OSError, match="changes"):
        folder.write(trainer)
    assert (tmp_path / "moved" / "manifest.json").read_text() == before


@pytest.mark.parametrize("received", ["{", "{}", '{"version": 9, "entries": []}', "[]"])
def test_a_damaged_manifest_is_told(tmp_path, received):
    (tmp_path / "manifest.json").write_text(received)
    with pytest.raises(ValueError, match="The manifest of a folder of deltas must list"):
        _ = DeltaFolder(tmp_path).entries


def test_a_manifest_whose_chain_has_no_base_is_told(tmp_path, rng):
    trainer = model_of()
    folder = DeltaFolder(tmp_path)
    for _ in range(2):
        train(trainer, rng)
        folder.write(trainer)
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["entries"] = content["entries"][1:]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"a base first. Received: the entries \['000002-delta'\]"):
        folder.apply(model_of())


def test_what_cannot_take_changes_is_told(tmp_path, rng):
    trainer = model_of()
    train(trainer, rng)
    folder = DeltaFolder(tmp_path / "changes")
    with pytest.raises(ValueError, match="must hold a base before"):
        folder.apply(trainer)
    folder.write(trainer)
    stock = tf.saved_model.load(str(saved_model(trainer, tmp_path / "1")))
    with pytest.raises(ValueError, match="must be a model, or a loaded export"):
        folder.apply(stock)
    with pytest.raises(ValueError, match="must have the tables of the model that wrote it"):
        folder.apply(keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(ValueError, match="must have tables"):
        folder.write(keras.Sequential([keras.layers.Dense(1)]))
