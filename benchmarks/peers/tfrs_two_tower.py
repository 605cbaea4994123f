"""The TFRS side of epoch.py: trains TFRS's two-tower; runs alone, under TF_USE_LEGACY_KERAS=1.

Reads arrays and settings from an npz, writes vectors and times to another. Nothing of recs is
imported. The model is the one of TFRS's tutorials: StringLookup, Embedding, tasks.Retrieval.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs


class TwoTower(tfrs.Model):
    """Users and items by id, in-batch softmax."""

    def __init__(self, users, items, probability, settings):
        super().__init__()
        self.users, self.items = (
            tf.keras.Sequential(
                [
                    tf.keras.layers.StringLookup(vocabulary=ids, mask_token=None),
                    tf.keras.layers.Embedding(len(ids) + 1, settings["dim"]),
                ]
            )
            for ids in (users, items)
        )
        self.task = tfrs.tasks.Retrieval(
            temperature=settings["temperature"],
            remove_accidental_hits=settings["remove_accidental_hits"],
        )

    def compute_loss(self, inputs, training=False):
        """Returns the loss of a batch of pairs."""
        return self.task(
            self.users(inputs["user"]),
            self.items(inputs["item"]),
            candidate_ids=inputs["number"],
            candidate_sampling_probability=inputs["probability"],
            compute_metrics=False,
        )


def main(given: str, answer: str) -> None:
    with np.load(given, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    settings = json.loads(str(arrays["settings"]))
    tf.keras.utils.set_random_seed(settings["seed"])
    users, items = arrays["all_users"], arrays["all_items"]
    model = TwoTower(users.tolist(), items.tolist(), arrays["probability"], settings)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(settings["learning_rate"]))
    columns = {name: arrays[name] for name in ("user", "item", "number", "probability")}
    rows = len(columns["user"])
    data = tf.data.Dataset.from_tensor_slices(columns).cache()
    data = data.shuffle(rows, seed=settings["seed"]).batch(settings["batch_size"])
    data = data.prefetch(tf.data.AUTOTUNE)
    seconds = []
    for _ in range(settings["epochs"]):
        start = time.perf_counter()
        model.fit(data, verbose=0)
        seconds.append(time.perf_counter() - start)
    np.savez(
        answer,
        users=model.users(tf.constant(arrays["judged_users"])).numpy(),
        items=model.items(tf.constant(items)).numpy(),
        seconds=np.array(seconds),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
