"""Baselines of models that rank lists."""

from __future__ import annotations

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.errors import explain


def item_baselines(
    train: Interactions, test: Interactions, damping: float = 5.0
) -> dict[str, np.ndarray]:
    """Returns scores that are the same for all users: popularity and mean rating.

    Popularity is the number of training interactions `n_i`; the mean rating is damped,
    `(sum of ratings + damping * mu) / (n_i + damping)` with `mu` the mean of training, so that an
    item with one good rating does not come first. Items that training does not have get 0 and `mu`.

    Args:
        train: interactions with ratings.
        test: what is scored.
        damping: float: how many ratings' worth of doubt. Defaults to `5.0`.

    Shapes: -> `{"mean rating": (rows,), "popularity": (rows,)}` float32.

    Raises:
        ValueError: when training has no ratings.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.evaluation import item_baselines
    >>> train = Interactions({"user": [1, 2, 3], "item": [5, 5, 6], "rating": [2, 4, 5]})
    >>> test = Interactions({"user": [1, 1], "item": [6, 5], "rating": [5, 1]})
    >>> {name: values.tolist() for name, values in item_baselines(train, test, 0.0).items()}
    {'mean rating': [5.0, 3.0], 'popularity': [1.0, 2.0]}

    ```
    """
    if train.rating is None or not len(train):
        raise ValueError(
            explain(
                "The interactions",
                rule="must have ratings to train on",
                received=repr(train),
                where="recs.evaluation.item_baselines",
            )
        )
    item, items = codes(train.item)
    rating = train.rating.astype(np.float64)
    counts = np.bincount(item, minlength=len(items))
    mean = rating.mean()
    told = np.bincount(item, rating, len(items)) + damping * mean
    told = told / (counts + damping)
    row = {one: number for number, one in enumerate(items.tolist())}
    rows = [row.get(one, -1) for one in test.item.tolist()]
    return {
        "mean rating": np.append(told, mean)[rows].astype(np.float32),
        "popularity": np.append(counts, 0)[rows].astype(np.float32),
    }
