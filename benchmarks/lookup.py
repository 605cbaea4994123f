"""Look-ups of distinct random ids: the table against `tf.gather` on a dense matrix.

Both read the same rows of the same values in the same order, 65,536 at a time; the dense matrix is
the limit, for it has no ids to find. Prints million ids a second of both and their ratio.

    python benchmarks/lookup.py [--rows 10000000] [--dims 16 64 128] [--rounds 15] [--smoke]
"""

from __future__ import annotations

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

from benchmarks.timing import interleave, table
from recs.layers import DynamicEmbedding

BATCH = 65_536
FILL = 1_000_000


def filled_layer(rows: int, dim: int, key_dtype: str) -> tuple[DynamicEmbedding, tf.Tensor]:
    """Returns a layer with ids 0 to rows - 1, and the dense matrix of the same rows."""
    layer = DynamicEmbedding(dim, key_dtype=key_dtype, seed=1)
    for start in range(0, rows, FILL):
        ids = as_ids(np.arange(start, min(start + FILL, rows)), key_dtype)
        layer(ids, training=True)
    dense = tf.random.uniform((rows, dim))
    return layer, dense


def as_ids(numbers: np.ndarray, key_dtype: str) -> tf.Tensor:
    """Returns numbers as ids; strings have 16 bytes."""
    if key_dtype == "int64":
        return tf.constant(numbers, tf.int64)
    return tf.strings.as_string(tf.constant(numbers), width=16, fill="0")


def measure(rows: int, dim: int, key_dtype: str, rounds: int) -> list[str]:
    """Returns one row of the printed table."""
    layer, dense = filled_layer(rows, dim, key_dtype)
    batch = min(BATCH, rows // 2)
    rng = np.random.default_rng(0)
    numbers = [rng.choice(rows, batch, replace=False) for _ in range(4)]
    positions = [tf.constant(n, tf.int64) for n in numbers]
    ids = [as_ids(n, key_dtype) for n in numbers]
    find = layer.table.find

    def all_of(look_up, batches):
        return lambda: [look_up(b) for b in batches]

    times = interleave(
        {
            "table": all_of(find, ids),
            "gather": all_of(lambda p: tf.gather(dense, p), positions),
        },
        rounds,
    )
    speed = {name: 4 * batch / t.median / 1e6 for name, t in times.items()}
    return [
        f"{rows:,} x {dim} {key_dtype}",
        f"{speed['table']:.1f}",
        f"{speed['gather']:.1f}",
        f"{speed['table'] / speed['gather']:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[16, 64, 128])
    parser.add_argument("--key-dtypes", nargs="+", default=["int64"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.rows, arguments.dims, arguments.rounds = [20_000], [16], 2
        arguments.key_dtypes = ["int64", "string"]
    lines = [
        measure(rows, dim, key_dtype, arguments.rounds)
        for key_dtype in arguments.key_dtypes
        for rows in arguments.rows
        for dim in arguments.dims
    ]
    print(table(["rows x dim", "table M ids/s", "tf.gather M ids/s", "ratio"], lines))


if __name__ == "__main__":
    main()
