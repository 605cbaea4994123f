"""Who did what and when: the table that every reader returns and every split takes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recs.data import times
from recs.data.columns import Column, check_numbers, take_rows
from recs.data.ids import IdType, codes
from recs.data.items import Items
from recs.data.table import Table
from recs.errors import explain


@dataclass(frozen=True, eq=False, repr=False)
class Interactions(Table):
    """Interactions of users with items, in memory, one row each.

    The columns keep their names ("user_id", "movie_id", "user_rating" for MovieLens), and the
    roles say which of them is the user, the item, the rating and the time.

    Args:
        columns: name to values: a NumPy array, a list, or a `RaggedColumn`.
        roles: role to column name, of `user` and `item` (needed), `rating` and `timestamp`.
            Defaults to `None`: columns that bear the name of a role play it.
        items: `Items` with the title, genres and so on of the items. Defaults to `None`.

    Shapes: ids `(rows,)` int64 or object array of `str`; rating `(rows,)` float32; timestamp
        `(rows,)` int64, in any unit, seconds for MovieLens; further columns in their dtype.
        `datetime64`, `datetime` and, as timestamps, ISO 8601 texts become seconds since 1970;
        without a zone they are UTC.

    Raises:
        ValueError: when lengths differ, a role's column is missing or of another kind, an id is
            null, a rating is not finite or a time not whole.

    Example:
    ```python
    >>> from recs.data import Interactions
    >>> log = Interactions({"user": ["ann", "bob", "ann"], "item": [7, 7, 9], "rating": [3, 1, 2]})
    >>> log
    Interactions(3 rows: user (user), item (item), rating (rating))
    >>> log.take(log.user == "ann").item
    array([7, 9])
    >>> log.item_counts()
    {7: 2, 9: 1}
    >>> for batch in log.to_dataset(["user", "item"], batch_size=2):
    ...     print(batch["item"].numpy())
    [7 7]
    [9]

    ```
    """

    items: Items | None = None

    ROLES: ClassVar[tuple[str, ...]] = ("user", "item", "rating", "timestamp")
    NEEDED: ClassVar[tuple[str, ...]] = ("user", "item")
    IDS: ClassVar[tuple[str, ...]] = ("user", "item")

    def _check_role(self, role: str, name: str, column: Column) -> Column:
        where = type(self).__name__
        if role == "rating":
            return check_numbers(name, column, np.float32, where)
        if role == "timestamp":
            if isinstance(column, np.ndarray) and column.dtype == object:
                column = times.of_objects(name, column, where)
            return check_numbers(name, column, np.int64, where)
        return super()._check_role(role, name, column)

    @property
    def user(self) -> np.ndarray:
        """The ids of the users, `(rows,)`."""
        return self._role("user")

    @property
    def item(self) -> np.ndarray:
        """The ids of the items, `(rows,)`."""
        return self._role("item")

    @property
    def rating(self) -> np.ndarray | None:
        """The ratings, `(rows,)` float32, or None."""
        return self._role("rating")

    @property
    def timestamp(self) -> np.ndarray | None:
        """The times, `(rows,)` int64, or None."""
        return self._role("timestamp")

    def __repr__(self) -> str:
        text = super().__repr__()
        return text if self.items is None else f"{text[:-1]}; {len(self.items):,} items)"

    def with_id_type(self, id_type: IdType) -> Interactions:
        """Returns the same interactions, and items, with ids as strings or as int64.

        Args:
            id_type: `"string"` gives object arrays of `str`, `"int64"` arrays of int64.

        Raises:
            ValueError: when a string is not a whole number, written as Python writes it.
        """
        other = super().with_id_type(id_type)
        if self.items is not None:
            other._set("items", self.items.with_id_type(id_type))
        return other

    def with_item_features(self, *names: str, prefix: str = "") -> Interactions:
        """Returns the interactions with columns of their items beside them.

        Args:
            *names: columns of `items`, under the names they have there. Defaults to the title
                and the genres, as far as there are any.
            prefix: what comes before each of these names, where the interactions have a column of
                the same. Defaults to `""`.

        Raises:
            ValueError: when there is no `items` table, or a name is a column already.
            KeyError: when a name is not a column of `items`, or an item is not in it.

        Example:
        ```python
        >>> from recs.data import Interactions, Items
        >>> log = Interactions({"user": [1, 2], "item": [9, 7]},
        ...                    items=Items({"item": [7, 9], "title": ["Heat", "Ran"]}))
        >>> log.with_item_features("title")["title"].tolist()
        ['Ran', 'Heat']

        ```
        """
        if self.items is None:
            raise ValueError(
                explain(
                    "`items`",
                    rule="must be there to join features of items",
                    received="items=None",
                    where="Interactions.with_item_features",
                    remedy="Give `items=recs.data.read_items(...)` to the reader.",
                )
            )
        roles = self.items.roles or {}
        chosen = names or tuple(roles[role] for role in ("title", "genres") if role in roles)
        taken = [prefix + name for name in chosen if prefix + name in self.columns]
        if taken:
            raise ValueError(
                explain(
                    "The features of items",
                    rule="must not bear the name of a column of the interactions",
                    received=", ".join(repr(name) for name in taken),
                    where="Interactions.with_item_features",
                    remedy='Give `prefix="item_"`, or another.',
                )
            )
        features = {name: self.items[name] for name in chosen}  # A wrong name fails before a join.
        rows = self.items.rows_of(self.item)
        joined = {prefix + name: take_rows(column, rows) for name, column in features.items()}
        return self._with_columns({**self.columns, **joined})

    def item_counts(self) -> dict[Hashable, int]:
        """Returns how many interactions each item has, the most popular first, ties by id."""
        code, distinct = codes(self.item)
        counts = np.bincount(code, minlength=len(distinct))
        order = np.argsort(-counts, kind="stable")
        return dict(zip(distinct[order].tolist(), counts[order].tolist(), strict=True))
