"""Admission and eviction as arguments of layers: in training, in configurations, when saved."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding, EmbeddingCollection, FeatureConfig, TableConfig
from recs.layers.admission import CountingBloomFilter, MinimumCount, Probability
from recs.layers.eviction import (
    LeastFrequentlyUsed,
    LeastRecentlyUsed,
    MinimumNorm,
    SecondsToLive,
    StepsToLive,
)
from tests.harness.new_process import run_module
from tests.layers.dynamic_embedding import policies_side

ROOT = pathlib.Path(__file__).parents[3]
ADMISSIONS = [None, MinimumCount(3), CountingBloomFilter(2, 1000, 0.05), Probability(0.25)]
EVICTIONS = [
    None,
    StepsToLive(7),
    [SecondsToLive(60), MinimumNorm(0.5, after_steps=3), LeastRecentlyUsed(max_rows=10)],
    LeastFrequentlyUsed(max_rows=10, max_bytes=10_000),
]


def name_of(policy) -> str:
    return type(policy).__name__


def trained(layer: DynamicEmbedding, *batches: list[int]) -> DynamicEmbedding:
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for batch in batches:
        model.train_on_batch(np.array(batch), np.ones((len(batch), 1)))
    return layer


@pytest.mark.parametrize("admission", ADMISSIONS, ids=name_of)
@pytest.mark.parametrize("eviction", EVICTIONS, ids=name_of)
def test_a_configuration_makes_the_same_policies(admission, eviction):
    layer = DynamicEmbedding(3, admission=admission, eviction=eviction)
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    for made, given in zip(again._arguments.eviction, _as_list(eviction), strict=True):
        assert made == given
    assert again._arguments.admission == admission
    table = TableConfig("t", 3, admission=admission, eviction=eviction)
    assert TableConfig.from_config(table.get_config()).get_config() == table.get_config()


def _as_list(eviction) -> list:
    if eviction is None:
        return []
    return eviction if isinstance(eviction, list) else [eviction]


def test_an_id_that_is_not_admitted_has_the_default_and_no_update():
    layer = trained(
        DynamicEmbedding(2, optimizer="sgd", default_value=0.5, admission=MinimumCount(3)),
        [7, 7, 8],
        [8],
    )
    assert layer.table.size() == 0
    np.testing.assert_array_equal(layer(np.array([7])), [[0.5, 0.5]])
    trained(layer, [7, 8])
    assert layer.table.contains([7, 8, 9]).tolist() == [True, True, False]


def test_only_training_counts():
    layer = DynamicEmbedding(2, admission=MinimumCount(2), mask_key=0)
    layer(np.array([5, 5, 5]))
    layer(np.array([0, 0, 0, 4]), training=True)
    layer.trainable = False
    layer(np.array([4]), training=True)
    assert layer.table.size() == 0
    assert layer.table.stats()["waiting"] == 1


def test_timestamps_of_any_shape_are_the_time_of_the_look_up():
    layer = DynamicEmbedding(2, eviction=SecondsToLive(100))
    ids = np.array([[1, 2]])
    layer(ids, timestamps=np.array([[1000, 2000]]), training=True)
    layer(np.array([[3]]), timestamps=tf.ragged.constant([[2090.7], []]), training=True)
    assert layer.table.evict() == 0
    layer(np.array([[3]]), timestamps=2101, training=True)
    layer(np.array([], "int64"), timestamps=np.array([], "int64"), training=True)  # no time
    assert layer.table.evict() == 0
    layer(np.array([[3]]), timestamps=2102, training=True)
    assert layer.table.evict() == 2
    assert sorted(layer.table.evicted_keys().tolist()) == [1, 2]


def test_one_event_of_the_future_makes_no_other_row_older():
    layer = DynamicEmbedding(2, eviction=SecondsToLive(3600))
    early = 1_700_000_000
    layer(np.array([1000]), timestamps=np.array([early + 7 * 86_400]), training=True)
    layer(np.arange(100), timestamps=np.full(100, early), training=True)
    assert layer.table.evict() == 0  # though the first of all was of the future
    layer(np.array([1, 2]), timestamps=np.array([early + 7200, early + 10]), training=True)
    assert layer.table.evict() == 0
    for second in range(20, 50):
        layer(np.array([3]), timestamps=np.array([early + second]), training=True)
        assert layer.table.evict() == 0
    # Times that go on are followed, a gap in them too.
    for second in (2 * 86_400, 2 * 86_400 + 1):
        layer(np.array([600]), timestamps=np.array([early + second]), training=True)
    assert layer.table.evict() == 100
    assert layer.table.contains([600, 1000]).all()


@pytest.mark.parametrize("first", ["events", "clock"])
def test_times_of_events_and_of_the_clock_are_not_mixed(first):
    layer = DynamicEmbedding(2, eviction=SecondsToLive(3600))
    times = {"events": np.array([1_700_000_000]), "clock": None}
    layer(np.array([1]), timestamps=times.pop(first), training=True)
    (other,) = times.values()
    for call in (layer, tf.function(layer)):
        with pytest.raises(ValueError, match="`timestamps` must come with every look-up"):
            call(np.array([2]), timestamps=other, training=True)
    layer(np.array([2]), timestamps=other)  # inference knows no time
    assert layer.table.size() == 1
    assert layer.table.evict() == 0


def test_a_mixture_is_refused_where_rows_go_by_their_age_at_last():
    layer = DynamicEmbedding(2)
    layer(np.array([1]), timestamps=np.array([1_700_000_000]), training=True)
    layer(np.array([1]), training=True)  # nothing goes by its age
    with pytest.raises(ValueError, match="`timestamps` must come with every look-up"):
        layer.table.evict(SecondsToLive(3600))


@pytest.mark.parametrize(
    "bad", [-1, 0, 1_700_000_000_000, [5, 2**32], [5, -1], float("nan"), [7.0, float("-inf")],
            [float("inf"), 3.0]]
)  # fmt: skip
def test_times_that_are_no_seconds_are_refused(bad):
    layer = DynamicEmbedding(2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`timestamps` must be finite seconds"):
        layer(np.array([1]), timestamps=np.array(bad), training=True)
    with pytest.raises(ValueError, match="`timestamps` must be seconds since 1970 as numbers"):
        layer(np.array([1]), timestamps=np.array(["today"]), training=True)


def test_timestamps_go_through_a_functional_model():
    ids, times = keras.Input((2,), dtype="int64"), keras.Input((), dtype="int64")
    layer = DynamicEmbedding(2, combiner="sum", optimizer="sgd", eviction=SecondsToLive(10))
    model = keras.Model([ids, times], keras.layers.Dense(1)(layer(ids, timestamps=times)))
    model.compile("sgd", "mse")
    for start in (100, 105, 111, 111):
        model.train_on_batch(
            [np.array([[start, 1]]), np.array([start])], np.ones((1, 1), "float32")
        )
    assert layer.table.contains([100, 105, 111, 1]).tolist() == [False, True, True, True]


def test_the_tables_of_a_collection_have_policies_of_their_own():
    items = TableConfig("items", 2, optimizer="sgd", admission=MinimumCount(2))
    users = TableConfig("users", 2, optimizer="sgd", eviction=LeastRecentlyUsed(max_rows=1))
    layer = EmbeddingCollection([
        FeatureConfig("item", items, combiner=None),
        FeatureConfig("history", items),
        FeatureConfig("user", users, combiner=None),
    ])  # fmt: skip
    for user in (1, 2):
        inputs = {"item": [7], "history": [[8, 9]], "user": [user]}
        batch = {name: np.array(ids) for name, ids in inputs.items()}
        with tf.GradientTape() as tape:
            vectors = layer(batch, training=True, timestamps=1000 + user)
            loss = sum(tf.reduce_sum(v) for v in vectors.values())
        optimizer = keras.optimizers.SGD(0.1)
        weights = layer.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
    assert layer.table("items").size() == 3
    assert layer.table("users").contains([1, 2]).tolist() == [False, True]


@pytest.mark.slow
def test_a_new_process_goes_on_equally(tmp_path):
    model = policies_side.build()
    policies_side.train(model, range(6))
    model.save(tmp_path / "model.keras")
    expected = policies_side.report(model)
    run_module("tests.layers.dynamic_embedding.policies_side", tmp_path)
    restored = np.load(tmp_path / "restored.npz")
    for name, value in expected.items():
        np.testing.assert_array_equal(restored[name], value, err_msg=name)
    assert expected["exact waits"] > 0
    assert all(len(expected[name]) > 5 for name in policies_side.ADMISSIONS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MinimumCount(0), r"`count` must be an integer from 1 to 4294967295. Received: "
         r"count=0 \(in MinimumCount\)"),
        (lambda: MinimumCount(True), "`count` must be"),
        (lambda: MinimumCount(2.0), "`count` must be"),
        (lambda: CountingBloomFilter(70_000, 10), "`count` must be an integer from 1 to 65535"),
        (lambda: CountingBloomFilter(2, 0), "`capacity` must be"),
        (lambda: CountingBloomFilter(2, 10, 1.0), "`false_positive_rate` must be"),
        (lambda: Probability(0), "`probability` must be above 0 and at most 1"),
        (lambda: Probability(1.01), "`probability` must be"),
        (lambda: StepsToLive(0), "`steps` must be an integer from 1"),
        (lambda: SecondsToLive(2**32), "`seconds` must be"),
        (lambda: MinimumNorm(0.0), "`norm` must be a number above 0"),
        (lambda: MinimumNorm(float("nan")), "`norm` must be"),
        (lambda: MinimumNorm(1.0, after_steps=-1), "`after_steps` must be"),
        (lambda: LeastRecentlyUsed(), "`max_rows` or `max_bytes` must be given"),
        (lambda: LeastFrequentlyUsed(max_rows=0), "`max_rows` must be an integer of at least 1"),
        (lambda: LeastRecentlyUsed(max_bytes=1.5), "`max_bytes` must be an integer"),
        (lambda: DynamicEmbedding(2, admission=3, name="a"), r"`admission` must be a policy of "
         r"`recs.layers.admission` or None. Received: admission=3 \(in DynamicEmbedding 'a'\). "
         r"Give an instance, such as `MinimumCount\(3\)`."),
        (lambda: DynamicEmbedding(2, admission=MinimumCount), "`admission` must be a policy"),
        (lambda: DynamicEmbedding(2, admission=StepsToLive(3)), "`admission` must be a policy"),
        (lambda: DynamicEmbedding(2, eviction="lru"), "`eviction` must be policies of"),
        (lambda: DynamicEmbedding(2, eviction=[MinimumCount(3)]), "`eviction` must be policies"),
        (lambda: DynamicEmbedding(2, eviction=StepsToLive), "`eviction` must be policies of"),
        (lambda: DynamicEmbedding(2, eviction=[StepsToLive(3), StepsToLive(4)]), "of different"),
        (lambda: DynamicEmbedding(2, eviction=[LeastRecentlyUsed(3), LeastFrequentlyUsed(None, 9)]),
         "`eviction` must be of different kinds, one bound at most"),
        (lambda: TableConfig("t", 2, admission="all"), r"\(in TableConfig 't'\)"),
        (lambda: DynamicEmbedding(2).table.evict("all"), "`eviction` must be policies of"),
    ],
)  # fmt: skip
def test_bad_arguments_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
