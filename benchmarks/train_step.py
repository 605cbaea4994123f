"""A step of plain `keras.Model.fit`: DynamicEmbedding against `keras.layers.Embedding`.

The model is the same (ids -> vectors -> mean -> one number), 4096 x 8 ids a step from a Zipf
distribution, dim 64. The same draws are spread over tables of growing size, so that only the size
differs. Keras is given both its ways, compiled by XLA and not, and the faster one counts.

    python benchmarks/train_step.py [--rows 100000 1000000 4000000] [--optimizers adam adagrad]
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import interleave, table
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


def measure(rows: int, optimizer: str, smoke: bool, rounds: int) -> dict[str, float]:
    """Returns seconds a step of the table, of Keras, and of Keras under XLA."""
    steps, batch = (60, BATCH) if not smoke else (4, 64)
    data = dataset(draws(steps, batch), rows)
    few = max(2, steps // 20)
    models = {
        "table": (dynamic(rows, optimizer), steps),
        "keras": (dense(rows, optimizer, jit_compile=False), few),
        "xla": (dense(rows, optimizer, jit_compile=True), few),
    }

    def fit(name: str):
        built, steps = models[name]
        batches = data.take(steps)
        return lambda: built.fit(batches, shuffle=False, verbose=0)

    times = interleave({name: fit(name) for name in models}, rounds)
    return {name: t.median / models[name][1] for name, t in times.items()}


def in_a_process(rows: int, optimizer: str, smoke: bool, rounds: int) -> dict[str, float]:
    """Measures where the memory of one size is given back before the next."""
    case = json.dumps([rows, optimizer, smoke, rounds])
    command = [sys.executable, __file__, "--case", case]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 4_000_000])
    parser.add_argument("--optimizers", nargs="+", default=["adam", "adagrad"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*json.loads(arguments.case))))
        return
    if arguments.smoke:
        arguments.rows, arguments.optimizers, arguments.rounds = [100_000], ["adam"], 1
    ranks = draws(10, BATCH)
    distinct = int(np.mean([len(np.unique(step)) for step in ranks]))
    print(f"{BATCH} x {POSITIONS} ids a step, {distinct:,} of them distinct, dim {DIM}")
    lines = []
    for optimizer in arguments.optimizers:
        smallest = 0.0
        for rows in arguments.rows:
            step = in_a_process(rows, optimizer, arguments.smoke, arguments.rounds)
            smallest = smallest or step["table"]
            ratio = min(step["keras"], step["xla"]) / step["table"]
            lines.append(
                [
                    f"{optimizer} {rows:,}",
                    *(f"{step[name] * 1e3:.2f}" for name in ("table", "keras", "xla")),
                    f"{ratio:.1f}",
                    f"{step['table'] / smallest:.2f}",
                ]
            )
    header = ["rows", "table ms", "Keras ms", "Keras XLA ms", "Keras / table", "table / smallest"]
    print(table(header, lines))


if __name__ == "__main__":
    main()
