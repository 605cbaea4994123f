"""Snapshots of tables: what takes them, what they refuse, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recs.layers import (
    DynamicEmbedding,
    RecentRecords,
    TableSnapshot,
    eviction,
    table_snapshot,
)

DIM = 3


@pytest.mark.parametrize("key_dtype", ["int64", "string"])
def test_a_table_of_another_size_takes_the_snapshot(key_dtype):
    small, large = (DynamicEmbedding(DIM, key_dtype=key_dtype) for _ in range(2))
    ids = np.arange(3000).astype("U" if key_dtype == "string" else "int64")
    small.table.upsert(ids[:3], np.ones((3, DIM)))
    large.table.upsert(ids, np.zeros((3000, DIM)))
    kept = small.get_weights(), large.get_weights()
    large.set_weights(kept[0])
    small.set_weights(kept[1])
    assert large.table.size() == 3
    assert small.table.size() == 3000
    assert (large.table.lookup(ids[:3]) == 1).all()
    assert not large.table.contains(ids[3:]).any()
    assert small.get_weights()[0] == kept[1][0]
    assert small.get_weights()[0] != kept[0][0]


def test_weights_by_hand_are_copied_or_refused():
    first, second = (DynamicEmbedding(DIM, seed=seed) for seed in range(2))
    first(np.arange(4), training=True)
    (a,), (b,) = first.trainable_variables, second.trainable_variables
    b.assign(a)
    np.testing.assert_array_equal(
        second.table.lookup(np.arange(4)), first.table.lookup(np.arange(4))
    )
    before = second.get_weights()
    for arithmetic in (
        lambda: [x * 0.5 + y * 0.5 for x, y in zip(before, before, strict=True)],
        lambda: np.mean([before[0], before[0]], axis=0),
        lambda: np.array(before, dtype=object),
        lambda: np.add(before[0], 1.0),
        lambda: np.float32(2.0) * before[0],
        lambda: np.savez("never", *before),
        lambda: b.assign(0.99 * b + 0.01 * a),
        lambda: b.assign_add(1.0),
        lambda: second.set_weights([np.float32(0.0)]),
        lambda: np.array(b),
        lambda: tf.function(lambda: b.assign(a))(),
    ):
        with pytest.raises(TypeError, match=r"must .* Received: .* \(in .*\)\."):
            arithmetic()
    assert second.get_weights()[0] == before[0]
    assert np.array_equal(before[0], second.get_weights()[0])


@pytest.mark.parametrize(
    "other",
    [
        lambda: DynamicEmbedding(DIM + 1),
        lambda: DynamicEmbedding(DIM, key_dtype="string"),
        lambda: RecentRecords(1, 1),
    ],
)
def test_a_snapshot_of_another_kind_is_refused(other):
    layer = DynamicEmbedding(DIM)
    layer(np.arange(3), training=True)
    with pytest.raises(ValueError, match=f"Table of int64 ids and {DIM} values"):
        layer.set_weights(other().get_weights()[:1])
    assert layer.table.size() == 3


def test_rings_of_another_shape_are_refused_and_nothing_changes():
    layer = RecentRecords(width=2, capacity=1)  # three values, as one of two records of width 0.5
    layer.append([1], [[1.0, 2.0]], timestamps=0)
    other = RecentRecords(width=1, capacity=1)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        layer.set_weights(other.get_weights())
    assert layer.table.size() == 1


def test_a_row_that_comes_back_is_as_old_as_it_was():
    layer = DynamicEmbedding(DIM, eviction=eviction.SecondsToLive(100))
    layer(np.array([1]), timestamps=np.array([1000]), training=True)
    layer(np.array([2, 2]), timestamps=np.array([1050]), training=True)
    kept = layer.get_weights()
    for second in (2000, 2001):
        layer(np.array([3]), timestamps=np.array([second]), training=True)
    assert layer.table.evict() == 2
    layer.set_weights(kept)
    metadata = layer.table.metadata([1, 2])
    assert metadata.count.tolist() == [1, 2]
    assert metadata.last_time.astype("int64").tolist() == [1951, 2001]
    assert layer.table.evict() == 0


def test_deltas_go_on_after_set_weights(tmp_path):
    layer, server = DynamicEmbedding(DIM), DynamicEmbedding(DIM)
    layer.table.upsert([1, 2], np.ones((2, DIM)))
    kept, cursor = layer.get_weights(), layer.table.save_delta(tmp_path / "base")
    server.table.restore(tmp_path / "base")
    layer.table.upsert([2, 3], np.zeros((2, DIM)))
    cursor = layer.table.save_delta(tmp_path / "delta", since=cursor)
    server.table.apply(tmp_path / "delta")
    layer.set_weights(kept)
    layer.table.save_delta(tmp_path / "next", since=cursor)
    server.table.apply(tmp_path / "next")
    assert server.get_weights()[0] == kept[0]
    server.set_weights(kept)  # it follows the chain no more
    with pytest.raises(tf.errors.FailedPreconditionError):
        server.table.apply(tmp_path / "next")


def test_a_large_snapshot_warns_with_its_bytes(monkeypatch):
    monkeypatch.setattr(table_snapshot, "LARGE_SNAPSHOT_BYTES", 100)
    layer = DynamicEmbedding(DIM)
    layer.table.upsert(np.arange(50), np.ones((50, DIM)))
    with pytest.warns(UserWarning, match=r"should take at most 100 bytes.*ModelCheckpoint"):
        (snapshot,) = layer.get_weights()
    assert isinstance(snapshot, TableSnapshot)
    assert snapshot.nbytes > 50 * DIM * 4


def test_a_bound_that_drops_rows_warns():
    layer = DynamicEmbedding(DIM, eviction=eviction.LeastRecentlyUsed(max_rows=10))
    full = DynamicEmbedding(DIM)
    full.table.upsert(np.arange(50), np.ones((50, DIM)))
    with pytest.warns(UserWarning, match="50 ids, of which 10 are left"):
        layer.set_weights(full.get_weights())


def test_a_frozen_layer_keeps_its_rows_too():
    layer = DynamicEmbedding(DIM, trainable=False)
    assert not layer.trainable_weights
    assert len(layer.weights) == 1
    layer.table.upsert([1], np.ones((1, DIM)))
    kept = layer.get_weights()
    layer.table.clear()
    layer.set_weights(kept)
    assert layer.table.size() == 1
