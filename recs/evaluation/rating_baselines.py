"""Baselines of rating models."""

from __future__ import annotations

from typing import Any

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.errors import explain


def rating_baselines(
    train: Interactions, test: Interactions, damping: float = 5.0, sweeps: int = 10
) -> dict[str, float]:
    """Returns the RMSE on `test` of the mean rating, and of the mean with user and item biases.

    `rating(u, i) = mu + b_u + b_i`, with `mu` the mean of training. Each bias is the damped mean of
    what the others leave, `b_u = sum_i (r_ui - mu - b_i) / (n_u + damping)`, and `b_i` likewise, in
    turn until they settle. Users and items that training does not have get bias 0.

    Args:
        train: interactions with ratings.
        test: interactions with ratings, on which the error is taken.
        damping: float: how many ratings' worth of doubt. Larger pulls rare users and items
            towards the mean. Defaults to `5.0`.
        sweeps: int: how often both biases are renewed. Defaults to `10`.

    Shapes: -> `{"mean": rmse, "biases": rmse}`.

    Raises:
        ValueError: when there are no ratings, or nothing to test by.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.evaluation import rating_baselines
    >>> log = Interactions({"user": [1, 1, 2, 2], "item": [5, 6, 5, 6], "rating": [5, 3, 4, 2]})
    >>> {name: round(rmse, 2) for name, rmse in rating_baselines(log, log, damping=0.0).items()}
    {'mean': 1.12, 'biases': 0.0}

    ```
    """
    if train.rating is None or test.rating is None or not len(test) or not len(train):
        raise ValueError(
            explain(
                "The interactions",
                rule="must have ratings, to train on and to test by",
                received=f"{train!r} and {test!r}",
                where="recs.evaluation.rating_baselines",
            )
        )
    mean, bias_of_user, bias_of_item = _biases(train, damping, sweeps)
    told = mean + np.array(
        [
            bias_of_user.get(u, 0.0) + bias_of_item.get(i, 0.0)
            for u, i in zip(test.user.tolist(), test.item.tolist(), strict=True)
        ]
    )
    truth = test.rating.astype(np.float64)
    return {
        "mean": float(np.sqrt(np.mean((truth - mean) ** 2))),
        "biases": float(np.sqrt(np.mean((truth - told) ** 2))),
    }


def new_user_biases(
    train: Interactions, known: Interactions, asked: Interactions, damping: float = 5.0
) -> np.ndarray:
    """Returns predictions of users whom training does not have, from a few ratings of theirs.

    `rating(u, i) = mu + b_u + b_i`, with `mu` and `b_i` as in `rating_baselines`, and
    `b_u = sum_i (r_ui - mu - b_i) / (n_u + damping)` over the known ratings.

    Args:
        train: interactions with ratings.
        known: the ratings that are known of the users.
        asked: the rows to predict.
        damping: as in `rating_baselines`. Defaults to `5.0`.

    Shapes: -> `(rows of asked,)` float64.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.evaluation.rating_baselines import new_user_biases
    >>> train = Interactions({"user": [1, 2], "item": [5, 5], "rating": [3, 3]})
    >>> known = Interactions({"user": [9], "item": [5], "rating": [5]})
    >>> new_user_biases(train, known, known, damping=1.0).tolist()
    [4.0]

    ```
    """
    mean, _, bias_of_item = _biases(train, damping, sweeps=10)
    of_item = {
        part: np.array([bias_of_item.get(i, 0.0) for i in rows.item.tolist()])
        for part, rows in (("known", known), ("asked", asked))
    }
    user, users = codes(known.user)
    left = np.asarray(known.rating, np.float64) - mean - of_item["known"]
    of_user = np.bincount(user, left, len(users)) / (np.bincount(user) + damping)
    bias_of_user = dict(zip(users.tolist(), of_user.tolist(), strict=True))
    return mean + of_item["asked"] + [bias_of_user.get(u, 0.0) for u in asked.user.tolist()]


def _biases(
    train: Interactions, damping: float, sweeps: int
) -> tuple[float, dict[Any, float], dict[Any, float]]:
    """Returns the mean rating, and the biases by user and by item."""
    user, users = codes(train.user)
    item, items = codes(train.item)
    rating = np.asarray(train.rating, np.float64)
    mean = float(rating.mean())
    of_user, of_item = np.zeros(len(users)), np.zeros(len(items))
    for _ in range(sweeps):
        left = rating - mean - of_user[user]
        of_item = np.bincount(item, left, len(items)) / (np.bincount(item) + damping)
        left = rating - mean - of_item[item]
        of_user = np.bincount(user, left, len(users)) / (np.bincount(user) + damping)
    bias_of_user = dict(zip(users.tolist(), of_user.tolist(), strict=True))
    return mean, bias_of_user, dict(zip(items.tolist(), of_item.tolist(), strict=True))
