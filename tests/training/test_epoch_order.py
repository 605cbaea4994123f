"""A training that was interrupted ends where it would have ended, with shuffled data too."""

from __future__ import annotations

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from recs.callbacks import BackgroundCheckpoint, EpochOrder
from recs.data import Interactions, stream_parquet, stream_tfrecord
from recs.layers import DynamicEmbedding
from recs.models import TwoTower
from recs.training.checkpoint_folder import tables_of
from recs.training.epoch_order import shuffled_otherwise

ROWS, EPOCHS, BATCHES = 26, 3, 4
USER, ITEM = np.arange(ROWS) % 9, np.arange(ROWS) * 7 % 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for part, rows in enumerate(np.array_split(np.arange(ROWS), 3)):
        columns = {"user": USER[rows], "item": ITEM[rows]}
        pq.write_table(pa.table(columns), folder / f"{part}.parquet", row_group_size=4)
        with tf.io.TFRecordWriter(str(folder / f"{part}.tfrecord")) as writer:
            for row in rows.tolist():
                feature = {
                    name: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(values[row])]))
                    for name, values in (("user", USER), ("item", ITEM))
                }
                features = tf.train.Features(feature=feature)
                writer.write(tf.train.Example(features=features).SerializeToString())
    return folder


SHUFFLED = {"batch_size": 7, "shuffle": True, "seed": 4}
SOURCES = {
    "rows": lambda _: Interactions({"user": USER, "item": ITEM}).to_dataset(**SHUFFLED),
    "parquet": lambda folder: stream_parquet(folder, ["user", "item"], **SHUFFLED),
    "tfrecord": lambda folder: stream_tfrecord(
        folder, {"user": "int64", "item": "int64"}, **SHUFFLED
    ),
}


def plain():
    """A model of Keras's own."""
    keras.utils.set_random_seed(3)
    user, item = keras.Input((), dtype="int64"), keras.Input((), dtype="int64")
    vectors = [
        DynamicEmbedding(2, seed=seed, optimizer="adagrad")(one)
        for seed, one in enumerate((user, item))
    ]
    model = keras.Model([user, item], keras.layers.Dense(1)(keras.layers.Concatenate()(vectors)))
    model.compile("adam", "mse", run_eagerly=True)
    return model


def towers():
    """A ready model, of `recs.Model`."""
    keras.utils.set_random_seed(3)
    model = TwoTower(user="user", item="item", embedding_dim=2, seed=1)
    model.compile("adagrad", run_eagerly=True)
    return model


KINDS = {"plain": plain, "recs": towers}


def data_of(source, kind, folder):
    keras.utils.set_random_seed(3)  # The global seed takes part in the order.
    data = SOURCES[source](folder)
    if kind == "recs":
        return data.map(lambda row: {name: tf.strings.as_string(row[name]) for name in row})
    return data.map(lambda row: ((row["user"], row["item"]), tf.cast(row["item"], "float32")))


class KilledError(Exception):
    """The process was killed."""


class KillAfter(keras.callbacks.Callback):
    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KilledError


def state(model):
    # The weights of tables stand for their rows, which come below.
    weights = [weight for weight in model.variables if not weight.path.endswith("/anchor")]
    found = [weight.numpy() for weight in (*weights, *model.optimizer.variables)]
    for table in tables_of(model):
        records = table.records(slots=True)
        order = np.argsort(records.keys)
        found += [records.keys[order], records.rows[order]]
        found += [slot[order] for slot in records.slots.values()]
    return found


def assert_same(one, other):
    assert len(one) == len(other) > 3
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def whole(folder):
    """What an uninterrupted training of each source and kind ends with."""
    ends = {}

    def end_of(source, kind):
        if (source, kind) not in ends:
            model = KINDS[kind]()
            order = [EpochOrder()] if kind == "plain" else []
            data = data_of(source, kind, folder)
            model.fit(data, epochs=EPOCHS, callbacks=order, verbose=0)
            ends[source, kind] = state(model)
        return ends[source, kind]

    return end_of


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", SOURCES)
class TestEverySourceAndKind:
    def test_goes_on_within_an_epoch(self, source, kind, folder, whole, tmp_path):
        killed = KINDS[kind]()
        save = BackgroundCheckpoint(tmp_path, save_freq=2)
        with pytest.raises(KilledError):
            save.resume(killed, data_of(source, kind, folder), epochs=EPOCHS, verbose=0,
                        callbacks=[KillAfter(7)])  # fmt: skip
        save.wait()
        model, save = KINDS[kind](), BackgroundCheckpoint(tmp_path, save_freq=2)
        history = save.resume(model, data_of(source, kind, folder), epochs=EPOCHS, verbose=0)
        assert history.epoch == [1, 2]
        assert_same(state(model), whole(source, kind))

    def test_goes_on_by_epoch_after_other_iterations(self, source, kind, folder, whole, tmp_path):
        save = BackgroundCheckpoint(tmp_path)
        data = data_of(source, kind, folder)
        first = KINDS[kind]()
        first.fit(data, epochs=2, callbacks=[save], verbose=0, validation_data=data)
        model = KINDS[kind]()
        begun = save.restore(model)
        assert begun == {"batches": 2 * BATCHES, "epochs": 2, "epoch_batches": 0}
        order = [EpochOrder()] if kind == "plain" else []
        model.fit(data, initial_epoch=2, epochs=EPOCHS, callbacks=order, verbose=0)
        assert_same(state(model), whole(source, kind))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_backup_and_restore_goes_on_by_epoch(kind, folder, whole, tmp_path):
    for killed in (True, False):
        model = KINDS[kind]()
        callbacks = [keras.callbacks.BackupAndRestore(tmp_path / "backup")]
        callbacks += [EpochOrder()] if kind == "plain" else []
        data = data_of("rows", kind, folder)
        if killed:
            callbacks.append(KillAfter(6))
            with pytest.raises(KilledError):
                model.fit(data, epochs=EPOCHS, callbacks=callbacks, verbose=0)
        else:
            history = model.fit(data, epochs=EPOCHS, callbacks=callbacks, verbose=0)
            assert history.epoch == [1, 2]
    assert_same(state(model), whole("rows", kind))


@pytest.mark.slow
def test_epochs_that_are_no_passes_go_on_too(folder, tmp_path):
    def data():
        return data_of("rows", "recs", folder).repeat()

    uninterrupted = towers()
    uninterrupted.fit(data(), epochs=4, steps_per_epoch=3, verbose=0)
    killed, save = towers(), BackgroundCheckpoint(tmp_path, save_freq=1)
    with pytest.raises(KilledError):
        save.resume(killed, data(), epochs=4, steps_per_epoch=3, verbose=0,
                    callbacks=[KillAfter(5)])  # fmt: skip
    save.wait()
    model = towers()
    again = BackgroundCheckpoint(tmp_path, save_freq=1)
    again.resume(model, data(), epochs=4, steps_per_epoch=3, verbose=0)
    assert_same(state(model), state(uninterrupted))


@pytest.mark.slow
def test_a_state_at_the_end_of_an_epoch_goes_on_with_the_next(folder, whole, tmp_path):
    save = BackgroundCheckpoint(tmp_path, save_freq=BATCHES)
    save.resume(towers(), data_of("tfrecord", "recs", folder), epochs=1, verbose=0)
    model = towers()
    history = save.resume(model, data_of("tfrecord", "recs", folder), epochs=EPOCHS, verbose=0)
    assert history.epoch == [1, 2]
    assert_same(state(model), whole("tfrecord", "recs"))


def test_what_cannot_go_on_says_so(folder, tmp_path):
    model, save = towers(), BackgroundCheckpoint(tmp_path, save_freq=3)
    data = data_of("rows", "recs", folder)
    model.fit(data, callbacks=[save], verbose=0)
    assert save.restore(model)["epoch_batches"] == 3
    with pytest.raises(ValueError, match="must leave out the batches"):
        model.fit(data, epochs=2, callbacks=[save], verbose=0)
    mixed = data.unbatch().shuffle(9).batch(7)
    for wrong, match in (
        (mixed, "order that follows from the number"),
        ({"user": USER}, "must be a `tf.data.Dataset`"),
    ):
        with pytest.raises(ValueError, match=match):
            save.resume(model, wrong)
    with pytest.raises(ValueError, match="must be without end"):
        save.resume(model, data, steps_per_epoch=2)
    with pytest.warns(UserWarning, match=r"`tf.data.Dataset.shuffle` shuffles"):
        model.fit(mixed, initial_epoch=1, epochs=2, verbose=0)
    with pytest.warns(UserWarning, match="steps_per_epoch=2, and 4 batches"):
        model.fit(data.repeat(), initial_epoch=1, epochs=2, steps_per_epoch=2, verbose=0)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda data: data, False),
        (lambda data: data.shuffle(3), True),
        (lambda data: data.shuffle(3, seed=1), True),
        (lambda data: data.shuffle(3, seed=1, reshuffle_each_iteration=False), False),
        (lambda data: data.shuffle(3).map(lambda x: x).batch(2).prefetch(1), True),
        (lambda data: tf.data.Dataset.zip((data, {"a": data.shuffle(3)})).repeat(), True),
        (lambda data: data.concatenate(data.shuffle(3)), True),
        (lambda data: tf.data.Dataset.sample_from_datasets([data, data.shuffle(3)]), True),
        (lambda _: Interactions({"user": USER, "item": ITEM}).to_dataset(shuffle=True), False),
    ],
)
def test_a_buffer_that_shuffles_is_found_wherever_it_is(make, found):
    assert (shuffled_otherwise(make(tf.data.Dataset.range(5))) is not None) == found
