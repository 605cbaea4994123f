"""Saving and restoring a table beside the disk, and what training notices of it.

Rows have Adagrad's slot. A save is measured against one sequential write of as many bytes, brought
to the disk as well; the two take turns. A restore, into an empty table, is measured against a
sequential read of the file, both with the file dropped from the page cache, and against inserting
as many ids by training's look-up; the slower of the two is its limit. Restores and insertions run
in processes of their own, once more than is counted: memory that the machine has never given to
anybody is several times slower to touch first.

"longest step" is the longest of all training steps (random known ids, Adagrad) while nothing else
is done, and while a save runs in the background, its beginning included. "begin" is how long that
beginning holds its caller. Extra memory is what the process grows by during that save, in percent
of the table's bytes.

    python benchmarks/state.py [--rows 10000000] [--dim 64] [--batch 8192] [--rounds 3]
        [--folder .] [--smoke]
"""

from __future__ import annotations

import argparse
import gc
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

from benchmarks import bare_steps, subprocesses
from benchmarks.memory import resident_bytes
from benchmarks.timing import seconds_of_each, table
from recs.layers import DynamicEmbedding

MEGABYTE = 2**20
FILL = 65_536  # ids that are inserted together


def new_layer(dim: int) -> DynamicEmbedding:
    layer = DynamicEmbedding(dim, optimizer=bare_steps.own_optimizer("adagrad"), seed=1)
    bare_steps.train_once(layer)
    return layer


def write(path: pathlib.Path, size: int) -> None:
    """Writes so many bytes one after another and brings them to the disk."""
    piece = np.random.default_rng(0).bytes(MEGABYTE)
    with open(path, "wb", buffering=0) as file:
        for start in range(0, size, MEGABYTE):
            file.write(piece[: min(MEGABYTE, size - start)])
        os.fsync(file.fileno())


def read(path: pathlib.Path) -> None:
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(MEGABYTE)
        while file.readinto(buffer):
            pass


def drop_from_cache(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


class Steps(threading.Thread):
    """Trains on random known ids until it is told to stop, and times each step."""

    def __init__(self, layer: DynamicEmbedding, rows: int, batch: int) -> None:
        super().__init__()
        rng = np.random.default_rng(2)
        self._step = bare_steps.table_step(layer)
        ids = [rng.integers(0, rows, batch) for _ in range(16)]
        self._batches = [bare_steps.Batch.of(one) for one in ids]
        self._gradient = bare_steps.random_gradient(ids[0], layer.output_dim)
        for one in self._batches:
            self._step(one, self._gradient)
        self.seconds: list[float] = []
        self._stopped = threading.Event()

    def run(self) -> None:
        """Trains."""
        while not self._stopped.is_set():
            start = time.perf_counter()
            self._step(self._batches[len(self.seconds) % 16], self._gradient)
            self.seconds.append(time.perf_counter() - start)

    def stop(self) -> list[float]:
        """Returns the seconds of every step."""
        self._stopped.set()
        self.join()
        return self.seconds


def save_case(path: str, rows: int, dim: int, batch: int, rounds: int) -> dict[str, Any]:
    """Returns what saving takes, alone and beside training; the file stays for the restore."""
    file = pathlib.Path(path)
    layer = new_layer(dim)
    for start in range(0, rows, FILL):
        layer(np.arange(start, min(start + FILL, rows)), training=True)
    layer.table.save(file)
    size = file.stat().st_size
    other = file.with_suffix(".plain")
    calls = {"save": lambda: layer.table.save(file), "write": lambda: write(other, size)}
    seconds = seconds_of_each(calls, rounds, warmup=0)
    other.unlink()
    return {
        "bytes": size,
        **{name: statistics.median(of_each) for name, of_each in seconds.items()},
        **beside_training(layer, file.with_suffix(".beside"), rows, batch),
    }


def beside_training(
    layer: DynamicEmbedding, path: pathlib.Path, rows: int, batch: int
) -> dict[str, Any]:
    steps = Steps(layer, rows, batch)
    steps.start()
    time.sleep(max(2.0, rows / 2e6))
    alone = steps.stop()
    steps = Steps(layer, rows, batch)
    before = most = resident_bytes()
    steps.start()
    time.sleep(0.5)
    start = time.perf_counter()
    save = layer.table.save(path, background=True)
    begin = time.perf_counter() - start
    while not save.done():
        most = max(most, resident_bytes())
        time.sleep(0.002)
    taken = time.perf_counter() - start
    save.wait()
    during = steps.stop()
    path.unlink()
    return {
        "begin": begin,
        "taken": taken,
        "extra": (most - before) / layer.table.stats()["bytes"],
        "alone": [statistics.median(alone), max(alone)],
        "during": [statistics.median(during), max(during)],
    }


def restore_case(path: str, dim: int, rounds: int) -> dict[str, float]:
    """Returns what a restore takes, and a read of the same file."""
    file = pathlib.Path(path)
    seconds: dict[str, list[float]] = {"read": [], "restore": []}
    for _ in range(1 + rounds):
        drop_from_cache(file)
        start = time.perf_counter()
        read(file)
        seconds["read"].append(time.perf_counter() - start)
        drop_from_cache(file)
        layer = DynamicEmbedding(dim)
        start = time.perf_counter()
        layer.table.restore(file)
        seconds["restore"].append(time.perf_counter() - start)
        del layer
        gc.collect()  # Keras's objects are in cycles
    return {name: statistics.median(of_each[1:]) for name, of_each in seconds.items()}


def insert_case(rows: int, dim: int, rounds: int) -> dict[str, float]:
    """Returns what inserting ids by training's look-up takes, rows with slots."""
    ids = tf.range(1, rows + 1, dtype=tf.int64)
    seconds = [insert(ids, rows, dim) for _ in range(1 + rounds)]
    return {"insert": statistics.median(seconds[1:])}


def insert(ids: tf.Tensor, rows: int, dim: int) -> float:
    gc.collect()
    layer = new_layer(dim)
    look_up = tf.function(lambda ids: layer(ids, training=True), autograph=False)
    look_up(ids[:0])
    start = time.perf_counter()
    for first in range(0, rows, FILL):
        look_up(ids[first : first + FILL])
    return time.perf_counter() - start


CASES = {"save": save_case, "restore": restore_case, "insert": insert_case}


def measure(case: str, **arguments: Any) -> dict[str, Any]:
    return CASES[case](**arguments)


def report(rows: int, dim: int, found: dict[str, Any]) -> str:
    name = f"{rows:,} x {dim}"
    size = found["bytes"] / 1e6
    rate = {n: size / found[n] for n in ("save", "write", "read", "restore", "insert")}
    limit = min(rate["read"], rate["insert"])
    saving = [name, *(f"{rate[n]:.1f}" for n in ("save", "write")),
              f"{rate['save'] / rate['write']:.2f}",
              *(f"{rate[n]:.1f}" for n in ("restore", "read", "insert")),
              f"{rate['restore'] / limit:.2f}"]  # fmt: skip
    (median, longest), (median_beside, longest_beside) = found["alone"], found["during"]
    milliseconds = (median, longest, median_beside, longest_beside, found["begin"])
    beside = [name, *(f"{1e3 * s:.1f}" for s in milliseconds), f"{found['taken']:.1f}",
              f"{100 * found['extra']:.1f}"]  # fmt: skip
    return "\n".join(
        [
            f"{size:,.0f} MB; MB/s",
            table(["rows x dim", "save", "write", "save / write", "restore", "read", "insert",
                   "restore / slower"], [saving]),
            "",
            "ms, s and percent",
            table(["rows x dim", "step", "longest", "step beside a save", "longest beside",
                   "begin", "save s", "extra memory %"], [beside]),
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=".", help="on the disk to be measured")
    parser.add_argument("--smoke", action="store_true", help="few rows, to see that it runs")
    subprocesses.add_case_option(parser)
    arguments = parser.parse_args()
    if arguments.case:
        subprocesses.answer(measure, arguments.case)
        return
    if arguments.smoke:
        arguments.rows, arguments.dim, arguments.rounds = 50_000, 16, 1
        arguments.folder = tempfile.gettempdir()
    rows, dim, rounds = arguments.rows, arguments.dim, arguments.rounds
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = str(pathlib.Path(folder, "table"))
        found = subprocesses.in_a_process(
            __file__, case="save", path=path, rows=rows, dim=dim, batch=arguments.batch,
            rounds=rounds,
        )  # fmt: skip
        found |= subprocesses.in_a_process(
            __file__, case="restore", path=path, dim=dim, rounds=rounds
        )
    found |= subprocesses.in_a_process(__file__, case="insert", rows=rows, dim=dim, rounds=rounds)
    print(report(rows, dim, found))


if __name__ == "__main__":
    main()
