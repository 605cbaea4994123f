"""The in-batch softmax beside TFRS's: loss and gradient, a whole training step, and memory.

    python benchmarks/in_batch_loss.py [--batch 8192] [--rounds 11] [--smoke]

Dim 64. The loss is a `tf.function` of the task's value and its gradient by queries and candidates;
the step is `train_on_batch` of a two-tower model with Adagrad, embeddings by id. TFRS (0.7) needs
Keras 2 and so runs in a process of its own; both sides are asked in turn. "floor" is what the
three matrix products take that the loss and its gradient consist of, computed whole:
`Q C'`, `P C` and `P' Q`. Memory is what the process's peak grows by in the first calls.
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
from benchmarks.in_batch_data import DIM, OPTIONS, batch_of, given, rows_of
from benchmarks.timing import table

PEER = str(pathlib.Path(__file__).parent / "peers" / "tfrs_in_batch.py")


def serve() -> None:
    """Answers for recs."""
    import keras
    import tensorflow as tf

    import recs

    class TwoTower(recs.Model):
        """Users and items by id."""

        def __init__(self, options):
            super().__init__()
            self.users = recs.layers.DynamicEmbedding(DIM, seed=1)
            self.items = recs.layers.DynamicEmbedding(DIM, seed=2)
            self.task = recs.tasks.Retrieval(**options)
            self.task.options = options

        def compute_loss(self, inputs, training=False):
            """Returns the loss of a batch of pairs."""
            users, items = self.users(inputs["user"]), self.items(inputs["item"])
            return self.task(users, items, compute_metrics=False, **given(self.task, inputs))

    def loss(case):
        options = OPTIONS[case["options"]]
        task = recs.tasks.Retrieval(**options)
        task.options = options
        inputs = {name: tf.constant(value) for name, value in batch_of(case["batch"]).items()}
        queries, candidates = map(tf.constant, rows_of(case["batch"]))

        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch([queries, candidates])
                value = task(queries, candidates, training=True, **given(task, inputs))
            return value, tape.gradient(value, [queries, candidates])

        return lambda: [part.numpy() for part in tf.nest.flatten(run())]

    def step(case):
        model = TwoTower(OPTIONS[case["options"]])
        model.compile(optimizer=keras.optimizers.Adagrad(0.1))
        inputs = {name: tf.constant(value) for name, value in batch_of(case["batch"]).items()}
        return lambda: model.train_on_batch(inputs)

    def floor(case):
        queries, candidates = map(tf.constant, rows_of(case["batch"]))
        scores = tf.matmul(queries, candidates, transpose_b=True)
        products = (
            lambda: tf.matmul(queries, candidates, transpose_b=True),
            lambda: tf.matmul(scores, candidates),
            lambda: tf.matmul(scores, queries, transpose_a=True),
        )
        return lambda: [product()[0, 0].numpy() for product in products]

    turns.answer({"loss": loss, "step": step, "floor": floor})


def measure(cases, batch, rounds):
    """Returns the median seconds of every case: of recs, of TFRS, and their ratio's quartiles."""
    ours, theirs = turns.Side(__file__, "--serve"), turns.Side(PEER, legacy=True)
    found = {}
    for kind, options in cases:
        case = {"kind": kind, "options": options, "batch": batch}
        rows = []
        for _ in range(rounds):
            row = [ours.ask(kind="floor", batch=batch)["seconds"]]
            rows.append([*row, *(side.ask(**case)["seconds"] for side in (ours, theirs))])
        found[kind, options] = [statistics.median(column) for column in zip(*rows, strict=True)]
    ours.close()
    theirs.close()
    return found


def memory(batches):
    """Returns the bytes that plain losses of some sizes add to the peaks of fresh processes."""
    found = {}
    for batch in batches:
        case = {"kind": "loss", "options": "plain", "batch": batch}
        sides = turns.Side(__file__, "--serve"), turns.Side(PEER, legacy=True)
        for side in sides:  # What a first call of any function needs.
            side.ask(**{**case, "batch": 64})
        found[batch] = [side.ask(**case)["bytes"] for side in sides]
        for side in sides:
            side.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--smoke", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    if arguments.smoke:
        arguments.batch, arguments.rounds = 256, 1
    cases = [("loss", options) for options in OPTIONS]
    cases += [("step", options) for options in list(OPTIONS)[:2]]
    lines = []
    for (kind, options), (floor, ours, theirs) in measure(
        cases, arguments.batch, arguments.rounds
    ).items():
        milliseconds = [f"{seconds * 1e3:.1f}" for seconds in (ours, theirs, floor)]
        ratios = [f"{theirs / ours:.2f}", f"{theirs / floor:.2f}", f"{ours / floor:.2f}"]
        lines.append([f"{kind}, {options}", *milliseconds, *ratios])
    header = ["", "recs ms", "TFRS ms", "floor ms", "TFRS / recs", "TFRS / floor", "recs / floor"]
    print(f"batch {arguments.batch}, dim {DIM}")
    print(table(header, lines))
    lines = []
    for batch, (ours, theirs) in memory([arguments.batch // 2, arguments.batch]).items():
        row = [f"{ours / 1e6:.1f}", f"{theirs / 1e6:.1f}", f"{theirs / max(ours, 1):.1f}"]
        lines.append([f"batch {batch}", *row])
    print(table(["peak memory of the loss", "recs MB", "TFRS MB", "TFRS / recs"], lines))


if __name__ == "__main__":
    main()
