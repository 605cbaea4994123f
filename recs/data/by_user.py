"""One row a user, with all that they took."""

from __future__ import annotations

import numpy as np

from recs.data.ids import codes
from recs.data.interactions import Interactions
from recs.data.ragged_column import RaggedColumn
from recs.errors import explain


def by_user(data: Interactions, column: str = "items") -> Interactions:
    """Returns one row a user: their first interaction, and in `column` the items of all of theirs.

    For models that compute something once for a user and use it for every item of theirs, such as
    `recs.models.LightGCN`. Users come in the order of their ids; the items of each in the order of
    time where there is a timestamp, else of `data`, and repeated ones as often as they occur.

    Args:
        data: interactions.
        column: the name of the column of items. Defaults to `"items"`.

    Raises:
        ValueError: when there is a column of that name.

    Example:
    ```python
    >>> from recs.data import Interactions, by_user
    >>> rows = by_user(Interactions({"user": [2, 1, 2], "item": [5, 6, 7]}))
    >>> rows.user, rows["items"].to_list()
    (array([1, 2]), [[6], [5, 7]])

    ```
    """
    if column in data:
        raise ValueError(
            explain(
                "`column`",
                rule="must not be a column of the interactions",
                received=f"column={column!r}",
                where="by_user",
            )
        )
    code, users = codes(data.user)
    keys = [code] if data.timestamp is None else [data.timestamp, code]
    order = np.lexsort(keys)  # The last key counts most.
    counts = np.bincount(code, minlength=len(users))
    splits = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = data.take(order[splits[:-1]])
    return rows._with_columns({**rows.columns, column: RaggedColumn(data.item[order], splits)})
