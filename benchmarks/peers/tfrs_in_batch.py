"""The TFRS side of in_batch_loss.py: runs alone, under TF_USE_LEGACY_KERAS=1, without recs.

Answers the lines of `benchmarks.turns`: each is a case, each answer what one call took.
"""

from __future__ import annotations

import pathlib
import sys

import tensorflow as tf
import tensorflow_recommenders as tfrs

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from benchmarks import turns
from benchmarks.in_batch_data import DIM, ITEMS, OPTIONS, USERS, batch_of, given, rows_of


class TwoTower(tfrs.Model):
    """Users and items by id; ids are rows already, so nothing has to be looked up."""

    def __init__(self, options):
        super().__init__()
        self.users = tf.keras.layers.Embedding(USERS, DIM)
        self.items = tf.keras.layers.Embedding(ITEMS, DIM)
        self.task = tfrs.tasks.Retrieval(**options)

    def compute_loss(self, inputs, training=False):
        """Returns the loss of a batch of pairs, which Keras 2 wraps in a tuple."""
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        users, items = self.users(inputs["user"]), self.items(inputs["item"])
        return self.task(users, items, compute_metrics=False, **given(self.task, inputs))


def loss(case):
    """Returns a call that takes loss and gradient."""
    task = tfrs.tasks.Retrieval(**OPTIONS[case["options"]])
    task.options = OPTIONS[case["options"]]
    inputs = {name: tf.constant(value) for name, value in batch_of(case["batch"]).items()}
    queries, candidates = map(tf.constant, rows_of(case["batch"]))

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch([queries, candidates])
            value = task(queries, candidates, compute_metrics=False, **given(task, inputs))
        return value, tape.gradient(value, [queries, candidates])

    return lambda: [part.numpy() for part in tf.nest.flatten(run())]


def step(case):
    """Returns a call that trains on a batch."""
    model = TwoTower(OPTIONS[case["options"]])
    model.task.options = OPTIONS[case["options"]]
    model.compile(optimizer=tf.keras.optimizers.Adagrad(0.1))
    inputs = {name: tf.constant(value) for name, value in batch_of(case["batch"]).items()}
    return lambda: model.train_on_batch(inputs)


if __name__ == "__main__":
    turns.answer({"loss": loss, "step": step})
