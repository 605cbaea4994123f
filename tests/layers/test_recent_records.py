"""The layer of recent records: in models, in training, and saved with them."""

from __future__ import annotations

import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.layers import RecentRecords
from recs.layers.admission import CountingBloomFilter, MinimumCount
from recs.layers.eviction import (
    LeastRecentlyUsed,
    MinimumNorm,
    SecondsToLive,
    StepsToLive,
)
from recs.ops.reference import ReferenceRecords
from tests.harness.new_process import run_code
from tests.harness.tiers import slow_but

ROOT = pathlib.Path(__file__).parents[2]
IDS = np.array([7, -1, 8, 7])


def filled(**arguments) -> RecentRecords:
    layer = RecentRecords(2, 3, **arguments)
    layer.append([7, -1, 7, 7, 7], np.arange(10.0).reshape(5, 2), timestamps=[1, 2, 3, 4, 5])
    return layer


def sequence_model() -> keras.Model:
    keras.utils.set_random_seed(4)
    ids = keras.Input((), dtype="int64", name="ids")
    records = RecentRecords(2, 3, name="recent")(ids)
    model = keras.Model(ids, keras.layers.Dense(1)(keras.layers.GRU(4)(records)))
    model.compile("adam", "mse")
    return model


def test_what_a_call_returns():
    records = filled()(IDS).numpy()
    np.testing.assert_array_equal(records[0], [[4, 5], [6, 7], [8, 9]])
    np.testing.assert_array_equal(records[1], [[2, 3], [0, 0], [0, 0]])
    np.testing.assert_array_equal(records[2], np.zeros((3, 2)))
    np.testing.assert_array_equal(records[3], records[0])


def test_times_come_along_when_asked_for():
    layer = filled(return_times=True)
    records, times = layer(IDS)
    np.testing.assert_array_equal(times, [[3, 4, 5], [2, 0, 0], [0, 0, 0], [3, 4, 5]])
    ids = keras.Input((5,), dtype="int64")
    of_model = keras.Model(ids, layer(ids))
    assert [o.shape for o in of_model.outputs] == [(None, 5, 3, 2), (None, 5, 3)]
    assert of_model.outputs[1].dtype == "int64"
    np.testing.assert_array_equal(of_model(np.tile(IDS[:1], (2, 5)))[1][1, 4], times[0])
    assert records.dtype == tf.float32


@pytest.mark.parametrize("way", ["eager", "predict"])
def test_a_recurrent_layer_leaves_padding_out(way):
    layer, gru = filled(), keras.layers.GRU(4)
    ids = keras.Input((), dtype="int64")
    model = keras.Model(ids, gru(layer(ids)))
    got = model(IDS).numpy() if way == "eager" else model.predict(IDS, verbose=0)
    records, lengths, _ = layer.table.recent(IDS)
    for row, record, length in zip(got, records, lengths, strict=True):
        alone = gru(record[None, :length]) if length else np.zeros((1, 4))
        np.testing.assert_allclose(row[None], alone, atol=1e-6)


def test_ids_that_stand_for_nothing():
    layer = RecentRecords(1, 2, key_dtype="string", mask_key="")
    layer.append(["a", "", "a"], [[1.0], [np.nan], [2.0]])
    assert layer.table.size() == 1
    layer.append(["a", "b"], [[3.0], [4.0]], mask=[False, True])
    found = layer(tf.constant([["a", ""], ["b", "c"]]))
    np.testing.assert_array_equal(found[..., 0], [[[1, 2], [0, 0]], [[4, 0], [0, 0]]])
    masked = layer(tf.constant(["a", "b"]), mask=tf.constant([False, True]))
    np.testing.assert_array_equal(masked[..., 0], [[0, 0], [4, 0]])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_records_are_kept_whole_and_come_in_the_compute_dtype(policy):
    layer = RecentRecords(1, 1, dtype=policy)
    layer.append([1], [[1.0 + 2.0**-20]])
    assert layer(np.array([1])).dtype == keras.DTypePolicy(policy).compute_dtype
    assert float(layer.table.recent([1]).records[0, 0, 0]) == 1.0 + 2.0**-20
    layer.append([1], tf.ones([1, 1], layer(np.array([1])).dtype))


class MeanOfThePast(recs.Model):
    """Its loss is what it remembers of the ids of a batch, before it remembers the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.recent = RecentRecords(1, 4)
        self.scale = self.add_weight(shape=(), initializer="ones")

    def compute_loss(self, inputs, training=False):
        past = self.recent(inputs["id"])
        if training:
            self.recent.append(inputs["id"], inputs["value"][:, None], inputs["time"])
        return keras.ops.mean(past) * self.scale


@pytest.mark.parametrize("eager", [False, True])
def test_appending_in_a_training_step(eager, rng):
    n = 96
    ids, values = rng.integers(0, 6, n), rng.normal(size=n).astype("float32")
    data = {"id": ids, "value": values, "time": np.arange(n)}
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(12)
    model = MeanOfThePast()
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=eager)
    losses = model.fit(dataset, epochs=3, verbose=0).history["total_loss"]
    reference, expected = ReferenceRecords(1, 4), []
    for _ in range(3):
        steps = []
        for at in range(0, n, 12):
            batch = slice(at, at + 12)
            steps.append(reference.recent(ids[batch].tolist())[0].mean())
            reference.append(ids[batch].tolist(), values[batch], np.arange(n)[batch])
        expected.append(np.mean(steps))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    table = model.recent.table
    for a, b in zip(table.recent(np.arange(6)), reference.recent(list(range(6))), strict=True):
        np.testing.assert_array_equal(a, b)
    before = table.serialize().numpy().tolist()
    model.evaluate(dataset, verbose=0)
    assert table.serialize().numpy().tolist() == before


PROGRAM = """
import sys, keras, numpy as np, tensorflow as tf
from tests.layers.test_recent_records import IDS, sequence_model
way, folder = sys.argv[1:]
if way == "keras":
    model = keras.saving.load_model(f"{folder}/m.keras")
else:
    model = sequence_model()
    if way == "weights":
        model.load_weights(f"{folder}/m.weights.h5")
    else:
        tf.train.Checkpoint(model=model).read(f"{folder}/c").expect_partial()
layer = model.get_layer("recent")
layer.append(IDS, np.ones((4, 2)), timestamps=9)
times = layer.table.recent(IDS).times
np.savez(f"{folder}/out.npz", predicted=model.predict(IDS, verbose=0), times=times)
"""


@pytest.mark.parametrize("way", slow_but(["keras", "weights", "checkpoint"], "keras"))
def test_a_new_process_goes_on_equally(way, tmp_path):
    model = sequence_model()
    layer = model.get_layer("recent")
    layer.append([7, -1, 7, 7, 7], np.arange(10.0).reshape(5, 2), timestamps=[1, 2, 3, 4, 5])
    model.fit(IDS, np.ones((4, 1)), verbose=0)
    if way == "keras":
        model.save(tmp_path / "m.keras")
    elif way == "weights":
        model.save_weights(tmp_path / "m.weights.h5")
    else:
        tf.train.Checkpoint(model=model).write(str(tmp_path / "c"))
    layer.append(IDS, np.ones((4, 2)), timestamps=9)
    expected = model.predict(IDS, verbose=0), layer.table.recent(IDS).times.numpy()
    layer.table.clear()  # nothing of it can help
    run_code(PROGRAM, way, tmp_path)
    got = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(got["predicted"], expected[0], rtol=1e-6)
    np.testing.assert_array_equal(got["times"], expected[1])


@pytest.mark.parametrize("admission", [None, MinimumCount(2), CountingBloomFilter(2, 1000)])
@pytest.mark.parametrize(
    "eviction", [None, SecondsToLive(60), [StepsToLive(9), LeastRecentlyUsed(max_rows=5)]]
)
def test_a_configuration_makes_the_same_policies(admission, eviction):
    layer = RecentRecords(2, 3, admission=admission, eviction=eviction)
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    for one in (layer, again):
        one.append([1, 1, *range(2, 9)], np.ones((9, 2)), timestamps=[0, *range(100, 108)])
        one.append([9, 9], np.ones((2, 2)), timestamps=150)
    assert layer.table.stats() == again.table.stats()
    counts = layer.table.stats()
    assert counts["not_admitted"] == (0 if admission is None else 7)
    assert counts["waiting"] == (7 if admission == MinimumCount(2) else 0)
    assert (counts["evictions"] > 0) == (admission is None and isinstance(eviction, list))


def test_users_who_stay_away_are_forgotten_by_the_time_of_events():
    layer = RecentRecords(1, 2, eviction=SecondsToLive(3600))
    layer.append([7, 8], [[1.0], [2.0]], timestamps=[1_000, 3_000])
    layer.append([9], [[3.0]], timestamps=5_000)
    layer.append([8], [[4.0]], timestamps=5_000)
    assert layer(np.array([7, 8, 9])).numpy()[..., 0].tolist() == [[0, 0], [2, 4], [3, 0]]
    assert layer.table.evicted_keys().tolist() == [7]


def test_it_is_exported_with_stock_ops_and_with_the_compiled_one(tmp_path):
    model = sequence_model()
    model.get_layer("recent").append(IDS, np.ones((4, 2)))
    want = model.predict(IDS, verbose=0)
    for stock_ops in (True, False):
        path = recs.export.saved_model(model, tmp_path / str(stock_ops), stock_ops)
        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
        (served,) = serve(ids=tf.constant(IDS)).values()
        np.testing.assert_allclose(served, want, rtol=1e-6)


@pytest.mark.parametrize("key_dtype", ["int64", "string"])
def test_a_static_copy_has_what_the_table_has(key_dtype, tmp_path):
    layer = RecentRecords(2, 3, key_dtype=key_dtype, return_times=True)
    ids = np.array([3, -5, 3, 3, 7, 3]).astype(object if key_dtype == "string" else "int64")
    ids = np.array([str(i) for i in ids], object) if key_dtype == "string" else ids
    layer.append(ids, np.arange(12.0).reshape(6, 2), timestamps=np.arange(6) + 10)
    unknown = "no" if key_dtype == "string" else 1
    asked = tf.constant([[ids[0], ids[1]], [ids[4], unknown]], key_dtype)
    mask = tf.constant([[True, True], [False, True]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], key_dtype)])
    def recent(ids):
        return layer.recent(ids, mask)._asdict()

    want = layer.recent(asked, mask)
    path = recs.export.saved_model(layer, tmp_path / "1", signatures={"recent": recent})
    layer.append(ids, np.zeros((6, 2)))
    found = tf.saved_model.load(str(path)).signatures["recent"](asked)
    for name, value in want._asdict().items():
        np.testing.assert_array_equal(found[name], value)


def test_a_signature_that_appends_has_the_compiled_op(tmp_path):
    layer = RecentRecords(1, 2)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def append(ids):
        layer.append(ids, tf.zeros([tf.shape(ids)[0], 1]))
        return layer(ids)

    with pytest.raises(ValueError, match=r"`RecentRecords` when a signature appends"):
        recs.export.saved_model(layer, tmp_path / "1", signatures={"append": append})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "`width` must be a positive integer. Received: width=0 (in RecentRecords"),
        ({"admission": 3}, "`admission` must be a policy of `recs.layers.admission` or None"),
        ({"eviction": MinimumCount(2)}, "`eviction` must be policies of `recs.layers.eviction`"),
        ({"eviction": MinimumNorm(1.0)}, "`eviction` must not be by norm, which recent records do"),
        ({"capacity": True}, "`capacity` must be a positive integer. Received: capacity=True"),
        ({"key_dtype": "float32"}, "`key_dtype` must be one of int64, string. Received"),
        ({"mask_key": "x"}, "`mask_key` must be an id of type int. Received: mask_key='x'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        RecentRecords(**{"width": 1, "capacity": 1, **arguments})


def test_float_ids_are_refused():
    layer = RecentRecords(1, 1, name="memory")
    for use in (layer, lambda ids: layer.append(ids, [[1.0]])):
        with pytest.raises(ValueError, match=r"Ids must be integers.*RecentRecords 'memory'"):
            use(np.array([1.5]))
