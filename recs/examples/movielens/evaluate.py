"""Precision and recall of two towers on MovieLens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.evaluation import recommend_top_k
from recs.examples.movielens.rows import read_columns

_WHERE = "recs.examples.movielens.evaluate"
_BATCH = 8192

Tower = Callable[[dict[str, Any]], Any]


def evaluate(
    user_model: Tower,
    movie_model: Tower,
    test: tf.data.Dataset,
    movies: tf.data.Dataset,
    train: tf.data.Dataset | None = None,
    k: int = 10,
) -> dict[str, float]:
    """Returns precision and recall at `k`, means over the users of `test`.

    Every movie is scored for every user by the dot product of their embeddings. Of a user with the
    watched movies `R` in `test`, `hits` is how many of them are among the `k` best; then precision
    is `hits / k`, recall `hits / |R|`. A movie that a user has twice counts twice.

    Args:
        user_model: From `{"user_id": (batch,)}` to `(batch, dim)`.
        movie_model: From `{"movie_id": (batch,)}` to `(batch, dim)`.
        test: Yields dicts with `user_id` and `movie_id`, rows or batches.
        movies: Yields dicts with `movie_id`, every movie once.
        train: As `test`: what users have watched before, and is not recommended again. Defaults to
            `None`, for nothing.
        k: int, positive. Where the list ends. Defaults to `10`.

    Shapes: `(users, dim)` and `(movies, dim)` from the models -> a dict of two floats.

    Raises:
        ValueError: when `k` is not positive, `test` is empty, a column is missing, or a movie of
            `test` or `train` is not in `movies`.

    Example:
    ```python
    >>> import numpy as np
    >>> import tensorflow as tf
    >>> from recs.examples.movielens import evaluate
    >>> movies = tf.data.Dataset.from_tensor_slices({"movie_id": [0, 1, 2]})
    >>> test = tf.data.Dataset.from_tensors({"user_id": 7, "movie_id": 1})
    >>> user_model = lambda x: np.ones((len(x["user_id"]), 1))
    >>> movie_model = lambda x: np.array([[3.0], [2.0], [1.0]])
    >>> evaluate(user_model, movie_model, test, movies, k=2)
    {'precision_at_k': 0.5, 'recall_at_k': 1.0}

    ```

    Reference: `tfrs.examples.movielens.evaluate`, which asks the user model for one user at a time.
    There a movie of `train` only loses 1e6 of its score, so that it comes back where scores are
    larger or fewer than `k` other movies exist; here it never does.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise _error("`k`", "must be a positive integer", f"k={k!r}")
    catalogue = read_columns(movies, ("movie_id",), "movies", _WHERE)["movie_id"]
    watched = read_columns(test, ("user_id", "movie_id"), "test", _WHERE)
    if not len(watched["user_id"]):
        raise _error("`test`", "must not be empty", "no rows")
    users, of_user = np.unique(watched["user_id"], return_inverse=True)
    relevant = _places(catalogue, watched["movie_id"], "test")
    seen = np.zeros((0, 2), np.int64)
    if train is not None:
        seen = _seen(
            read_columns(train, ("user_id", "movie_id"), "train", _WHERE), users, catalogue
        )
    vectors = (
        _embed(user_model, "user_id", users),
        _embed(movie_model, "movie_id", catalogue),
    )
    order = np.argsort(of_user, kind="stable")
    wanted = np.stack([of_user[order], relevant[order]], axis=1)
    best = recommend_top_k(*vectors, seen, k, behind=wanted)
    hit = (best[of_user] == relevant[:, None]).any(axis=1)
    hits = np.bincount(of_user, weights=hit)
    return {
        "precision_at_k": float(np.mean(hits / k)),
        "recall_at_k": float(np.mean(hits / np.bincount(of_user))),
    }


def _places(catalogue: np.ndarray, ids: np.ndarray, what: str) -> np.ndarray:
    """Returns the row of each movie in the catalogue."""
    order = np.argsort(catalogue, kind="stable")
    found = np.searchsorted(catalogue, ids, sorter=order)
    rows = order[np.minimum(found, len(order) - 1)] if len(order) else np.zeros(len(ids), int)
    unknown = (catalogue[rows] != ids) if len(order) else np.ones(len(ids), bool)
    if unknown.any():
        raise _error(f"The movies of `{what}`", "must be in `movies`", repr(ids[unknown][0]))
    return rows


def _seen(rows: dict[str, np.ndarray], users: np.ndarray, catalogue: np.ndarray) -> np.ndarray:
    """Returns the pairs of rows of user and movie that are not to be recommended, by user."""
    found = np.minimum(np.searchsorted(users, rows["user_id"]), len(users) - 1)
    asked = users[found] == rows["user_id"]
    movies = _places(catalogue, rows["movie_id"], "train")
    pairs = np.stack([found[asked], movies[asked]], axis=1)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def _embed(model: Tower, name: str, ids: np.ndarray) -> np.ndarray:
    """Returns the embeddings of ids, some thousands at a time."""
    tensor = tf.constant(ids)
    starts = range(0, len(ids), _BATCH)
    parts = [model({name: tensor[start : start + _BATCH]}) for start in starts]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])


def _error(what: str, rule: str, received: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where=_WHERE))
