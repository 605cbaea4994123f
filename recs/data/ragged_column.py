"""A column whose rows are lists of different lengths, such as the genres of a movie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.as_array import as_array
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, eq=False)
class RaggedColumn:
    """One list a row, kept as two flat arrays.

    Row `i` is `values[row_splits[i]:row_splits[i + 1]]`, the layout of `tf.RaggedTensor`, so that
    a column of 25 million lists costs two arrays and not 25 million Python lists.

    Args:
        values: NumPy array, the rows one after the other.
        row_splits: int64 array of one more entry than there are rows: where each row begins, and
            at the end the length of `values`.

    Shapes: `values (total,)`, `row_splits (rows + 1,)` int64.

    Raises:
        ValueError: when `row_splits` does not run from 0 to `len(values)` without going back.

    Example:
    ```python
    >>> from recs.data import RaggedColumn
    >>> genres = RaggedColumn.from_lists([["Comedy", "Crime"], [], ["Drama"]])
    >>> len(genres), genres[0], genres[1]
    (3, ['Comedy', 'Crime'], [])
    >>> genres.take([2, 0]).to_list()
    [['Drama'], ['Comedy', 'Crime']]

    ```
    """

    values: np.ndarray
    row_splits: np.ndarray

    def __post_init__(self) -> None:
        splits = self.row_splits
        if (
            splits.ndim != 1
            or len(splits) == 0
            or splits[0] != 0
            or splits[-1] != len(self.values)
            or (np.diff(splits) < 0).any()
        ):
            raise ValueError(
                explain(
                    "`row_splits`",
                    rule=f"must rise from 0 to the number of values, {len(self.values)}",
                    received=f"row_splits={splits!r}",
                    where="RaggedColumn",
                )
            )

    @classmethod
    def from_lists(cls, rows: Iterable[Sequence[Any]]) -> RaggedColumn:
        """Returns the column of these lists; strings become an object array.

        Raises:
            ValueError: when a row is text, which is no list of its letters, or no list at all.
        """
        lists = [_as_list(row) for row in rows]
        flat = [value for row in lists for value in row]
        values = as_array(flat) if flat else np.array([], object)
        return cls(values, _splits([len(row) for row in lists]))

    def __len__(self) -> int:
        return len(self.row_splits) - 1

    def __getitem__(self, row: int) -> list[Any]:
        row = range(len(self))[row]  # Bounds and negative rows as in a list.
        return self.values[self.row_splits[row] : self.row_splits[row + 1]].tolist()

    def __iter__(self) -> Iterator[list[Any]]:
        return (self[row] for row in range(len(self)))

    @property
    def width(self) -> int:
        """The length of the longest row."""
        return int(np.diff(self.row_splits).max(initial=0))

    def take(self, indices: np.ndarray | Sequence[int]) -> RaggedColumn:
        """Returns the rows at `indices`, in their order."""
        indices = np.asarray(indices, dtype=np.int64)
        starts = self.row_splits[:-1][indices]
        lengths = np.diff(self.row_splits)[indices]
        splits = _splits(lengths)
        # For each value its position in the old column, without a Python loop over the rows.
        old = np.repeat(starts - splits[:-1], lengths) + np.arange(splits[-1])
        return RaggedColumn(self.values[old], splits)

    def to_list(self) -> list[list[Any]]:
        """Returns a list of lists."""
        return list(self)

    def to_tensor(self) -> tf.RaggedTensor:
        """Returns the same rows as a `tf.RaggedTensor`."""
        import tensorflow as tf

        kind = tf.string if self.values.dtype == object else None
        values = tf.constant(self.values, dtype=kind)
        return tf.RaggedTensor.from_row_splits(values, self.row_splits, validate=False)


def _splits(lengths: np.ndarray | Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _as_list(row: Any) -> list[Any]:
    if not isinstance(row, str | bytes) and np.iterable(row):
        return list(row)
    raise ValueError(
        explain(
            "Each row of `rows`",
            rule="must be a list",
            received=repr(row),
            where="RaggedColumn.from_lists",
            remedy=f"Write `[{row!r}]` for a list of one value.",
        )
    )
