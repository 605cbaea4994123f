"""The callback that evicts and tells of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from recs.callbacks import Eviction
from recs.layers import DynamicEmbedding, RecentRecords
from recs.layers.eviction import LeastRecentlyUsed, SecondsToLive, StepsToLive


def model_of(*layers: keras.layers.Layer) -> keras.Model:
    ids = keras.Input((), dtype="int64")
    vectors = [layer(ids) for layer in layers]
    # One table is nested in a model of its own.
    inner = keras.Model(ids, keras.layers.Concatenate()(vectors))
    model = keras.Sequential([inner, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fit(model: keras.Model, ids: list[int], callback: Eviction, epochs: int = 1) -> None:
    model.fit(
        np.array(ids), np.ones((len(ids), 1)), batch_size=1, shuffle=False, epochs=epochs,
        callbacks=[callback], verbose=0,
    )  # fmt: skip


def test_every_table_reports_its_own_ids_once():
    old = DynamicEmbedding(2, name="old", optimizer="sgd", eviction=StepsToLive(2))
    few = DynamicEmbedding(2, name="few", optimizer="sgd", eviction=LeastRecentlyUsed(max_rows=2))
    free = DynamicEmbedding(2, name="free", optimizer="sgd")
    told: list[tuple[str, list[int]]] = []
    callback = Eviction(on_evicted=lambda table, keys: told.append((table.name, keys.tolist())))
    model = model_of(old, few, free)
    fit(model, [1, 2, 3, 3], callback)
    assert sorted(told) == [("few", [1]), ("old", [1, 2])]
    told.clear()
    fit(model, [4, 4], callback)
    assert sorted(told) == [("few", [2]), ("old", [3])]
    assert free.table.size() == 4


class Nested(keras.layers.Layer):
    """A layer with memories where Keras finds layers: in attributes, lists and dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        expire = SecondsToLive(10)
        self.one = RecentRecords(1, 2, name="one", eviction=expire)
        self.more = {"a": [RecentRecords(1, 2, name="more", eviction=expire)]}
        self.shared = self.one

    def call(self, ids):
        return self.one(ids)[:, 0]


def test_tables_of_records_report_too():
    nested, embedding = Nested(), DynamicEmbedding(2, name="old", optimizer="sgd")
    layers = [nested.one, *nested.more["a"]]
    told: list[tuple[str, list[int]]] = []
    callback = Eviction(on_evicted=lambda table, keys: told.append((table.name, keys.tolist())))
    model = model_of(embedding, nested)
    for layer in layers:
        layer.append([1, 2], [[1.0], [2.0]], timestamps=[100, 115])  # evicts 1 by itself
        for second in (120, 121):
            layer.append([3], [[3.0]], timestamps=second)
        layer.table.evict(SecondsToLive(3))
    fit(model, [1, 2], callback)
    assert sorted(told) == [("more", [1, 2]), ("one", [1, 2])]
    assert [layer.table.size() for layer in layers] == [1, 1]


def test_a_large_table_is_gone_through_at_the_end_of_an_epoch():
    layer = DynamicEmbedding(2, optimizer="sgd", eviction=StepsToLive(1))
    model = model_of(layer)
    model.train_on_batch(np.arange(20_000), np.ones((20_000, 1)))
    sizes = []
    at_end = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: sizes.append(layer.table.size())
    )
    counts: list[int] = []
    callback = Eviction(on_evicted=lambda table, keys: counts.append(len(keys)))
    model.fit(np.array([1]), np.ones((1, 1)), callbacks=[callback, at_end], verbose=0)
    assert sizes[0] > 10_000  # the update alone looks at some thousand rows
    assert layer.table.size() == 1
    assert sum(counts) == 19_999


def test_after_batches_instead():
    layer = DynamicEmbedding(2, optimizer="sgd", eviction=LeastRecentlyUsed(max_rows=1))
    told: list[list[int]] = []
    callback = Eviction(every_steps=2, on_evicted=lambda table, keys: told.append(keys.tolist()))
    fit(model_of(layer), [1, 2, 3, 4, 5], callback)
    assert told == [[1], [2, 3], [4]]


def test_ids_stay_for_others_when_nobody_is_told():
    layer = DynamicEmbedding(2, optimizer="sgd", eviction=LeastRecentlyUsed(max_rows=1))
    fit(model_of(layer), [1, 2], Eviction())
    assert layer.table.evicted_keys().tolist() == [1]


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "epoch"])
def test_a_bad_interval_is_refused(bad):
    with pytest.raises(ValueError, match="`every_steps` must be a positive integer or None"):
        Eviction(every_steps=bad)
