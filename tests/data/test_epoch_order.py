"""The order of an epoch follows from a seed and the epoch's number, in every shuffled source."""

from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from recs.data import Interactions, domain_batches, epoch_order, stream_parquet, stream_tfrecord
from recs.data.ranking import RankingFeature, RankingFeatures, RankingLists

ROWS = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for part, rows in enumerate(np.array_split(np.arange(ROWS), 3)):
        pq.write_table(pa.table({"row": rows}), folder / f"{part}.parquet", row_group_size=5)
        with tf.io.TFRecordWriter(str(folder / f"{part}.tfrecord")) as writer:
            for row in rows.tolist():
                value = tf.train.Feature(int64_list=tf.train.Int64List(value=[row]))
                features = tf.train.Features(feature={"row": value})
                writer.write(tf.train.Example(features=features).SerializeToString())
    return folder


def table():
    rows = np.arange(ROWS)
    return Interactions({"user": rows % 7, "item": rows, "row": rows,
                         "domain": np.where(rows < 32, "a", "b")})  # fmt: skip


def lists():
    features = RankingFeatures(examples=[RankingFeature("row", dtype="int64")])
    columns = {"row": np.arange(ROWS), "label": np.zeros(ROWS)}
    return RankingLists.from_rows(features, columns, np.arange(ROWS) // 3)


MIXED = {"buffer_rows": 12, "cycle_length": 2, "shuffle": True, "batch_size": 8, "seed": 2}
# Every shuffled dataset of `recs.data`.
SOURCES = {
    "rows": lambda _: table().to_dataset(batch_size=8, shuffle=True, seed=2),
    "single rows": lambda _: table().to_dataset(shuffle=True, seed=2).batch(8),
    "groups": lambda _: table().to_dataset(batch_size=8, shuffle=True, seed=2, group_by="user"),
    "domains": lambda _: domain_batches(table(), {"a": 1.0, "b": 3.0}, 8, seed=2),
    "parquet": lambda folder: stream_parquet(folder, ["row"], **MIXED),
    "tfrecord": lambda folder: stream_tfrecord(folder, {"row": "int64"}, **MIXED),
    "lists": lambda _: lists().to_dataset(8, shuffle=True, shuffle_examples=True, seed=2),
}


def order(dataset):
    return [batch["row"].numpy().tolist() for batch in dataset]


@pytest.mark.parametrize("source", SOURCES)
def test_an_epoch_that_is_told_has_the_order_of_an_iteration(folder, source):
    data = SOURCES[source](folder)
    epochs = [order(data) for _ in range(3)]
    assert len({str(one) for one in epochs}) == 3
    if source != "domains":
        for rows in epochs:
            assert sorted(np.hstack([np.ravel(batch) for batch in rows])) == list(range(ROWS))
    again = SOURCES[source](folder).map(lambda batch: {"row": batch["row"]}).prefetch(2)
    gc.collect()  # The numbers outlive the datasets that others are made of.
    for epoch in (2, 0):
        epoch_order.tell(epoch)
        assert order(again) == epochs[epoch]
        assert epoch_order.stop_telling() is not None
    assert order(again) == epochs[1]  # It counts on by itself.
    assert order(SOURCES[source](folder).repeat(2)) == epochs[0] + epochs[1]


@pytest.mark.parametrize("globally", [None, 5])
@pytest.mark.parametrize("seed", [0, 3, 2**31 - 1, 2**40, -3])
def test_the_numbers_are_those_of_tensorflow(seed, globally):
    if globally is not None:
        tf.random.set_seed(globally)
    draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2).take(1)
    own = epoch_order.epoch_draws(seed)
    for _ in range(4):
        np.testing.assert_array_equal(next(iter(own)), next(iter(draws)))


def test_one_order_stays_whatever_is_told():
    data = table().to_dataset(batch_size=ROWS, shuffle=True, reshuffle_each_iteration=False)
    first = order(data)
    epoch_order.tell(3)
    assert order(data) == first
    assert epoch_order.stop_telling() is None


def test_it_is_shuffled_within_a_function_too():
    @tf.function
    def first_rows():
        data = table().to_dataset(["row"], batch_size=ROWS, shuffle=True, seed=4)
        return tf.stack([batch["row"] for batch in [next(iter(data))]])

    assert sorted(first_rows().numpy()[0].tolist()) == list(range(ROWS))
