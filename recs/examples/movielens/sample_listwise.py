"""Lists of movies for listwise ranking."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from recs.errors import explain
from recs.examples.movielens.rows import read_columns

_WHERE = "recs.examples.movielens.sample_listwise"


def sample_listwise(
    rating_dataset: tf.data.Dataset,
    num_list_per_user: int = 10,
    num_examples_per_list: int = 10,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Returns a dataset of lists of movies that one user rated, drawn at random.

    A list has no rating twice; different lists of a user may share some. Users with fewer ratings
    than a list has places are left out. Users come in the order in which the dataset first has
    them, all lists of a user together.

    Args:
        rating_dataset: Yields dicts with `user_id`, `movie_title`, `user_rating`, rows or batches.
        num_list_per_user: int, positive. Lists of each user. Defaults to `10`.
        num_examples_per_list: int, positive. Movies of each list. Defaults to `10`.
        seed: int. The same seed gives the same lists, and those that TFRS draws. Defaults to
            `None`: other lists each time.

    Shapes: -> dicts of `user_id ()`, `movie_title (num_examples_per_list,)` and
    `user_rating (num_examples_per_list,)`, not batched.

    Raises:
        ValueError: when a number is not positive, a column is missing, or no user has enough
            ratings.

    Example:
    ```python
    >>> import tensorflow as tf
    >>> from recs.examples.movielens import sample_listwise
    >>> rows = {"user_id": ["u", "u", "v"], "movie_title": ["A", "B", "A"]}
    >>> rows["user_rating"] = [4.0, 5.0, 1.0]
    >>> lists = sample_listwise(tf.data.Dataset.from_tensor_slices(rows), 2, 2, seed=1)
    >>> [sorted(row["movie_title"].tolist()) for row in lists.as_numpy_iterator()]
    [[b'A', b'B'], [b'A', b'B']]

    ```

    Reference: `tfrs.examples.movielens.sample_listwise`.
    """
    for name, number in (
        ("num_list_per_user", num_list_per_user),
        ("num_examples_per_list", num_examples_per_list),
    ):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise _error(f"`{name}`", "must be a positive integer", f"{name}={number!r}")
    names = ("user_id", "movie_title", "user_rating")
    columns = read_columns(rating_dataset, names, "rating_dataset", _WHERE)
    users, first, of_user = np.unique(columns["user_id"], return_index=True, return_inverse=True)
    rows = np.split(np.argsort(of_user, kind="stable"), np.cumsum(np.bincount(of_user))[:-1])
    random = np.random.RandomState(seed)  # TFRS's generator, so that its lists come out.
    lists = [
        rows[user][random.choice(len(rows[user]), num_examples_per_list, replace=False)]
        for user in np.argsort(first)
        if len(rows[user]) >= num_examples_per_list
        for _ in range(num_list_per_user)
    ]
    if not lists:
        raise _error(
            "`num_examples_per_list`",
            "must be at most the number of ratings of some user",
            f"num_examples_per_list={num_examples_per_list}, {len(users)} users",
        )
    chosen = np.stack(lists)
    return tf.data.Dataset.from_tensor_slices(
        {
            "user_id": columns["user_id"][chosen[:, 0]],
            "movie_title": columns["movie_title"][chosen],
            "user_rating": columns["user_rating"][chosen],
        }
    )


def _error(what: str, rule: str, received: str) -> ValueError:
    return ValueError(explain(what, rule=rule, received=received, where=_WHERE))
