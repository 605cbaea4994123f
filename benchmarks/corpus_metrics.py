"""Top-k accuracy over a whole corpus beside TFRS's `FactorizedTopK`.

    python benchmarks/corpus_metrics.py [--rounds 5] [--smoke]

As many items as MovieLens 1M has (3,706), and more; dim 64, batches of 4,096 pairs, k up to 100.
The candidates come from a dataset that encodes them anew for every batch, as in TFRS's tutorials,
or from a `BruteForce` that holds them. By score a pair is a hit when fewer than k candidates score
higher, by id when its id is retrieved. TFRS (0.7) needs Keras 2 and so runs in a process of its
own; both sides are asked in turn, and compute the same numbers.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from benchmarks import turns
from benchmarks.timing import table

PEER = str(pathlib.Path(__file__).parent / "peers" / "tfrs_corpus.py")
SIZES = [(3_706, 16_384), (20_000, 4_096)]


def serve() -> None:
    """Answers for recs."""
    import keras

    from benchmarks.corpus_data import calls_of
    from recs.layers import factorized_top_k
    from recs.metrics import FactorizedTopK

    def make(case):
        return calls_of(case, FactorizedTopK, keras.layers.Embedding, factorized_top_k)

    turns.answer({"metric": make})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    sizes, batch = ([(200, 256)], 128) if arguments.smoke else (SIZES, 4096)
    rounds = 1 if arguments.smoke else arguments.rounds
    sides = turns.Side(__file__, "--serve"), turns.Side(PEER, legacy=True)
    lines = []
    for items, pairs in sizes:
        for by in ("score", "id"):
            for index in ("dataset", "brute_force"):
                case = {
                    "kind": "metric", "items": items, "pairs": pairs, "batch": batch, "dim": 64,
                    "by": by, "index": index,
                }  # fmt: skip
                rows = [[side.ask(**case)["seconds"] for side in sides] for _ in range(rounds)]
                ours, theirs = (statistics.median(column) for column in zip(*rows, strict=True))
                name = f"{items:,} items, by {by}, {index}"
                speed = [f"{pairs / seconds / 1e3:.1f}" for seconds in (ours, theirs)]
                lines.append([name, *speed, f"{theirs / ours:.2f}"])
    for side in sides:
        side.close()
    print(table(["thousand pairs a second", "recs", "TFRS", "recs / TFRS"], lines))


if __name__ == "__main__":
    main()
