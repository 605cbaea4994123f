"""What a model recommends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Recommendations(NamedTuple):
    """The best items of each user, best first.

    Attributes:
        ids: `(users, k)`, int64 or object array of `str`.
        scores: `(users, k)` float32; where a user has fewer than `k` items left, the excluded ones
            follow with the lowest float32.
        titles: `(users, k)` object array of `str`, or None where the catalogue has no titles.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.models import Recommendations
    >>> Recommendations(np.array([[7]]), np.array([[0.5]]), None).ids
    array([[7]])

    ```
    """

    ids: np.ndarray
    scores: np.ndarray
    titles: np.ndarray | None
