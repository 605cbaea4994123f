"""Rows by id that are read while they are set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from recs.warm_start.filled import Filled
from recs.warm_start.ids import with_id_type
from recs.warm_start.rows import Rows
from recs.warm_start.target import check_dim, fill, table_of


@dataclasses.dataclass(frozen=True, eq=False)
class RowBatches:
    """Ids and their rows, read anew in batches whenever they are asked for.

    `from_parquet` makes it. Iterating gives `Rows`.

    Args:
        read: Begins to read, and gives `Rows` of the same length and type.
        count: How many there are; all are known to differ.
        key_dtype: The type of the ids, `"int64"` or `"string"`.
        dim: Length of a row.
        source: Where they come from, for messages.

    Example:
    ```python
    >>> layer = recs.layers.DynamicEmbedding(2)
    >>> layer.table.upsert([7, 8, 9], np.ones((3, 2)))
    >>> recs.warm_start.to_parquet(layer, "rows.parquet")
    >>> batches = recs.warm_start.from_parquet("rows.parquet", batch_size=2)
    >>> batches
    RowBatches(3 int64 ids, dim 2, from rows.parquet)
    >>> [len(rows) for rows in batches]
    [2, 1]

    ```
    """

    read: Callable[[], Iterator[Rows]]
    count: int
    key_dtype: str
    dim: int
    source: str

    def __iter__(self) -> Iterator[Rows]:
        return self.read()

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        ids = f"{self.count:,} {self.key_dtype} ids"
        return f"RowBatches({ids}, dim {self.dim}, from {self.source})"

    def into(self, target: Any, only_new: bool = False, id_type: str | None = None) -> Filled:
        """Writes the rows to a table in batches; `Rows.into` has the arguments.

        Raises:
            ValueError: the table has rows of another length or ids of another type, and is as it
                was; or a row cannot be read or is not finite, and the batches before it are set.
        """
        table = table_of(target, where=self.source)
        check_dim(self.dim, table, where=self.source)
        where = self.source
        parts = ((with_id_type(part.ids, id_type, where=where), part.rows) for part in self)
        return fill(table, parts, only_new=only_new, where=where)

    def to_rows(self) -> Rows:
        """Returns all of them, in memory."""
        parts = list(self)
        ids = [rows.ids for rows in parts]
        empty = np.zeros((0, self.dim), np.float32)
        matrix = np.concatenate([empty, *(rows.rows for rows in parts)])
        return Rows(np.concatenate(ids) if ids else np.zeros(0, np.int64), matrix, self.source)
