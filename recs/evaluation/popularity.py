"""The baseline every recommender must beat: what most users took."""

from __future__ import annotations

import numpy as np

from recs.data.interactions import Interactions
from recs.evaluation.held_out import HeldOut


def popularity_vectors(train: Interactions, held_out: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """Returns user and item vectors whose product is the item's number of training interactions.

    `score(u, i) = 1 * n_i`: everyone gets the most popular items, less those they have. As vectors
    of length one they go through `evaluate_top_k` like any model's, under the same protocol.

    Args:
        train: where popularity is counted.
        held_out: gives the users and the catalogue.

    Shapes: `(users, 1)` and `(items, 1)` float32.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> from recs.evaluation import HeldOut, popularity_vectors
    >>> train = Interactions({"user": ["ann", "bob", "bob"], "item": [7, 7, 9]})
    >>> held_out = HeldOut.of(train, Interactions({"user": ["ann"], "item": [9]}))
    >>> popularity_vectors(train, held_out)[1].ravel()
    array([2., 1.], dtype=float32)

    ```
    """
    counts = train.item_counts()
    items = np.array([counts.get(item, 0) for item in held_out.catalogue.tolist()], np.float32)
    return np.ones((len(held_out.users), 1), np.float32), items[:, None]
