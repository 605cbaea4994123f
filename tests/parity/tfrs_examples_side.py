"""The TFRS half of the tests of its example helpers; runs as `tfrs_side.py` does."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from tfrs_side import main


def _rows(arrays, part, names):
    return tf.data.Dataset.from_tensor_slices({n: arrays[f"{part}_{n}"] for n in names})


def evaluate(options, arrays):
    names = ("user_id", "movie_id")
    known = {str(name): row for row, name in enumerate(arrays["movies_movie_id"])}
    of_users = {str(name): row for row, name in enumerate(arrays["known_users"])}

    def text(ids):
        return [one.decode() if isinstance(one, bytes) else str(one) for one in np.asarray(ids)]

    def user_model(features):
        return tf.gather(arrays["users"], [of_users[one] for one in text(features["user_id"])])

    def movie_model(features):
        def rows(ids):
            return arrays["vectors"][[known[one] for one in text(ids)]]

        return tf.numpy_function(rows, [features["movie_id"]], tf.float32)

    figures = tfrs.examples.movielens.evaluate(
        user_model,
        movie_model,
        _rows(arrays, "test", names),
        _rows(arrays, "movies", names[1:]),
        _rows(arrays, "train", names) if options["train"] else None,
        k=options["k"],
    )
    return {name: np.array(value) for name, value in figures.items()}


def sample_listwise(options, arrays):
    rows = _rows(arrays, "rows", ("user_id", "movie_title", "user_rating"))
    lists = tfrs.examples.movielens.sample_listwise(rows, **options)
    batch = next(iter(lists.batch(10_000)))
    return {name: value.numpy() for name, value in batch.items()}


if __name__ == "__main__":
    main(globals(), *sys.argv[1:])
