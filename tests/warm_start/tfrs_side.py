"""Trains and saves a two-tower of TFRS; runs alone, under TF_USE_LEGACY_KERAS=1, without recs.

Its towers are those of TFRS's tutorials: a lookup and an embedding in a `Sequential`. It writes a
SavedModel, a checkpoint, the weights that Keras writes, and, for comparison, vectors and scores.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

USERS = [f"u{i}" for i in range(12)]
MOVIES = ["é", "Dark, The", "", "07", *(f"m{i}" for i in range(11))]
TAGS = [5, -3, 2**60, 7]
DIM = 4


def tower(lookup, dtype):
    embedding = tf.keras.layers.Embedding(lookup.vocabulary_size(), DIM)
    return tf.keras.Sequential([tf.keras.Input((), dtype=dtype), lookup, embedding])


class TwoTower(tfrs.Model):
    def __init__(self):
        super().__init__()
        layers = tf.keras.layers
        # One row for ids out of vocabulary; one for padding and three such; adapted; each alone.
        self.user_model = tower(layers.StringLookup(vocabulary=USERS, mask_token=None), tf.string)
        movies = layers.StringLookup(vocabulary=MOVIES, mask_token="[PAD]", num_oov_indices=3)
        self.movie_model = tower(movies, tf.string)
        tags = layers.IntegerLookup(mask_token=0)
        tags.adapt(np.array(TAGS + TAGS[:2]))
        self.tag_model = tower(tags, tf.int64)
        self.task = tfrs.tasks.Retrieval()

    def call(self, features):
        return self.user_model(features["user"]), self.item(features)

    def item(self, features):
        return self.movie_model(features["movie"]) + self.tag_model(features["tag"])

    def compute_loss(self, features, training=False):
        return self.task(*self(features))


def main(folder):
    tf.keras.utils.set_random_seed(3)
    log = {
        "user": tf.constant(USERS),
        "movie": tf.constant(MOVIES[: len(USERS)]),
        "tag": tf.constant((TAGS * 3)[: len(USERS)], tf.int64),
    }
    model = TwoTower()
    model.compile(optimizer=tf.keras.optimizers.Adagrad(0.5))
    model.fit(tf.data.Dataset.from_tensors(log), epochs=3, verbose=0)
    model.predict(log, verbose=0)
    model.save(folder / "saved_model", save_format="tf")
    tf.saved_model.save(model.user_model, str(folder / "user_model"))
    tf.train.Checkpoint(model=model).save(str(folder / "checkpoint" / "ckpt"))
    model.save_weights(folder / "weights" / "weights", save_format="tf")

    index = tfrs.layers.factorized_top_k.BruteForce(model.user_model, k=5)
    catalogue = {"movie": tf.constant(MOVIES), "tag": tf.constant((TAGS * 4)[:15], tf.int64)}
    index.index(model.item(catalogue), tf.constant(MOVIES))
    scores, titles = index(tf.constant(USERS))
    tf.saved_model.save(index, str(folder / "index"))
    np.savez(
        folder / "answer.npz",
        users=model.user_model(tf.constant(USERS)),
        movies=model.movie_model(tf.constant(MOVIES)),
        tags=model.tag_model(tf.constant(TAGS, tf.int64)),
        scores=scores,
        titles=titles.numpy().astype(bytes),
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
