"""Rows by id, in memory."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from recs.warm_start.filled import Filled
from recs.warm_start.ids import as_ids, check_distinct, shown, type_of, with_id_type
from recs.warm_start.target import check_dim, fill, table_of
from recs.warm_start.wrong import wrong

BATCH = 65_536  # rows that are looked at, or set, at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Ids and the row of each, checked, wherever they come from.

    Args:
        ids: `(n,)`, integers that fit int64, or strings (`str` is taken as UTF-8, `bytes` as they
            are); each once.
        rows: `(n, dim)`, floats of any width that are finite as float32. A float32 array is not
            copied, so it may be mapped from a file: `np.load(path, mmap_mode="r")`.
        source: Where they come from, for messages. Defaults to `"Rows"`.

    Attributes:
        ids: `(n,)` int64, or an object array of `bytes`.
        rows: `(n, dim)` float32.

    Raises:
        ValueError: ids or rows are not of these kinds, or their numbers differ.

    Example:
    ```python
    >>> rows = recs.warm_start.Rows(["a", "b"], [[1.0, 2.0], [3.0, 4.0]])
    >>> layer = recs.layers.DynamicEmbedding(2, key_dtype="string")
    >>> rows.into(layer)
    Filled(new=2, known=0, evicted=0)
    >>> layer.table.lookup(["b"]).tolist()
    [[3.0, 4.0]]

    ```
    """

    ids: np.ndarray
    rows: np.ndarray
    source: str = "Rows"

    def __post_init__(self) -> None:
        ids = as_ids(self.ids, where=self.source)
        rows = _as_float32(self.rows, self.source)
        if rows.ndim != 2 or len(rows) != len(ids) or rows.shape[1] == 0:
            received = f"shapes {rows.shape} of rows and {ids.shape} of ids"
            raise wrong("`rows`", "must be a matrix with one row an id", received, self.source)
        check_distinct(ids, where=self.source)
        for start in range(0, len(rows), BATCH):
            finite = np.isfinite(rows[start : start + BATCH]).all(axis=1)
            if not finite.all():
                bad = ids[start : start + BATCH][~finite]
                raise wrong(
                    "`rows`",
                    "must be finite as float32",
                    f"NaN or infinity in the rows of {shown(bad)}",
                    self.source,
                    "Leave these ids out.",
                )
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Rows({len(self):,} {self.key_dtype} ids, dim {self.dim}, from {self.source})"

    @property
    def dim(self) -> int:
        """Length of a row."""
        return int(self.rows.shape[1])

    @property
    def key_dtype(self) -> str:
        """The type of the ids, `"int64"` or `"string"`."""
        return type_of(self.ids)

    def into(
        self,
        target: Any,
        only_new: bool = False,
        id_type: str | None = None,
        batch_size: int = BATCH,
    ) -> Filled:
        """Sets the rows in a table, `batch_size` at a time.

        Optimizer slots of an id that the table knows stay as they are; new ids get initial ones.
        Admission is not asked. A bound on the table is kept, and what it costs is reported. The
        counts are exact while nothing trains.

        Args:
            target: A `DynamicEmbedding`, its `table`, or a table of an `EmbeddingCollection`.
            only_new: Whether ids that have a row keep it. They are looked up for that, and these
                look-ups count in `table.stats()`. Defaults to `False`: all rows are set.
            id_type: `"string"` writes integer ids out in decimal, `"int64"` reads strings that are
                integers so written. Defaults to `None`: ids must be of the table's type.
            batch_size: Rows at a time; memory beyond the table's is some copies of so many.
                Defaults to 65,536.

        Raises:
            ValueError: the table has rows of another length or ids of another type. It is as it
                was then.
        """
        table = table_of(target, where=self.source)
        check_dim(self.dim, table, where=self.source)
        ids = with_id_type(self.ids, id_type, where=self.source)
        starts = range(0, len(self), batch_size)
        parts = ((ids[s : s + batch_size], self.rows[s : s + batch_size]) for s in starts)
        return fill(table, parts, only_new=only_new, where=self.source)


def _as_float32(rows: Any, where: str) -> np.ndarray:
    array = np.asarray(rows)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise wrong("`rows`", "must be floats", f"dtype {array.dtype}", where)
    with np.errstate(over="ignore"):  # becomes infinite, which is an error of its own
        return array.astype(np.float32, copy=False)
