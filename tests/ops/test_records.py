"""What the compiled table tells of its ids, and the DataFrame of it."""

from __future__ import annotations

import pathlib
import re
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import DynamicEmbedding
from recs.ops.records import SLOT_NAMES
from recs.ops.reference import Batch
from recs.ops.row_initializer import BLOCK, CONSTANT, UNIFORM, RowInitializer
from recs.ops.table import Table
from tests.ops.compiled import CompiledTable
from tests.ops.conftest import key_of

RULES = {
    "sgd": (("sgd", (0.0, 0.0)), []),
    "momentum": (("sgd", (0.9, 0.0)), ["momentum"]),
    "adagrad": (("adagrad", (0.1, 1e-7)), ["accumulator"]),
    "adam": (("adam", (0.9, 0.999, 0.1, 0.001, 1e-7)), ["momentum", "velocity"]),
}


def make(kind: str, dim: int = 2) -> CompiledTable:
    return CompiledTable(dim, kind, RowInitializer(UNIFORM, -1.0, 1.0), 3)


def train(table: CompiledTable, keys, gradient, rule="adagrad", at=0):
    looked = table.find_or_insert(Batch(keys))
    table.add_gradient(looked, np.asarray(gradient, np.float32))
    table.commit(*RULES[rule][0], learning_rate=0.1, step=at)


@pytest.fixture
def trained(kind):
    table = make(kind)
    table.upsert([key_of(kind, 9)], [[5.0, 6.0]])
    keys = [key_of(kind, i) for i in (0, 1, 0)]
    train(table, keys, [[1, 2], [3, 4], [0, 0]])
    return table


def test_metadata_has_the_shape_of_the_ids(trained, kind):
    before = np.datetime64(int(time.time()) - 100, "s")
    ids = [[key_of(kind, i) for i in row] for row in ([0, 1, 2], [9, 0, 0])]
    noted = trained.table.metadata(ids)
    np.testing.assert_array_equal(noted.count, [[2, 1, 0], [0, 2, 2]])
    np.testing.assert_array_equal(noted.last_step, [[0, 0, -1], [-1, 0, 0]])
    np.testing.assert_array_equal(np.isnat(noted.last_time), [[0, 0, 1], [1, 0, 0]])
    assert (noted.last_time[0, :2] >= before).all()
    assert (noted.last_time[0, :2] <= np.datetime64(int(time.time()) + 1, "s")).all()
    assert trained.table.metadata([]).count.shape == (0,)


def test_a_given_time_is_noted(kind):
    table = make(kind)
    for time_of_step, numbers in ((1_700_000_000, (0, 1)), (1_600_000_000, (1, 2))):
        table.time = time_of_step
        train(table, [key_of(kind, i) for i in numbers], np.zeros((2, 2)))
    noted = table.table.metadata([key_of(kind, i) for i in range(3)])
    # What comes late does not make a row older.
    late, early = np.datetime64("2023-11-14T22:13:20"), np.datetime64("2020-09-13T12:26:40")
    assert noted.last_time.tolist() == [t.tolist() for t in (late, late, early)]


def test_metadata_of_more_ids_than_are_read_at_once(kind):
    table = make(kind, 1)
    known = [key_of(kind, i) for i in range(0, 5000, 2)]
    table.find_or_insert(Batch(known))
    noted = table.table.metadata([key_of(kind, i) for i in range(5000)])
    np.testing.assert_array_equal(noted.count, np.arange(5000) % 2 == 0)


def test_looking_at_records_counts_as_no_look_up(trained, kind):
    before = trained.table.stats()
    trained.table.metadata([key_of(kind, 0)])
    trained.table.records(slots=True)
    assert trained.table.stats() == before


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dim", [1, 3])
def test_records_hold_rows_and_slots_under_their_names(kind, rule, dim, rng):
    table = make(kind, dim)
    keys = [key_of(kind, i) for i in range(30)]
    gradient = rng.standard_normal((30, dim)).astype(np.float32)
    train(table, keys, gradient, rule)
    found = table.table.records(slots=True)
    exported_keys, exported_rows = table.table.export()
    np.testing.assert_array_equal(found.keys, exported_keys)
    np.testing.assert_array_equal(found.rows, exported_rows)
    assert list(found.slots) == RULES[rule][1]
    place = {key: i for i, key in enumerate(keys)}
    g = gradient[[place[key] for key in found.keys.tolist()]]
    first_step = {  # the slots after one step, from the formulas
        "sgd": [],
        "momentum": [-0.1 * g],
        "adagrad": [0.1 + g * g],
        "adam": [0.1 * g, 0.001 * g * g],
    }
    for slot, expected in zip(found.slots.values(), first_step[rule], strict=True):
        np.testing.assert_allclose(slot, expected, rtol=1e-5)


def test_every_rule_of_the_engine_has_names_for_its_slots():
    source = pathlib.Path(recs.ops.__file__).parent / "cc/optimizers/row_optimizer.cc"
    rules = set(re.findall(r'KindOf<\w+>\("(\w+)"', source.read_text()))
    assert len(rules) >= 15
    assert set(SLOT_NAMES) == rules


OF_KERAS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "adam": lambda: keras.optimizers.Adam(0.1),
    "amsgrad": lambda: keras.optimizers.Adam(0.1, amsgrad=True),
    "adamax": lambda: keras.optimizers.Adamax(0.1),
    "nadam": lambda: keras.optimizers.Nadam(0.1),
    "adadelta": lambda: keras.optimizers.Adadelta(0.1),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.1, momentum=0.9),
    "centered_rmsprop": lambda: keras.optimizers.RMSprop(0.1, momentum=0.9, centered=True),
    "ftrl": lambda: keras.optimizers.Ftrl(0.1),
    "lion": lambda: keras.optimizers.Lion(0.1),
}


@pytest.mark.parametrize("rule", OF_KERAS)
def test_slots_hold_what_keras_keeps_under_these_names(rule, rng):
    """Keras's own optimizer, given the same dense gradients, has the same variables."""
    layer = DynamicEmbedding(3, optimizer=OF_KERAS[rule](), embeddings_initializer="ones")
    dense = keras.Variable(np.ones((5, 3)), name="v")
    optimizer = OF_KERAS[rule]()
    optimizer.build([dense])
    applying = keras.optimizers.SGD()
    for _ in range(3):
        gradient = rng.standard_normal((5, 3)).astype(np.float32)
        optimizer.apply([tf.constant(gradient)], [dense])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(np.arange(5), training=True) * gradient)
        weights = layer.trainable_variables
        applying.apply(tape.gradient(loss, [w.value for w in weights]), weights)
    found = layer.table.records(slots=True)
    kept = {v.name[2:]: v.numpy()[found.keys] for v in optimizer.variables if v.name[:2] == "v_"}
    assert tuple(found.slots) == SLOT_NAMES[rule]
    assert set(found.slots) == set(kept)
    for name, values in found.slots.items():
        np.testing.assert_allclose(values, kept[name], rtol=1e-4, atol=1e-6)


def test_slots_that_count_come_as_whole_numbers(kind):
    table = make(kind)
    keys = [key_of(kind, i) for i in range(2)]
    parameters = (0.9, 0.999, 0.1, 0.001, 1e-7, 1.0, 1.0)
    for step, of_step in enumerate([keys, keys[:1], keys[:1]]):
        looked = table.find_or_insert(Batch(of_step))
        table.add_gradient(looked, np.ones((len(of_step), 2), np.float32))
        table.commit("lazy_adam", parameters, learning_rate=0.1, step=step)
    found = table.table.records(slots=True)
    place = [found.keys.tolist().index(key) for key in keys]
    assert list(found.slots) == ["momentum", "velocity", "last_update", "updates"]
    assert found.slots["last_update"][place].tolist() == [3, 1]
    assert found.slots["updates"][place].tolist() == [3, 1]


def test_what_is_not_asked_for_is_none(trained):
    found = trained.table.records(rows=False)
    assert found.rows is None
    assert found.slots is None
    assert len(found.keys) == 3


def test_an_empty_table_has_no_records(kind):
    found = make(kind).table.records(slots=True)
    assert len(found.keys) == 0
    assert found.rows.shape == (0, 2)
    assert found.metadata.count.shape == (0,)
    assert make(kind).table.to_pandas(slots=True).shape == (0, 5)


def test_a_limit_takes_a_sample_that_stands_for_all(kind):
    table = make(kind, 1)
    keys = [key_of(kind, 100 + i) for i in range(20_000)]
    table.find_or_insert(Batch(keys[:10_000]))
    table.find_or_insert(Batch(keys[10_000:] * 2))
    assert len(table.table.records(rows=False, limit=20_000).keys) == 20_000
    found = table.table.records(rows=False, limit=2000)
    assert 2000 <= len(found.keys) <= 2000 + 64
    assert len(set(found.keys.tolist())) == len(found.keys)
    # Half were seen twice, whenever they were inserted: 4 standard deviations of a fair coin.
    assert abs((found.metadata.count == 2).mean() - 0.5) < 4 * 0.5 / 2000**0.5
    assert len(table.table.records(rows=False, limit=0).keys) == 0


def test_records_beside_training_are_from_one_moment():
    """All rows get the same updates in the same steps, so at any moment they are equal."""
    table = CompiledTable(4, "int64", RowInitializer(CONSTANT, 1.0), 3)
    keys = list(range(5000))
    stop = threading.Event()
    train(table, keys, np.ones((5000, 4)))

    def go_on():
        at = 1
        while not stop.is_set():
            train(table, keys, np.ones((5000, 4)), at=at)
            at += 1

    trainer = threading.Thread(target=go_on)
    trainer.start()
    try:
        values = set()
        while len(values) < 5:
            found = table.table.records(slots=True)
            assert len(np.unique(found.rows)) == 1
            assert len(np.unique(found.slots["accumulator"])) == 1
            values.add(float(found.rows[0, 0]))
    finally:
        stop.set()
        trainer.join()


def test_bytes_are_those_in_use():
    table = Table(64, "int64", RowInitializer(CONSTANT, 1.0), 1)
    table.upsert(np.arange(100_000), np.ones((100_000, 64), np.float32))
    record = 24 + 64 * 4
    index = 8 * 100_000 / table.stats()["load"]
    # Parts of the index that are growing have their old half as well.
    old_halves = table.stats()["bytes"] - 100_000 * record - index
    assert -1 < old_halves < index / 4
    # A place that became free is kept, and used again.
    before = table.stats()["bytes"]
    table.remove(np.arange(1000))
    assert table.stats()["bytes"] == before
    table.upsert(np.arange(1000), np.ones((1000, 64), np.float32))
    assert before - old_halves - 1 < table.stats()["bytes"] <= before
    table.clear()
    assert table.stats()["bytes"] < 10_000


def test_bytes_of_rows_drawn_once_count():
    block = np.ones((4096, 8), np.float32)
    drawn = Table(8, "int64", RowInitializer(BLOCK, block=block), 1)
    formula = Table(8, "int64", RowInitializer(CONSTANT, 1.0), 1)
    assert drawn.stats()["bytes"] - formula.stats()["bytes"] == 4096 * 8 * 4


def test_bytes_of_string_ids_count():
    def bytes_with(kind, key):
        table = Table(1, kind, RowInitializer(CONSTANT, 1.0), 1)
        table.upsert([key], [[1.0]])
        return table.stats()["bytes"]

    # Up to sixteen bytes are within the record, longer ones beside it with their length.
    assert bytes_with("string", "x" * 16) - bytes_with("int64", 1) == 16
    assert bytes_with("string", "x" * 1000) - bytes_with("string", "x" * 16) == 1000 + 8


def test_counts_are_exact_with_readers_on_several_threads():
    table = Table(2, "int64", RowInitializer(CONSTANT, 1.0), 1)
    table.upsert(np.arange(500), np.ones((500, 2)))

    def read():
        for _ in range(50):
            table.lookup(np.arange(5000))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = table.stats()
    assert (stats["lookups"], stats["hits"]) == (1_000_000, 100_000)
    assert stats["hit_rate"] == 0.1


def test_the_frame_has_what_the_table_has(trained, kind):
    frame = trained.table.to_pandas(slots=True)
    assert list(frame.columns) == [
        *("count", "last_step", "last_time", "row_0", "row_1"),
        *("accumulator_0", "accumulator_1"),
    ]
    assert frame.index.name == "id"
    found = trained.table.records(slots=True)
    names = found.keys.tolist()
    assert list(frame.index) == (names if kind == "int64" else [n.decode() for n in names])
    np.testing.assert_array_equal(frame[["row_0", "row_1"]], found.rows)
    np.testing.assert_array_equal(
        frame[["accumulator_0", "accumulator_1"]], found.slots["accumulator"]
    )
    assert frame["row_0"].dtype == np.float32
    assert frame["last_time"].dtype.kind == "M"
    by_id = frame.loc[key_of(kind, 0) if kind == "int64" else key_of(kind, 0).decode()]
    assert (by_id["count"], by_id["last_step"]) == (2, 0)
    by_hand = frame[frame["count"] == 0]
    assert by_hand[["row_0", "row_1"]].to_numpy().tolist() == [[5.0, 6.0]]
    assert by_hand["last_time"].isna().all()
    assert list(trained.table.to_pandas(rows=False).columns) == ["count", "last_step", "last_time"]


def test_ids_that_are_no_text_come_back_losslessly():
    table = make("string")
    keys = [key_of("string", i) for i in range(12)]
    table.find_or_insert(Batch(keys))
    index = table.table.to_pandas(rows=False).index
    assert {name.encode("utf-8", "surrogateescape") for name in index} == set(keys)


def test_without_pandas_the_error_says_what_to_install(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"needs pandas\. .*in table 'tested'.*recs\["):
        trained.table.to_pandas()
