"""A step of plain `keras.Model.fit`: DynamicEmbedding against `keras.layers.Embedding`.

The model is the same (ids -> vectors -> mean -> one number), 4096 x 8 ids a step from a Zipf
distribution, dim 64. The same draws are spread over tables of growing size, so that only the size
differs. Keras is given both its ways, compiled by XLA and not, and the faster one counts.

    python benchmarks/train_step.py [--rows 100000 1000000 4000000] [--optimizers adam adagrad]
"""

from __future__ import annotations

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import Timed, interleave, table
from recs.layers import DynamicEmbedding

BATCH, POSITIONS, DIM = 4096, 8, 64
RANKS, EXPONENT = 100_000, 1.1  # about 7,600 distinct ids a batch


def draws(steps: int, batch: int) -> np.ndarray:
    """Returns Zipf ranks of shape (steps, batch, positions)."""
    weights = np.arange(1, RANKS + 1) ** -EXPONENT
    rng = np.random.default_rng(0)
    return rng.choice(RANKS, size=(steps, batch, POSITIONS), p=weights / weights.sum())


def dataset(ranks: np.ndarray, rows: int) -> tf.data.Dataset:
    """Returns batches whose ids are the ranks, spread over a table of so many rows."""
    place = np.random.default_rng(1).choice(rows, size=RANKS, replace=False)
    ids = place[ranks]
    targets = np.random.default_rng(2).normal(size=(*ids.shape[:2], 1)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((ids, targets)).cache().prefetch(2)


def model(embedding: keras.layers.Layer, optimizer: str, jit_compile: bool) -> keras.Model:
    """Returns the compiled model over an embedding."""
    inputs = keras.Input((POSITIONS,), dtype="int64")
    vectors = keras.layers.GlobalAveragePooling1D()(embedding(inputs))
    built = keras.Model(inputs, keras.layers.Dense(1)(vectors))
    built.compile(keras.optimizers.get(optimizer), "mse", jit_compile=jit_compile)
    return built


def dynamic(rows: int, optimizer: str) -> keras.Model:
    """Returns a model whose table holds ids 0 to rows - 1."""
    layer = DynamicEmbedding(DIM, optimizer=optimizer, seed=1)
    for start in range(0, rows, 500_000):
        layer(np.arange(start, min(start + 500_000, rows)), training=True)
    return model(layer, optimizer, jit_compile=False)


def dense(rows: int, optimizer: str, jit_compile: bool) -> keras.Model:
    """Returns Keras's model of so many rows."""
    return model(keras.layers.Embedding(rows, DIM), optimizer, jit_compile)


def measure(
    rows: int, optimizer: str, ranks: np.ndarray, rounds: int
) -> tuple[list[str], Timed, float]:
    """Returns a printed row, the table's time, and Keras's seconds over the table's."""
    data = dataset(ranks, rows)
    models = {
        "table": (dynamic(rows, optimizer), len(ranks)),
        "keras": (dense(rows, optimizer, jit_compile=False), max(2, len(ranks) // 20)),
        "xla": (dense(rows, optimizer, jit_compile=True), max(2, len(ranks) // 20)),
    }

    def fit(name: str):
        built, steps = models[name]
        batches = data.take(steps)
        return lambda: built.fit(batches, verbose=0)

    times = interleave({name: fit(name) for name in models}, rounds)
    step = {n: Timed(*(s / models[n][1] for s in (t.median, t.low, t.high)))
            for n, t in times.items()}  # fmt: skip
    keras_best = min(step["keras"].median, step["xla"].median)
    line = [
        f"{optimizer} {rows:,}",
        *(f"{step[n].median * 1e3:.2f}" for n in ("table", "keras", "xla")),
        f"{keras_best / step['table'].median:.1f}",
    ]
    return line, step["table"], keras_best / step["table"].median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 4_000_000])
    parser.add_argument("--optimizers", nargs="+", default=["adam", "adagrad"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    arguments = parser.parse_args()
    steps, batch = (60, BATCH) if not arguments.smoke else (4, 64)
    if arguments.smoke:
        arguments.rows, arguments.rounds = [100_000], 1
    ranks = draws(steps, batch)
    distinct = int(np.mean([len(np.unique(step)) for step in ranks]))
    print(f"{batch} x {POSITIONS} ids a step, {distinct:,} of them distinct, dim {DIM}")
    lines = []
    for optimizer in arguments.optimizers:
        steps_of_table = []
        for rows in arguments.rows:
            line, step, _ = measure(rows, optimizer, ranks, arguments.rounds)
            steps_of_table.append(step.median)
            lines.append([*line, f"{step.median / steps_of_table[0]:.2f}"])
    header = ["rows", "table ms", "Keras ms", "Keras XLA ms", "Keras / table", "table vs smallest"]
    print(table(header, lines))


if __name__ == "__main__":
    main()
