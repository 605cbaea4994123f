"""A column whose rows are stretches of one long array, which may overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recs.data.ragged_column import RaggedColumn
from recs.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, eq=False)
class WindowColumn:
    """One list a row, kept as a place in an array that all rows share.

    Row `i` is `values[starts[i]:starts[i] + lengths[i]]`. Sliding windows over a log of a million
    interactions, fifty each, are fifty million values in a `RaggedColumn`; here they are the
    million, and two numbers a row. Lists are made when a batch is gathered.

    Args:
        values: NumPy array.
        starts: int64 array: where each row begins.
        lengths: int64 array: how many values each row has, none or more.

    Shapes: `values (total,)`, `starts (rows,)`, `lengths (rows,)`.

    Raises:
        ValueError: when a row reaches beyond the values, or `starts` and `lengths` differ in
            length.

    Example:
    ```python
    >>> import numpy as np
    >>> from recs.data import WindowColumn
    >>> seen = WindowColumn(np.array([7, 9, 8]), np.array([0, 0, 1]), np.array([0, 2, 2]))
    >>> seen.to_list()
    [[], [7, 9], [9, 8]]
    >>> seen.padded(0)
    array([[0, 0],
           [7, 9],
           [9, 8]])

    ```
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        starts, lengths = self.starts, self.lengths
        fits = starts.ndim == 1 and starts.shape == lengths.shape
        if fits and len(starts):
            ends = starts + lengths
            fits = starts.min() >= 0 and lengths.min() >= 0 and ends.max() <= len(self.values)
        if not fits:
            raise ValueError(
                explain(
                    "`starts` and `lengths`",
                    rule=f"must give every row a stretch of the {len(self.values)} values",
                    received=f"starts={starts!r}, lengths={lengths!r}",
                    where="WindowColumn",
                )
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> list[Any]:
        row = range(len(self))[row]  # Bounds and negative rows as in a list.
        return self.values[self.starts[row] : self.starts[row] + self.lengths[row]].tolist()

    def __iter__(self) -> Iterator[list[Any]]:
        return (self[row] for row in range(len(self)))

    @property
    def width(self) -> int:
        """The length of the longest row."""
        return int(self.lengths.max(initial=0))

    def take(self, indices: np.ndarray | Sequence[int]) -> WindowColumn:
        """Returns the rows at `indices`, in their order; values are shared."""
        indices = np.asarray(indices, dtype=np.int64)
        return WindowColumn(self.values, self.starts[indices], self.lengths[indices])

    def to_list(self) -> list[list[Any]]:
        """Returns a list of lists."""
        return list(self)

    def to_ragged(self) -> RaggedColumn:
        """Returns the same rows one after the other, each with values of its own."""
        splits = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)
        places = np.repeat(self.starts - splits[:-1], self.lengths) + np.arange(splits[-1])
        return RaggedColumn(self.values[places], splits)

    def padded(self, padding: Any, width: int | None = None) -> np.ndarray:
        """Returns the rows as a matrix, filled up at the end.

        Args:
            padding: what stands behind the end of a row; give the model the same as `mask_key`.
            width: columns; of longer rows the last values stay. Defaults to `None`: the longest
                row.

        Shapes: -> `(rows, width)`.
        """
        width = self.width if width is None else width
        lengths = np.minimum(self.lengths, width)
        starts = self.starts + self.lengths - lengths
        columns = np.arange(width)
        present = columns < lengths[:, None]
        if not len(self.values):
            return np.full(present.shape, padding, self.values.dtype)
        places = np.where(present, starts[:, None] + columns, 0)
        return np.where(present, self.values[places], np.array(padding, self.values.dtype))

    def to_tensor(self) -> tf.RaggedTensor:
        """Returns the same rows as a `tf.RaggedTensor`."""
        return self.to_ragged().to_tensor()
