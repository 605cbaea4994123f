"""Runs in a process of its own: restores a model, predicts, trains on, and reports.

python -m tests.layers.dynamic_embedding.saving_side KIND FOLDER
"""

from __future__ import annotations

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from recs.layers import DynamicEmbedding


def build() -> keras.Model:
    """Two tables, int64 and string, with different optimizers, and a dense head."""
    ids = keras.Input((2,), dtype="int64", name="ids")
    words = keras.Input((), dtype="string", name="words")
    numbers = DynamicEmbedding(3, combiner="sum", optimizer=keras.optimizers.Adam(0.05))(ids)
    texts = DynamicEmbedding(2, key_dtype="string", optimizer=keras.optimizers.Adagrad(0.1))(words)
    head = keras.layers.Dense(1, name="head")
    model = keras.Model([ids, words], head(keras.layers.Concatenate()([numbers, texts])))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def batch(seed: int) -> tuple[list, np.ndarray]:
    """New ids come with every batch, so that initial rows after a restore are tested too."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(-50 * (seed + 1), 50 * (seed + 1), size=(32, 2))
    words = tf.constant([f"word {i}" for i in rng.integers(0, 20 * (seed + 1), size=32)])
    return [ids, words], rng.normal(size=(32, 1)).astype("float32")


def train(model: keras.Model, seeds: range) -> None:
    for seed in seeds:
        model.train_on_batch(*batch(seed))


def report(model: keras.Model) -> dict[str, np.ndarray]:
    """Predictions as restored, and after training on."""
    inputs, _ = batch(3)
    restored = model.predict(inputs, verbose=0)
    train(model, range(5, 9))
    sizes = [w.table.size() for w in model.layers if isinstance(w, DynamicEmbedding)]
    return {"restored": restored, "further": model.predict(inputs, verbose=0), "sizes": sizes}


def restore(kind: str, folder: pathlib.Path) -> keras.Model:
    if kind == "keras":
        return keras.saving.load_model(folder / "model.keras")
    model = build()
    if kind == "weights":
        # Weights files have no optimizer; the reporting side of the test starts anew as well.
        model.load_weights(folder / "model.weights.h5")
    if kind == "checkpoint":
        model.optimizer.build(model.trainable_variables)
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        checkpoint.read(str(folder / "ckpt")).assert_consumed()
    return model


if __name__ == "__main__":
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    np.savez(folder / "restored.npz", **report(restore(kind, folder)))
