"""Whichever way rows come into a table, they and what waits for admission keep its bounds."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from recs.layers import DynamicEmbedding
from recs.layers.admission import CountingBloomFilter, MinimumCount
from recs.layers.eviction import LeastFrequentlyUsed, LeastRecentlyUsed
from recs.ops.table import Table

IDS = np.arange(6000)
ROW_BYTES = 24 + 2 * 4 + 16  # a header, the row and its place in the index

BOUNDS = {
    "rows": LeastRecentlyUsed(max_rows=10),
    "many rows": LeastRecentlyUsed(max_rows=5000),
    "bytes": LeastFrequentlyUsed(max_bytes=20 * ROW_BYTES),
    "many bytes": LeastRecentlyUsed(max_bytes=5000 * ROW_BYTES),
}


def by_training(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    for ids in np.split(IDS, 6):
        layer(ids, training=True)


def by_hand(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    layer.table.upsert(IDS, np.ones((len(IDS), 2)))


def by_a_restore(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    source.save(folder / "state")
    layer.table.restore(folder / "state")


def by_a_merge(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    source.save(folder / "state")
    layer.table.restore(folder / "state", merge=True)


def by_tensors(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    layer.table.deserialize(source.serialize())


def by_a_delta(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    cursor = source.save_delta(folder / "base")
    source.upsert(IDS + 10_000, np.ones((len(IDS), 2)))
    source.save_delta(folder / "delta", since=cursor)
    layer.table.restore(folder / "base")
    layer.table.apply(folder / "delta")


def by_weights(layer: DynamicEmbedding, source: Table, folder: pathlib.Path) -> None:
    other = DynamicEmbedding(2)
    other.table.deserialize(source.serialize())
    layer.set_weights(other.get_weights())


WAYS: list[Callable[..., None]] = [
    by_training, by_hand, by_a_restore, by_a_merge, by_tensors, by_a_delta, by_weights,
]  # fmt: skip


@pytest.fixture(scope="module")
def source() -> Table:
    table = DynamicEmbedding(2).table
    table.upsert(IDS, np.ones((len(IDS), 2)))
    return table


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_keeps_every_bound(
    way: Any, bound: str, source: Table, tmp_path: pathlib.Path
) -> None:
    policy = BOUNDS[bound]
    layer = DynamicEmbedding(2, eviction=policy)
    way(layer, source, tmp_path)
    rows = layer.table.size()
    most = policy.max_rows or policy.max_bytes // ROW_BYTES
    assert rows <= most
    assert rows >= (most if most < 4096 else 0.9 * most)
    assert layer.table.stats()["evictions"] > 0


@pytest.mark.parametrize("key_dtype", ["int64", "string"])
def test_ids_that_wait_keep_within_the_bytes(key_dtype: str) -> None:
    most = 400_000
    layer = DynamicEmbedding(
        2, key_dtype=key_dtype, admission=MinimumCount(2),
        eviction=LeastRecentlyUsed(max_bytes=most),
    )  # fmt: skip
    ids = np.arange(100_000)
    often = ids[:50]
    as_ids = (lambda x: x) if key_dtype == "int64" else lambda x: tf.strings.as_string(x)
    empty = layer.table.stats()["bytes"]
    for some in np.split(ids, 20):
        layer(as_ids(np.concatenate([some, often, often])), training=True)
    stats = layer.table.stats()
    assert stats["waiting"] * 40 <= most / 4
    assert stats["waiting"] > 500
    assert stats["waiting_dropped"] >= 100_000 - 5000 - stats["waiting"]
    # Indexes grow by doubling, and records in pieces.
    assert stats["bytes"] - empty < 3 * most
    assert layer.table.contains(as_ids(often)).all()


def test_ids_that_wait_are_as_many_as_rows() -> None:
    layer = DynamicEmbedding(
        2, admission=MinimumCount(2), eviction=LeastRecentlyUsed(max_rows=10_000)
    )
    layer(np.arange(100_000), training=True)
    assert 9_000 < layer.table.stats()["waiting"] <= 10_000
    layer(np.arange(100_000, 100_100).repeat(2), training=True)
    assert layer.table.size() == 100


def test_ids_that_were_met_more_often_wait_on() -> None:
    layer = DynamicEmbedding(
        2, admission=MinimumCount(10), eviction=LeastRecentlyUsed(max_rows=6400)
    )
    layer(np.arange(1000).repeat(9), training=True)
    layer(np.arange(10_000, 110_000), training=True)
    layer(np.arange(1000), training=True)
    assert layer.table.size() > 900


def test_evict_lets_go_of_what_waits_beyond_another_bound_and_keeps_none_later() -> None:
    layer = DynamicEmbedding(2, admission=MinimumCount(2))
    layer(np.arange(50_000), training=True)
    assert layer.table.stats()["waiting"] == 50_000
    assert layer.table.evict(LeastRecentlyUsed(max_rows=10_000)) == 0
    assert 9_000 < layer.table.stats()["waiting"] <= 10_000
    layer(np.arange(100_000, 120_000), training=True)
    assert layer.table.stats()["waiting"] > 29_000


def test_what_waits_in_a_state_is_bounded_when_it_is_restored(tmp_path: pathlib.Path) -> None:
    free = DynamicEmbedding(2, admission=MinimumCount(2))
    free(np.arange(50_000), training=True)
    free.table.save(tmp_path / "state")
    bounded = DynamicEmbedding(
        2, admission=MinimumCount(2), eviction=LeastRecentlyUsed(max_rows=10_000)
    )
    bounded.table.restore(tmp_path / "state")
    assert 9_000 < bounded.table.stats()["waiting"] <= 10_000


def test_counters_take_their_part_of_the_bytes() -> None:
    admission = CountingBloomFilter(1, capacity=10_000)
    counters = DynamicEmbedding(2, admission=admission).table.stats()["bytes"]
    counters -= DynamicEmbedding(2).table.stats()["bytes"]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"counters of `admission` take, {counters}"
    ):
        DynamicEmbedding(2, admission=admission, eviction=LeastRecentlyUsed(max_bytes=counters))
    layer = DynamicEmbedding(
        2, admission=admission, eviction=LeastRecentlyUsed(max_bytes=counters + 100 * ROW_BYTES)
    )
    layer(np.arange(5000), training=True)
    assert layer.table.size() <= 100
