"""Weights in memory: get and set, beside `keras.layers.Embedding` with as many rows.

Both hold rows of the same length. `get` is `layer.get_weights()`; `set` gives those weights back
after every row was changed, which finds each id of the table. `set, empty` is into a layer without
rows: a new clone. The dense layer has all its rows from the start, and copies a matrix in each
case. Bytes are those of the weights, and what the process grows by at most while they are taken and
set for the first time.

    python benchmarks/weights.py [--rows 1000000] [--dim 64] [--rounds 5] [--smoke]
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import threading
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np

from benchmarks.memory import resident_bytes
from benchmarks.timing import seconds_of_each, table
from recs.layers import DynamicEmbedding

FILL = 65_536


class Peak(threading.Thread):
    """Notes the most memory that the process has while the block runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self.before = self.most = resident_bytes()

    def run(self) -> None:
        """Looks every few milliseconds."""
        while not self._done.wait(0.002):
            self.most = max(self.most, resident_bytes())

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.most = max(self.most, resident_bytes())
        self._done.set()
        self.join()

    @property
    def bytes(self) -> int:
        """By how much memory grew at most."""
        return self.most - self.before


def filled(rows: int, dim: int) -> DynamicEmbedding:
    layer = DynamicEmbedding(dim, seed=1)
    for start in range(0, rows, FILL):
        layer(np.arange(start, min(start + FILL, rows)), training=True)
    return layer


def dense(rows: int, dim: int) -> keras.layers.Embedding:
    layer = keras.layers.Embedding(rows, dim)
    layer.build((None,))
    return layer


def measure(layer: Any, other: Any, empty: Any, rounds: int) -> dict[str, float]:
    """Returns seconds of get and set, and bytes; `other` has the same ids and other rows."""
    with Peak() as getting:
        first = layer.get_weights()
    size = sum(weight.nbytes for weight in first)
    with Peak() as setting:
        layer.set_weights(first)
    weights = [first, other.get_weights()]
    turn = [0]

    def set_other() -> None:
        turn[0] += 1
        layer.set_weights(weights[turn[0] % 2])

    calls = {"get": layer.get_weights, "set": set_other}
    seconds = {name: min(of_each) for name, of_each in seconds_of_each(calls, rounds).items()}
    to_empty = {"set": lambda: empty().set_weights(first)}
    seconds["empty"] = min(seconds_of_each(to_empty, rounds)["set"])
    return {**seconds, "bytes": size, "get_bytes": getting.bytes, "set_bytes": setting.bytes}


def row_of(name: str, found: dict[str, float]) -> list[str]:
    sizes = (found[n] / 1e6 for n in ("bytes", "get_bytes", "set_bytes"))
    return [
        name,
        *(f"{found[n]:.3f}" for n in ("get", "set", "empty")),
        *(f"{size:.1f}" for size in sizes),
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    rows, rounds = (2_000, 1) if options.smoke else (options.rows, options.rounds)
    dim = options.dim
    other = filled(rows, dim)
    other.table.upsert(np.arange(rows), np.ones((rows, dim), "float32"))
    tables = measure(filled(rows, dim), other, lambda: DynamicEmbedding(dim), rounds)
    del other
    plain = measure(dense(rows, dim), dense(rows, dim), lambda: dense(rows, dim), rounds)
    ratios = [
        f"{tables[n] / max(plain[n], 1e-9):.2f}" if plain[n] else "-"
        for n in ("get", "set", "empty", "bytes", "get_bytes", "set_bytes")
    ]
    header = [f"{rows:,} x {dim}", "get s", "set s", "set, empty s", "MB", "get MB", "set MB"]
    lines = [row_of("table", tables), row_of("keras.layers.Embedding", plain), ["ratio", *ratios]]
    print(table(header, lines))


if __name__ == "__main__":
    main()
