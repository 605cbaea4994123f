"""Recommendations: ids, scores and titles per user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from recs.data.data_frame import data_frame
from recs.errors import explain


class Recommendations(NamedTuple):
    """The best items of each user, best first.

    Attributes:
        ids: `(users, n)`, int64 or object array of `str`, with `n` the items left of the user who
            has most of them, at most `k`. A user with fewer has a filler behind them that no item
            is called: -1 or `""`, or the next below -1 or `"-"` where an item is.
        scores: `(users, n)` float32; the lowest float32 beside the filler.
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

    def head(self, users: int = 5) -> Recommendations:
        """Returns what is recommended to the first users.

        Args:
            users: How many; of fewer, all. Defaults to `5`.

        Raises:
            ValueError: `users` is negative.
        """
        if users < 0:
            raise ValueError(
                explain(
                    "`users`",
                    rule="must not be negative",
                    received=f"users={users}",
                    where="Recommendations.head",
                )
            )
        titles = None if self.titles is None else self.titles[:users]
        return Recommendations(self.ids[:users], self.scores[:users], titles)

    def to_pandas(self, users: Sequence[Any] | None = None) -> Any:
        """Returns a `pandas.DataFrame` with a row per user and item, the best first.

        The columns are `user`, `rank` (from 1), `id`, `score`, and `title` where there are titles.
        Places without an item, whose score is the lowest float32, are left out.

        Args:
            users: The users' ids, in the order of the call. Defaults to `None`: their numbers,
                from 0.

        Raises:
            ValueError: `users` is not as long as the recommendations.
            ImportError: pandas is not installed.

        Example:
        ```python
        >>> import numpy as np
        >>> from recs.models import Recommendations
        >>> best = Recommendations(np.array([[7, 9]]), np.array([[0.5, 0.25]]), None)
        >>> best.to_pandas(["ann"])
          user  rank  id  score
        0  ann     1   7   0.50
        1  ann     2   9   0.25

        ```
        """
        count, width = self.ids.shape
        names = np.arange(count) if users is None else np.asarray(users)
        if len(names) != count:
            raise ValueError(
                explain(
                    "`users`",
                    rule=f"must have a user for each of the {count} rows",
                    received=f"{len(names)} users",
                    where="Recommendations.to_pandas",
                )
            )
        names = names.astype(object) if names.dtype.kind in "US" else names
        columns = {
            "user": np.repeat(names, width),
            "rank": np.tile(np.arange(1, width + 1), count),
            "id": self.ids.reshape(-1),
            "score": self.scores.reshape(-1),
        }
        if self.titles is not None:
            columns["title"] = self.titles.reshape(-1)
        filled = columns["score"] > np.finfo(np.float32).min
        kept = {name: column[filled] for name, column in columns.items()}
        return data_frame(kept, "Recommendations.to_pandas")
