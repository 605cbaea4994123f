"""The index of lists beside scoring everything: how much is found, and how fast.

    python benchmarks/ivf.py [--vectors VECTORS.npz] [--rounds 15] [--smoke]

The best 100 for 64 queries, beside `BruteForce`, and beside one matrix product and `tf.math.top_k`.
Clustered: 1M candidates of dim 64 around 5,000 centres, of length one, and queries around the same
centres. Spread: 40,981 candidates, as many as Gowalla has items, and
queries, drawn around 40 centres so that neighbours are everywhere; `--vectors` takes trained ones
besides, a file with `u` (queries) and `i` (candidates). Probes are the fewest with a recall of 0.95
on 1,024 queries; the recall that is printed is that of 1,024 others.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

from benchmarks.timing import interleave, table
from recs.layers.factorized_top_k import IVF, BruteForce

DIM, QUERIES, OTHERS, K = 64, 64, 1024, 100


def around(rng: np.random.Generator, centres: np.ndarray, count: int, spread: float) -> np.ndarray:
    rows = centres[rng.integers(0, len(centres), count)]
    return _unit(rows + spread * rng.standard_normal(rows.shape, "float32"))


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("float32")


def drawn(candidates: int, centres: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns candidates and queries around the same centres."""
    rng = np.random.default_rng(0)
    means = rng.standard_normal((centres, DIM), "float32")
    return around(rng, means, candidates, spread), around(rng, means, 2 * OTHERS, spread)


def trained(path: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        users = file["u"][np.random.default_rng(0).permutation(len(file["u"]))]
        return _unit(file["i"]), _unit(users[: 2 * OTHERS])


def compare(name: str, rows: np.ndarray, queries: np.ndarray, rounds: int) -> list[str]:
    asked = tf.constant(queries[:QUERIES])
    first, second = tf.constant(queries[:OTHERS]), tf.constant(queries[OTHERS:])
    k = min(K, len(rows))
    start = time.perf_counter()
    index = IVF(k=k).index(rows)
    built = time.perf_counter() - start
    probes = index.choose_probes(first, 0.95)
    candidates = tf.constant(rows)

    def product(some):
        return tf.math.top_k(tf.matmul(some, candidates, transpose_b=True), k=k)

    calls = {
        "product": tf.function(product),
        "brute": tf.function(BruteForce(k=k).index(rows)),
        "ivf": tf.function(index),
    }
    timed = interleave(
        {n: lambda f=f: [x.numpy() for x in f(asked)] for n, f in calls.items()}, rounds, 2
    )
    product_ms, brute, ivf = (timed[name].median * 1e3 for name in calls)
    return [
        f"{name}, {len(rows):,}", f"{built:.0f}", f"{probes}", f"{index.recall(second):.3f}",
        f"{product_ms:.2f}", f"{brute:.2f}", f"{ivf:.2f}",
        f"{product_ms / ivf:.1f}", f"{brute / ivf:.1f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", help="a file of trained vectors")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    many, few = (3000, 1000) if arguments.smoke else (1_000_000, 40_981)
    rounds = 2 if arguments.smoke else arguments.rounds
    cases = {
        "clustered": drawn(many, max(many // 200, 2), 0.6),
        "spread": drawn(few, 40, 1.0),
    }
    if arguments.vectors:
        cases["trained"] = trained(arguments.vectors)
    lines = [compare(name, *case, rounds) for name, case in cases.items()]
    header = ["candidates", "built s", "probes", "recall@100", "matmul + top_k ms", "BruteForce ms"]
    header += ["IVF ms", "matmul + top_k / IVF", "BruteForce / IVF"]
    print(f"{QUERIES} queries, best {K}")
    print(table(header, lines))


if __name__ == "__main__":
    main()
