"""Rows a second of streamed input, beside input from memory and beside what training takes.

    python benchmarks/pipeline.py [--rows 4000000] [--smoke]

Interactions (two int64 ids and a float32) in 8 shards, as Parquet with row groups of 65,536 rows
and as TFRecord, shuffled and in order; batches of 4,096. `cores` is processor time over wall time
while the input runs alone: what it uses of the machine. A step of two towers of size 32 with
Adagrad takes its rows from memory; where "times the step's" is above 1, the stream keeps up.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from benchmarks.timing import table
from recs.data import Interactions, stream_parquet, stream_tfrecord
from recs.models import TwoTower

SHARDS = 8
BATCH = 4096
COLUMNS = ["user_id", "item_id", "at"]


def main() -> None:
    arguments = parse()
    rng = np.random.default_rng(0)
    rows = arguments.rows
    columns = {
        "user_id": rng.integers(0, 200_000, rows),
        "item_id": rng.zipf(1.3, rows) % 50_000,
        "at": rng.random(rows, "float32"),
    }
    with tempfile.TemporaryDirectory() as folder:
        parquet, records = pathlib.Path(folder, "parquet"), pathlib.Path(folder, "records")
        write_parquet(columns, parquet)
        # Examples take a hundred times as long to write, so there are fewer.
        few = {name: column[: rows // 8] for name, column in columns.items()}
        write_records(few, records)
        features = {"user_id": "int64", "item_id": "int64", "at": "float32"}
        memory = Interactions(columns, {"user": "user_id", "item": "item_id"})
        found = {
            "memory, shuffled": lambda: memory.to_dataset(COLUMNS, batch_size=BATCH, shuffle=True),
            "Parquet, in order": lambda: stream_parquet(parquet, COLUMNS, batch_size=BATCH),
            "Parquet, shuffled": lambda: stream_parquet(
                parquet, COLUMNS, batch_size=BATCH, shuffle=True
            ),
            "TFRecord, in order": lambda: stream_tfrecord(records, features, batch_size=BATCH),
            "TFRecord, shuffled": lambda: stream_tfrecord(
                records, features, batch_size=BATCH, shuffle=True
            ),
        }
        rates = {name: drained(made()) for name, made in found.items()}
        train, of_stream = (
            trained(dataset, arguments.steps)
            for dataset in (found["memory, shuffled"](), found["Parquet, shuffled"]())
        )
    base = rates["memory, shuffled"][0]
    lines = [
        [name, f"{rate / 1e6:.2f}", f"{cores:.2f}", f"{rate / base:.2f}", f"{rate / train[0]:.1f}"]
        for name, (rate, cores) in rates.items()
    ]
    for name, (rate, cores) in (("from memory", train), ("from Parquet", of_stream)):
        cells = [f"{rate / 1e6:.2f}", f"{cores:.2f}", "", f"{rate / train[0]:.2f}"]
        lines.append([f"training {name}", *cells])
    print(f"{rows:,} rows of {len(COLUMNS)} columns, batches of {BATCH:,}; {os.cpu_count()} cores")
    print(table(["input", "M rows/s", "cores", "/ memory", "times the step's"], lines))


def drained(dataset):
    """Returns rows a second and cores used of an epoch; the first batches start the threads."""
    for _ in dataset.take(2):
        pass
    rows, start, busy = 0, time.perf_counter(), time.process_time()
    for batch in dataset:
        rows += int(batch["at"].shape[0])
    seconds = time.perf_counter() - start
    return rows / seconds, (time.process_time() - busy) / seconds


def trained(dataset, steps):
    """Returns rows a second and cores used of training on some batches."""
    model = TwoTower(embedding_dim=32, id_dtype="int64", seed=1)
    model.compile(optimizer=keras.optimizers.Adagrad(0.1))
    model.fit(dataset.take(2), verbose=0)
    start, busy = time.perf_counter(), time.process_time()
    model.fit(dataset.take(steps), verbose=0)
    seconds = time.perf_counter() - start
    return steps * BATCH / seconds, (time.process_time() - busy) / seconds


def write_parquet(columns, folder):
    folder.mkdir()
    for shard in range(SHARDS):
        own = {name: column[shard::SHARDS] for name, column in columns.items()}
        pq.write_table(pa.table(own), folder / f"{shard}.parquet", row_group_size=65_536)


def write_records(columns, folder):
    folder.mkdir()
    for shard in range(SHARDS):
        lists = [columns[name][shard::SHARDS].tolist() for name in COLUMNS]
        with tf.io.TFRecordWriter(str(folder / f"{shard}.tfrecord")) as writer:
            for user, item, at in zip(*lists, strict=True):
                feature = {
                    "user_id": tf.train.Feature(int64_list=tf.train.Int64List(value=[user])),
                    "item_id": tf.train.Feature(int64_list=tf.train.Int64List(value=[item])),
                    "at": tf.train.Feature(float_list=tf.train.FloatList(value=[at])),
                }
                features = tf.train.Features(feature=feature)
                writer.write(tf.train.Example(features=features).SerializeToString())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--smoke", action="store_true", help="few rows, few steps")
    arguments = parser.parse_args()
    arguments.steps = 100
    if arguments.smoke:
        arguments.rows, arguments.steps = 80_000, 5
    return arguments


if __name__ == "__main__":
    main()
