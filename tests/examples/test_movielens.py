"""The MovieLens helpers by hand; figures and lists are compared with TFRS in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import recs
from recs.examples.movielens import evaluate, sample_listwise


def dataset(**columns):
    return tf.data.Dataset.from_tensor_slices(columns)


MOVIES = dataset(movie_id=["a", "b", "c", "d"])
VECTORS = {b"a": 4.0, b"b": 3.0, b"c": 2.0, b"d": 1.0}


def movie_model(features):
    return tf.constant([[VECTORS[one]] for one in features["movie_id"].numpy()])


def user_model(features):
    return tf.where(features["user_id"] == "up", 1.0, -1.0)[:, None]


def test_figures_by_hand():
    test = dataset(user_id=["up", "down", "up"], movie_id=["b", "d", "d"])
    # up: a b | c d, one of two; down: d c | b a, one of one.
    assert evaluate(user_model, movie_model, test, MOVIES, k=2) == {
        "precision_at_k": 0.5,
        "recall_at_k": 0.75,
    }
    # Without what they had: up has c d, which are d; down has d b.
    # Users who are not tested, before and after those who are, change nothing.
    train = dataset(user_id=["up", "down", "up", "zoe", "ann"], movie_id=["a", "c", "b", "d", "d"])
    assert evaluate(user_model, movie_model, test, MOVIES, train, k=2) == {
        "precision_at_k": 0.5,
        "recall_at_k": 0.75,
    }
    assert evaluate(user_model, movie_model, test, MOVIES, train, k=1)["recall_at_k"] == 0.5


def test_watched_movies_do_not_come_back_where_too_few_are_left():
    test = dataset(user_id=["up"], movie_id=["a"])
    figures = evaluate(user_model, movie_model, test, MOVIES, test, k=4)
    assert figures == {"precision_at_k": 0.0, "recall_at_k": 0.0}


TEST = dataset(user_id=["up"], movie_id=["a"])
BAD = {
    "k": (lambda: evaluate(user_model, movie_model, TEST, MOVIES, k=0), "`k` must be a positive"),
    "empty": (
        lambda: evaluate(user_model, movie_model, TEST.take(0), MOVIES),
        "`test` must not be empty",
    ),
    "column": (
        lambda: evaluate(user_model, movie_model, MOVIES, MOVIES),
        "`test` must yield dicts with 'user_id' and 'movie_id'",
    ),
    "tuples": (
        lambda: evaluate(user_model, movie_model, TEST, MOVIES.map(lambda x: x["movie_id"])),
        "`movies` must yield dicts with 'movie_id'",
    ),
    "unknown": (
        lambda: evaluate(
            user_model, movie_model, TEST, MOVIES, dataset(user_id=["up"], movie_id=["zz"])
        ),
        "The movies of `train` must be in `movies`. Received: b'zz'",
    ),
    "no_movies": (
        lambda: evaluate(user_model, movie_model, TEST, MOVIES.take(0)),
        "The movies of `test` must be in `movies`",
    ),
    "lists": (
        lambda: sample_listwise(
            dataset(user_id=["u"], movie_title=["A"], user_rating=[1.0]), num_examples_per_list=2
        ),
        "`num_examples_per_list` must be at most the number of ratings of some user",
    ),
    "none": (lambda: sample_listwise(TEST, num_list_per_user=0), "`num_list_per_user` must be a"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_lists_of_movielens():
    log = recs.data.movielens.load().with_item_features("movie_title")
    columns = ["user_id", "movie_title", "user_rating"]
    rows = log.to_dataset(columns)
    lists = list(sample_listwise(rows, 2, 50, seed=4).as_numpy_iterator())
    _, counts = np.unique(log.user, return_counts=True)
    assert len(lists) == 2 * (counts >= 50).sum()
    assert lists[0]["movie_title"].shape == lists[0]["user_rating"].shape == (50,)
    pairs = set(zip(*(log[name].tolist() for name in columns), strict=True))
    for row in lists[:20]:
        for title, rating in zip(row["movie_title"], row["user_rating"], strict=True):
            assert (row["user_id"].decode(), title.decode(), float(rating)) in pairs
    again = sample_listwise(rows.batch(1000), 2, 50, seed=4)
    for one, other in zip(lists, again.as_numpy_iterator(), strict=True):
        assert one["movie_title"].tolist() == other["movie_title"].tolist()
    assert next(iter(sample_listwise(rows, 2, 50))) is not None
