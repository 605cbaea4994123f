"""The catalogue: one row an item, with its title, genres and further features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recs.data.columns import Column
from recs.data.ids import codes, some_rows
from recs.data.ragged_column import RaggedColumn
from recs.data.table import Table
from recs.errors import explain


@dataclass(frozen=True, eq=False, repr=False)
class Items(Table):
    """Features of items, by id.

    Args:
        columns: name to values: a NumPy array, a list, or a `RaggedColumn`.
        roles: role to column name, of `item` (needed), `title` and `genres`. Defaults to `None`:
            columns that bear the name of a role play it.

    Shapes: ids `(items,)` int64 or object array of `str`; genres a `RaggedColumn` of `str`.

    Raises:
        ValueError: when an id occurs twice, lengths differ, or a role's column is missing or of
            another kind.

    Example:
    ```python
    >>> from recs.data import Items, RaggedColumn
    >>> items = Items({
    ...     "movie_id": ["1", "2"],
    ...     "movie_title": ["Toy Story (1995)", "Jumanji (1995)"],
    ...     "movie_genres": RaggedColumn.from_lists([["Animation", "Comedy"], ["Adventure"]]),
    ... }, roles={"item": "movie_id", "title": "movie_title", "genres": "movie_genres"})
    >>> items.title[1], items.genres[0]
    ('Jumanji (1995)', ['Animation', 'Comedy'])
    >>> items.rows_of(np.array(["2", "1", "2"], dtype=object))
    array([1, 0, 1])

    ```
    """

    ROLES: ClassVar[tuple[str, ...]] = ("item", "title", "genres")
    NEEDED: ClassVar[tuple[str, ...]] = ("item",)
    IDS: ClassVar[tuple[str, ...]] = ("item",)

    def __post_init__(self) -> None:
        super().__post_init__()
        code, distinct = codes(self.item)
        if len(distinct) < len(self):
            counts = np.bincount(code)
            twice = distinct[counts.argmax()]
            raise ValueError(
                explain(
                    "Each item",
                    rule="must have one row",
                    received=f"{twice!r} in {some_rows(np.flatnonzero(self.item == twice))}",
                    where="Items",
                )
            )

    def _check_role(self, role: str, name: str, column: Column) -> Column:
        ragged = isinstance(column, RaggedColumn)
        text = isinstance(column, np.ndarray) and column.dtype == object
        if (role == "genres" and not ragged) or (role == "title" and not text):
            kind = "lists of strings (a RaggedColumn)" if role == "genres" else "strings"
            raise ValueError(
                explain(
                    f"Column {name!r}",
                    rule=f"must hold {kind} to be the {role}",
                    received=type(column).__name__ if ragged else f"dtype {column.dtype}",  # type: ignore[union-attr]
                    where="Items",
                )
            )
        return super()._check_role(role, name, column)

    @property
    def item(self) -> np.ndarray:
        """The ids, `(items,)`."""
        return self._role("item")

    @property
    def title(self) -> np.ndarray | None:
        """The titles, an object array of `str`, or None."""
        return self._role("title")

    @property
    def genres(self) -> RaggedColumn | None:
        """A list of genres an item, or None."""
        return self._role("genres")

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Returns for each id the number of its row.

        Shapes: `ids (n,)` -> `(n,)` int64.

        Raises:
            KeyError: when an id is not in the table; the message counts and shows them.
        """
        row = {item: number for number, item in enumerate(self.item.tolist())}
        rows = np.fromiter((row.get(item, -1) for item in ids.tolist()), np.int64, len(ids))
        if (rows < 0).any():
            missing = codes(ids[rows < 0])[1]
            shown = ", ".join(repr(item) for item in missing[:5].tolist())
            raise KeyError(
                explain(
                    "Every item id",
                    rule=f"must be one of the {len(self)} items",
                    received=f"{len(missing)} ids that are not: {shown}",
                    where="Items",
                    remedy="Add them to the items, or take() the rows of known items first.",
                )
            )
        return rows
