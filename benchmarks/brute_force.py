"""The best of many candidates: `BruteForce` and `Streaming` beside one product and `top_k`.

    python benchmarks/brute_force.py [--candidates 1000000] [--rounds 7] [--smoke]

The best 100 of 1M candidates of dim 64, for 64 queries. The peer is what TFRS's `BruteForce` does:
`tf.matmul` and `tf.math.top_k` in one graph. Memory is what each adds to the peak of a process of
its own beside the candidates.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

from benchmarks import turns
from benchmarks.timing import interleave, table
from recs.layers.factorized_top_k import BruteForce, Streaming

DIM, QUERIES, K, STREAMED = 64, 64, 100, 8192


def ways(candidates: int) -> dict:
    """Returns a call for each way, which returns scores and ids."""
    rng = np.random.default_rng(4)
    rows = tf.constant(rng.standard_normal((candidates, DIM), "float32"))
    ids = np.arange(candidates) * 7
    queries = tf.constant(rng.normal(size=(QUERIES, DIM)).astype("float32"))
    k = min(K, candidates)

    @tf.function
    def peer(queries, rows, ids):
        scores, best = tf.math.top_k(tf.matmul(queries, rows, transpose_b=True), k=k)
        return scores, tf.gather(ids, best)

    brute = BruteForce(k=k).index(rows, ids)
    count = (candidates + STREAMED - 1) // STREAMED
    held = tf.constant(ids)

    def part(number):
        places = slice(number * STREAMED, (number + 1) * STREAMED)
        return held[places], rows[places]

    batches = tf.data.Dataset.range(count).map(part)
    stream = Streaming(k=k, num_parallel_calls=1).index_from_dataset(batches)
    traced = {"BruteForce": tf.function(brute), "Streaming": tf.function(stream)}
    return {
        "matmul + top_k": lambda: _numpy(peer(queries, rows, held)),
        **{name: lambda f=f: _numpy(f(queries)) for name, f in traced.items()},
    }


def _numpy(pair) -> list[np.ndarray]:
    return [one.numpy() for one in pair]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        turns.answer({"way": lambda case: ways(case["candidates"])[case["way"]]})
        return
    if arguments.smoke:
        arguments.candidates, arguments.rounds = 50_000, 1
    calls = ways(arguments.candidates)
    found = {name: call()[1] for name, call in calls.items()}
    assert all((ids == found["matmul + top_k"]).all() for ids in found.values())
    seconds = interleave(calls, arguments.rounds)
    lines = []
    base = None
    for name in calls:
        memory = _memory(name, arguments.candidates)
        base = base or (seconds[name].median, memory)
        ratios = [f"{base[0] / seconds[name].median:.2f}", f"{base[1] / max(memory, 1):.2f}"]
        shown = [f"{seconds[name].median * 1e3:.1f}", f"{memory / 1e6:.1f}"]
        lines.append([name, shown[0], ratios[0], shown[1], ratios[1]])
    print(f"best {K} of {arguments.candidates:,} x {DIM} for {QUERIES} queries; same ids")
    print(table(["", "ms", "speed", "MB", "matmul + top_k / MB"], lines))


def _memory(name: str, candidates: int) -> int:
    """Returns the bytes that calls of a way add to the peak of a process of its own."""
    side = turns.Side(__file__, "--serve")
    added = side.ask(kind="way", way=name, candidates=candidates)["bytes"]
    side.close()
    return added


if __name__ == "__main__":
    main()
